"""The methods that the paper ran on video, with the five layers of VGG-5.

Numbers: Illing, Ventura, Bellec and Gerstner, NeurIPS 2021 (arXiv:2010.08262), Table 1, UCF-101 (split 1),
test accuracy in percent. Three prediction steps; every other place of the batch is a saccade.
"""

from clapp_snn.functional.objective import Objective
from clapp_snn.methods.record import Method

LAYERWISE = (1, 1, 1, 1, 1)
END_TO_END = (5,)

STEPS = (1, 2, 3)
HINGE = Objective(distances=STEPS, negatives=1, sampling="all")
INFONCE = Objective(loss="infonce", distances=STEPS, negatives=1, sampling="all")

_ROWS = (
    Method(
        "clapp-s", "CLAPP-s", LAYERWISE, objective=HINGE,
        local_in_space="yes", reported=41.6, source="Table 1",
    ),
    Method("gim-layerwise", "layer-wise GIM", LAYERWISE, objective=INFONCE, reported=41.2, source="Table 1"),
    Method("cpc", "CPC", END_TO_END, objective=INFONCE, reported=35.7, source="Table 1"),
    Method("hinge-cpc", "Hinge Loss CPC", END_TO_END, objective=HINGE, reported=36.1, source="Table 1"),
    Method(
        "supervised", "supervised", END_TO_END, task="supervised",
        local_in_time="yes", reported=51.5, source="Table 1; settings not published",
    ),
    Method(
        "supervised-greedy", "greedy supervised", LAYERWISE, task="supervised",
        local_in_space="almost", local_in_time="yes", source="no number published",
    ),
    Method(
        "random", "random init", LAYERWISE, task="none",
        local_in_space="yes", local_in_time="yes", epochs=0, reported=30.5, source="Table 1",
    ),
)  # fmt: skip

VIDEO_METHODS: dict[str, Method] = {method.name: method for method in _ROWS}
