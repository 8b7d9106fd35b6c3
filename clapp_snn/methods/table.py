"""The methods of the paper on images, all runnable by name.

Numbers: Illing, Ventura, Bellec and Gerstner, NeurIPS 2021 (arXiv:2010.08262), linear probe on STL-10,
test accuracy in percent. Where paper and published code leave a setting open, `source` says "inferred".
"""

from dataclasses import replace

from clapp_snn.functional.objective import Objective
from clapp_snn.methods.record import Method

LAYERWISE = (1, 1, 1, 1, 1, 1)
END_TO_END = (6,)

SYNCHRONOUS = Objective()
TIME_LOCAL = Objective(negatives=1, sampling="local_same", time_local=True, retro="free")
INFONCE = Objective(loss="infonce")

_ROWS = (
    Method(
        "clapp", "CLAPP", LAYERWISE, objective=TIME_LOCAL,
        local_in_space="yes", local_in_time="yes", epochs=600, reported=73.6, source="Table 1 (layer 5)",
    ),
    Method(
        "clapp-s", "CLAPP-s", LAYERWISE, objective=SYNCHRONOUS,
        local_in_space="yes", reported=75.0, source="Table 1 (74.0 in Table 6)",
    ),
    Method(
        "clapp-s-2", "CLAPP-s, 2 modules of 3 layers", (3, 3), objective=SYNCHRONOUS,
        reported=77.6, source="Tables 1 and 6",
    ),
    Method(
        "clapp-s-3", "CLAPP-s, 3 modules of 2 layers", (2, 2, 2), objective=SYNCHRONOUS,
        reported=77.4, source="Tables 1 and 6",
    ),
    Method(
        "clapp-s-4-upper", "CLAPP-s, 4 modules, layers 4-6 apart", (3, 1, 1, 1), objective=SYNCHRONOUS,
        reported=75.4, source="Table 6",
    ),
    Method(
        "clapp-s-4-lower", "CLAPP-s, 4 modules, layers 1-3 apart", (1, 1, 1, 3), objective=SYNCHRONOUS,
        reported=76.2, source="Table 6",
    ),
    Method(
        "gim-layerwise", "layer-wise GIM", LAYERWISE, objective=INFONCE, reported=75.6, source="Table 1",
    ),
    Method(
        "gim-3", "GIM, 3 modules of 2 layers", (2, 2, 2), objective=INFONCE,
        reported=78.3, source="Table 4 (VGG-6)",
    ),
    Method("cpc", "CPC", END_TO_END, objective=INFONCE, reported=81.1, source="Table 1"),
    Method(
        "hinge-cpc", "Hinge Loss CPC", END_TO_END, objective=SYNCHRONOUS, reported=80.3,
        source="Tables 1 and 6",
    ),
    Method(
        "hinge-cpc-retro", "Hinge Loss CPC with W_retro", END_TO_END,
        objective=replace(SYNCHRONOUS, retro="free"), reported=80.2, source="Appendix, Eq. 14; inferred",
    ),
    Method(
        "hinge-cpc-block-c", "Hinge Loss CPC, c blocked", END_TO_END,
        objective=replace(SYNCHRONOUS, retro="zero"), reported=78.0, source="Section 4; inferred",
    ),
    Method(
        "hinge-cpc-time-local", "time-local Hinge Loss CPC", END_TO_END,
        objective=Objective(negatives=1, sampling="local", time_local=True),
        local_in_time="yes", epochs=600, reported=79.1, source="Table 1; inferred",
    ),
    Method(
        "clapp-zero-retro", "CLAPP, W_retro = 0", LAYERWISE, objective=replace(TIME_LOCAL, retro="zero"),
        local_in_space="yes", local_in_time="yes", epochs=600, reported=70.0, source="Section 4; inferred",
    ),
    Method(
        "clapp-s-retro", "CLAPP-s with W_retro", LAYERWISE, objective=replace(SYNCHRONOUS, retro="free"),
        local_in_space="yes", reported=74.1, source="Appendix, Eq. 14; inferred",
    ),
    Method(
        "clapp-s-above", "CLAPP-s, context from the area above", LAYERWISE, objective=SYNCHRONOUS,
        context="above", local_in_space="yes", reported=72.4, source="Appendix",
    ),
    Method(
        "supervised", "supervised", END_TO_END, task="supervised",
        local_in_time="yes", reported=73.2, source="Table 1",
    ),
    Method(
        "supervised-greedy", "greedy supervised", LAYERWISE, task="supervised",
        local_in_space="almost", local_in_time="yes", reported=66.3, source="Table 1 (65.0 in Table 4)",
    ),
    Method(
        "random", "random init", LAYERWISE, task="none",
        local_in_space="yes", local_in_time="yes", epochs=0, reported=21.8, source="Table 1",
    ),
    Method(
        "clapp-s-no-gamma", "CLAPP-s without gamma (ablation)", LAYERWISE,
        objective=replace(SYNCHRONOUS, gate=False), local_in_space="yes", source="no number published",
    ),
    Method(
        "clapp-s-no-prediction", "CLAPP-s without prediction (ablation)", LAYERWISE,
        objective=replace(SYNCHRONOUS, prediction=False), local_in_space="yes",
        source="no number published",
    ),
)  # fmt: skip

METHODS: dict[str, Method] = {method.name: method for method in _ROWS}
