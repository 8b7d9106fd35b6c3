"""The modality follows from the data, and every modality has what the commands ask for."""

import pytest
import torch

from clapp_snn.circuit.network import Network
from clapp_snn.commands.train import unpublished_settings
from clapp_snn.methods import TABLES
from clapp_snn.modalities import MODALITIES, modality_of
from clapp_snn.modalities.images import IMAGES
from clapp_snn.modalities.modality import chosen_protocols
from clapp_snn.modalities.speech import SPEECH
from clapp_snn.training.config import TrainConfig


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("photographs", "images"), ("stl10:a", "images"), ("some/folder", "images"),
        ("utterances", "speech"), ("librispeech:a", "speech"),
    ],
)  # fmt: skip
def test_data_decide(data: str, name: str) -> None:
    config = TrainConfig(data=data)
    assert config.modality == name
    assert modality_of(config) is MODALITIES[name]


@pytest.mark.parametrize("name", MODALITIES)
def test_every_modality_is_complete(name: str) -> None:
    modality = MODALITIES[name]
    assert modality.name == name
    assert {"clapp-s", "cpc", "random"} <= set(TABLES[name])
    assert set(modality.standard) <= set(modality.protocols)
    assert set(modality.quick) <= set(modality.protocols)
    data = {"images": "photographs", "speech": "utterances", "video": "clips"}[name]
    config = TrainConfig(data=data, width=1 / 64)
    network, sentence = modality.build(config, torch.device("cpu"), 3)
    assert isinstance(network, Network)
    assert sentence
    modules = network.module_parameters()
    assert len(modules) == len(network.method.splits)
    assert {id(p) for own in modules for p in own} == {id(p) for p in network.parameters()}


def test_protocols_are_the_standard_ones_or_those_asked_for() -> None:
    assert chosen_protocols(IMAGES, None) == ("fast", "few-shot")
    assert chosen_protocols(SPEECH, ("speaker",)) == ("speaker",)
    assert chosen_protocols(IMAGES, ("paper",), quick=True) == ("fast",)
    assert chosen_protocols(SPEECH, ("paper", "speaker"), quick=True) == ("speaker",)
    with pytest.raises(
        ValueError, match="Unknown probe protocol few-shot for speech; choose from fast"
    ):
        chosen_protocols(SPEECH, ("few-shot",))
    with pytest.raises(ValueError, match="none given"):
        chosen_protocols(IMAGES, ())


@pytest.mark.parametrize(
    ("data", "options", "wanted"),
    [
        ("stl10:x", {}, {"STL-10": ""}),
        ("photographs", {"batch": 16}, {"photographs": ""}),
        ("ucf101:x", {"batch": 8, "learning_rate": 1e-3}, {"UCF-101": ""}),
        (
            "ucf101:x",
            {},
            {
                "UCF-101": "The paper's settings for UCF-101 are --batch 8, --learning_rate 0.001; "
                "this run has 32, 0.0002.\n"
            },
        ),
        (
            "librispeech:x",
            {"batch": 8},
            {
                "LibriSpeech train-clean-100": "The paper's settings for LibriSpeech train-clean-100 "
                "are --group 8; this run has 32.\n",
                "LibriSpeech dev-clean": "",
            },
        ),
    ],
)
def test_settings_that_are_not_the_papers_are_told(data, options, wanted):
    config = TrainConfig(data=data, **options)
    assert {name: unpublished_settings(config, name) for name in wanted} == wanted
