"""The method table is complete, and the network has the published sizes."""

import pytest
import torch

from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.functional.objective import Objective
from clapp_snn.methods import METHODS, TABLES, get_method
from clapp_snn.methods.record import Method
from clapp_snn.methods.speech import SPEECH_METHODS

# Illing et al. 2021, Tables 1, 4 and 6 and the text.
PUBLISHED = {
    "clapp": 73.6, "clapp-s": 75.0, "clapp-s-2": 77.6, "clapp-s-3": 77.4, "clapp-s-4-upper": 75.4,
    "clapp-s-4-lower": 76.2, "gim-layerwise": 75.6, "gim-3": 78.3, "cpc": 81.1, "hinge-cpc": 80.3,
    "hinge-cpc-retro": 80.2, "hinge-cpc-block-c": 78.0, "hinge-cpc-time-local": 79.1,
    "clapp-zero-retro": 70.0, "clapp-s-retro": 74.1, "clapp-s-above": 72.4, "supervised": 73.2,
    "supervised-greedy": 66.3, "random": 21.8, "clapp-s-no-gamma": None, "clapp-s-no-prediction": None,
}  # fmt: skip

# Table 1, phones of LibriSpeech; the last four are quoted there from Löwe et al. 2019.
PUBLISHED_SPEECH = {
    "clapp-s": 61.7, "gim-layerwise": 63.9, "gim-6": None, "cpc": 64.3, "hinge-cpc": 62.8,
    "supervised": 77.7, "supervised-greedy": 73.4, "random": 27.7,
}  # fmt: skip

# Table 1: local in space, local in time.
LOCAL = {
    "random": ("yes", "yes"), "supervised-greedy": ("almost", "yes"), "supervised": ("no", "yes"),
    "cpc": ("no", "no"), "gim-layerwise": ("no", "no"), "hinge-cpc": ("no", "no"),
    "clapp-s-2": ("no", "no"), "clapp-s-3": ("no", "no"), "clapp-s": ("yes", "no"),
    "clapp": ("yes", "yes"),
}  # fmt: skip


def parameters(method: str) -> int:
    with torch.device("meta"):
        hierarchy = Hierarchy(Encoder(VGG6), get_method(method))
    return sum(p.numel() for p in hierarchy.parameters())


def test_every_row_is_there_with_the_papers_number() -> None:
    assert {name: method.reported for name, method in METHODS.items()} == PUBLISHED
    assert all(method.name == name for name, method in METHODS.items())


def test_rows_of_speech_have_the_papers_number() -> None:
    found = {name: method.reported for name, method in SPEECH_METHODS.items()}
    assert found == PUBLISHED_SPEECH


@pytest.mark.parametrize("modality", ["images", "speech", "video"])
def test_locality_is_that_of_table_1(modality: str) -> None:
    known = TABLES[modality]
    found = {n: (known[n].local_in_space, known[n].local_in_time) for n in LOCAL if n in known}
    assert found == {name: LOCAL[name] for name in found}
    assert {"clapp-s", "supervised", "random"} <= set(found)


def test_published_parameter_counts_at_width_one() -> None:
    layers = [1_280, 295_168, 590_080, 1_180_160, 4_719_616, 9_438_208]
    with torch.device("meta"):
        encoder = Encoder(VGG6)
    assert [sum(p.numel() for p in layer.parameters()) for layer in encoder.layers] == layers
    assert parameters("clapp-s") == 28_758_272
    assert parameters("clapp") == 41_292_032
    assert parameters("random") == 16_224_512


def test_all_methods_start_from_one_encoder() -> None:
    states = []
    for name in ("clapp", "cpc", "supervised", "random"):
        hierarchy = Hierarchy(Encoder(VGG6, 1 / 32), get_method(name))
        hierarchy.reset_parameters(seed=4)
        states.append(hierarchy.encoder.state_dict())
    assert all(torch.equal(states[0][k], s[k]) for s in states[1:] for k in states[0])


def test_initial_weights_fill_the_published_ranges() -> None:
    """Uniform on +-1/sqrt(fan in): the largest of n draws lies within 1 - 20/n of the bound
    (failure chance e^-20)."""
    hierarchy = Hierarchy(Encoder(VGG6, 1 / 4), get_method("clapp"))
    hierarchy.reset_parameters(seed=0)
    area, layer = hierarchy.area(3), hierarchy.encoder.layer(3)
    assert area.W_retro is not None
    for tensor, fan_in in ((layer.weight, 64 * 9), (area.W_pred, 128), (area.W_retro, 128)):
        largest = float(tensor.detach().abs().max()) * fan_in**0.5
        assert 1 - 20 / tensor.numel() < largest <= 1


def test_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown method 'clap'; choose one of: clapp, clapp-s"):
        get_method("clap")


def test_impossible_records_are_refused() -> None:
    with pytest.raises(ValueError, match="has an objective"):
        Method("x", "x", (6,))
    with pytest.raises(ValueError, match="has an objective"):
        Method("x", "x", (6,), task="supervised", objective=Objective())
    with pytest.raises(ValueError, match="one-layer modules"):
        Method("x", "x", (3, 3), objective=Objective(), context="above")
    with pytest.raises(ValueError, match="splits 5 layers"):
        Hierarchy(Encoder(VGG6, 1 / 32), Method("x", "x", (5,), objective=Objective()))
    with pytest.raises(ValueError, match="width must be positive"):
        Encoder(VGG6, width=0)
