"""The methods that the paper ran on speech: five convolutions and a GRU.

Numbers: Illing, Ventura, Bellec and Gerstner, NeurIPS 2021 (arXiv:2010.08262), Table 1 and Appendix, phone
classification on LibriSpeech, test accuracy in percent; those marked "taken from" were measured by Lowe,
O'Connor and Veeling 2019 (arXiv:1905.11786). Neither the number of negatives nor that of epochs is stated in
the paper; both are those of the published code of Greedy InfoMax.
"""

from clapp_snn.functional.objective import Objective
from clapp_snn.methods.record import Method

FIVE_AREAS = (1, 1, 1, 1, 2)
"""Four convolutions by themselves; the fifth is the target that the GRU predicts, both learn from that."""

SIX_AREAS = (1, 1, 1, 1, 1, 1)
END_TO_END = (6,)
EPOCHS = 1000

STEPS = tuple(range(1, 13))
HINGE = Objective(distances=STEPS, negatives=10, sampling="permutation")
INFONCE = Objective(loss="infonce", distances=STEPS, negatives=10, sampling="permutation")

_ROWS = (
    Method(
        "clapp-s", "CLAPP-s", FIVE_AREAS, objective=HINGE, context="recurrent", epochs=EPOCHS,
        local_in_space="yes", reported=61.7,
        source="Table 1 (BPTT in the GRU; 58.6 with e-prop, Appendix)",
    ),
    Method(
        "gim-layerwise", "layer-wise GIM", FIVE_AREAS, objective=INFONCE, context="recurrent",
        epochs=EPOCHS, reported=63.9, source="Table 1",
    ),
    Method(
        "gim-6", "GIM, 6 modules, z of the GRU fixed", SIX_AREAS, objective=INFONCE, context="recurrent",
        epochs=EPOCHS, source="splits of the published code; no number published",
    ),
    Method(
        "cpc", "CPC", END_TO_END, objective=INFONCE, context="recurrent", epochs=EPOCHS,
        reported=64.3, source="Table 1",
    ),
    Method(
        "hinge-cpc", "Hinge Loss CPC", END_TO_END, objective=HINGE, context="recurrent", epochs=EPOCHS,
        reported=62.8, source="Table 1",
    ),
    Method(
        "supervised", "supervised", END_TO_END, task="supervised", epochs=EPOCHS,
        local_in_time="yes", reported=77.7, source="Table 1, taken from arXiv:1905.11786",
    ),
    Method(
        "supervised-greedy", "greedy supervised", SIX_AREAS, task="supervised", epochs=EPOCHS,
        local_in_space="almost", local_in_time="yes",
        reported=73.4, source="Table 1, taken from arXiv:1905.11786",
    ),
    Method(
        "random", "random init", FIVE_AREAS, task="none", local_in_space="yes", local_in_time="yes",
        epochs=0, reported=27.7, source="Table 1, taken from arXiv:1905.11786",
    ),
)  # fmt: skip

SPEECH_METHODS: dict[str, Method] = {method.name: method for method in _ROWS}
