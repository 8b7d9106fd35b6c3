"""The settings of every method, written out as published.

Paper: Illing et al. 2021, Table 1, Table 6 and Appendix. Code: the repositories published with it
(EPFL-LCN/pub-illing2021-neurips, folders vision and video) and with Greedy InfoMax (loeweX/Greedy_InfoMax,
folder audio, for speech). Where both are silent, a row has the settings of the row it is compared with.
"""

from typing import NamedTuple

import pytest

from clapp_snn.functional.objective import Objective
from clapp_snn.methods import METHODS, TABLES
from clapp_snn.methods.record import Method


class Row(NamedTuple):
    splits: tuple[int, ...]
    loss: str
    negatives: int
    sampling: str
    time_local: bool
    retro: str
    epochs: int


SIX = (1, 1, 1, 1, 1, 1)

# Negatives of images: 16 from the whole batch, or the same place of one other image when y is drawn; that
# image is one for all rows and columns in the script of CLAPP. Twice the epochs when y is drawn.
IMAGES = {
    "clapp": Row(SIX, "hinge", 1, "local_same", True, "free", 600),
    "clapp-zero-retro": Row(SIX, "hinge", 1, "local_same", True, "zero", 600),
    "clapp-s": Row(SIX, "hinge", 16, "random", False, "tied", 300),
    "clapp-s-2": Row((3, 3), "hinge", 16, "random", False, "tied", 300),
    "clapp-s-3": Row((2, 2, 2), "hinge", 16, "random", False, "tied", 300),
    "clapp-s-4-upper": Row((3, 1, 1, 1), "hinge", 16, "random", False, "tied", 300),
    "clapp-s-4-lower": Row((1, 1, 1, 3), "hinge", 16, "random", False, "tied", 300),
    "clapp-s-retro": Row(SIX, "hinge", 16, "random", False, "free", 300),
    "clapp-s-above": Row(SIX, "hinge", 16, "random", False, "tied", 300),
    "clapp-s-no-gamma": Row(SIX, "hinge", 16, "random", False, "tied", 300),
    "clapp-s-no-prediction": Row(SIX, "hinge", 16, "random", False, "tied", 300),
    "hinge-cpc": Row((6,), "hinge", 16, "random", False, "tied", 300),
    "hinge-cpc-retro": Row((6,), "hinge", 16, "random", False, "free", 300),
    "hinge-cpc-block-c": Row((6,), "hinge", 16, "random", False, "zero", 300),
    "hinge-cpc-time-local": Row((6,), "hinge", 1, "local", True, "tied", 600),
    "gim-layerwise": Row(SIX, "infonce", 16, "random", False, "tied", 300),
    "gim-3": Row((2, 2, 2), "infonce", 16, "random", False, "tied", 300),
    "cpc": Row((6,), "infonce", 16, "random", False, "tied", 300),
}

# Ten permutations of all frames. Four convolutions by themselves, the fifth with the GRU (Appendix).
SPEECH = {
    "clapp-s": Row((1, 1, 1, 1, 2), "hinge", 10, "permutation", False, "tied", 1000),
    "gim-layerwise": Row((1, 1, 1, 1, 2), "infonce", 10, "permutation", False, "tied", 1000),
    "gim-6": Row(SIX, "infonce", 10, "permutation", False, "tied", 1000),
    "hinge-cpc": Row((6,), "hinge", 10, "permutation", False, "tied", 1000),
    "cpc": Row((6,), "infonce", 10, "permutation", False, "tied", 1000),
}

# Every other place and clip of the batch is a negative; how many to draw has no meaning.
VIDEO = {
    "clapp-s": Row((1, 1, 1, 1, 1), "hinge", 1, "all", False, "tied", 300),
    "gim-layerwise": Row((1, 1, 1, 1, 1), "infonce", 1, "all", False, "tied", 300),
    "hinge-cpc": Row((5,), "hinge", 1, "all", False, "tied", 300),
    "cpc": Row((5,), "infonce", 1, "all", False, "tied", 300),
}

# Five steps, the first of two rows (patches overlap by half); twelve of 10 ms; three of the block's own time.
DISTANCES = {
    "images": (2, 3, 4, 5, 6),
    "speech": (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
    "video": (1, 2, 3),
}

# Splits and epochs. How long the supervised networks of the tables were trained is not recorded: the default
# of the published programs.
WITHOUT_CONTRAST = {
    "images": {
        "supervised": ((6,), 300),
        "supervised-greedy": (SIX, 300),
        "random": (SIX, 0),
    },
    "speech": {
        "supervised": ((6,), 1000),
        "supervised-greedy": (SIX, 1000),
        "random": ((1, 1, 1, 1, 2), 0),
    },
    "video": {
        "supervised": ((5,), 300),
        "supervised-greedy": ((1, 1, 1, 1, 1), 300),
        "random": ((1, 1, 1, 1, 1), 0),
    },
}

CONTRASTIVE = {"images": IMAGES, "speech": SPEECH, "video": VIDEO}


def rows_of(modality: str) -> dict[str, Method]:
    return METHODS if modality == "images" else TABLES[modality]


def objective_of(modality: str, name: str) -> Objective:
    """Every field given, so that no default of the package is trusted."""
    row = CONTRASTIVE[modality][name]
    return Objective(
        loss=row.loss,  # type: ignore[arg-type]
        distances=DISTANCES[modality],
        negatives=row.negatives,
        sampling=row.sampling,  # type: ignore[arg-type]
        time_local=row.time_local,
        retro=row.retro,  # type: ignore[arg-type]
        sharing="code",
        gate=name != "clapp-s-no-gamma",
        prediction=name != "clapp-s-no-prediction",
    )


@pytest.mark.parametrize("modality", CONTRASTIVE)
def test_contrastive_rows_compare_what_is_published(modality: str) -> None:
    found = {n: m.objective for n, m in rows_of(modality).items() if m.task == "contrast"}
    assert found == {name: objective_of(modality, name) for name in CONTRASTIVE[modality]}


@pytest.mark.parametrize("modality", CONTRASTIVE)
def test_modules_and_epochs_are_the_published_ones(modality: str) -> None:
    wanted = {name: (row.splits, row.epochs) for name, row in CONTRASTIVE[modality].items()}
    found = {name: (method.splits, method.epochs) for name, method in rows_of(modality).items()}
    assert found == wanted | WITHOUT_CONTRAST[modality]


@pytest.mark.parametrize("modality", CONTRASTIVE)
def test_context_and_task_are_the_published_ones(modality: str) -> None:
    """The GRU predicts what convolutions tell it; one row of images takes its context from above."""
    for name, method in rows_of(modality).items():
        contrast = name in CONTRASTIVE[modality]
        other = "none" if name == "random" else "supervised"
        assert method.task == ("contrast" if contrast else other), name
        usual = "recurrent" if modality == "speech" and contrast else "same"
        assert method.context == ("above" if name == "clapp-s-above" else usual), name
        assert method.rule == "own", name
