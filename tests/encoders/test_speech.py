"""The speech encoder has the published sizes, lengths and number of parameters."""

import pytest
import torch
from torch import nn

from clapp_snn.circuit.speech_hierarchy import SpeechHierarchy
from clapp_snn.encoders.speech import SPEECH6, SpeechEncoder
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_of_the_published_network() -> None:
    """23 143 424 with a predictor for each of the six modules; the sum is written out beside it."""
    with torch.device("meta"):
        six = SpeechHierarchy(SpeechEncoder(SPEECH6), get_method("gim-6", "speech"), 41)
        five = SpeechHierarchy(SpeechEncoder(SPEECH6), get_method("clapp-s", "speech"), 41)
    convolutions = (10 + 1) * 512 + (8 * 512 + 1) * 512 + 3 * (4 * 512 + 1) * 512
    gru = 3 * 256 * (512 + 256 + 2)
    predictors = 12 * (5 * 512 * 512 + 512 * 256)
    assert count(six.encoder) == convolutions + gru
    assert count(six) == convolutions + gru + predictors == 23_143_424
    assert count(five) == 23_143_424 - 12 * 512 * 512


def test_lengths_are_the_published_ones() -> None:
    assert SPEECH6.lengths(20480) == [4095, 1023, 512, 257, 128]
    assert SPEECH6.lengths(160_000)[-1] == 1000
    assert SPEECH6.hop == 160
    encoder = SpeechEncoder(SPEECH6, 1 / 64)
    x = torch.zeros(1, 1, 20480)
    for index, length in enumerate(SPEECH6.lengths(20480)):
        x = encoder.respond(index, x)
        assert x.shape == (1, 8, length)


def test_width_scales_every_layer() -> None:
    assert SpeechEncoder(SPEECH6, 1 / 8).channels == [64] * 5 + [32]
    assert SpeechEncoder(SPEECH6, 1e-4).channels == [1] * 6
    with pytest.raises(ValueError, match="width must be positive"):
        SPEECH6.scaled(0)


def test_features_have_one_row_every_ten_milliseconds() -> None:
    encoder = SpeechEncoder(SPEECH6, 1 / 64)
    encoder.reset_parameters(generator(0, "x"))
    audio = torch.randn(2, 5 * 160 + 77, generator=generator(0, "audio"))
    found = encoder.features(audio)
    assert [layer.shape for layer in found] == [(2, 5, 8)] * 5 + [(2, 5, 4)]
    assert not any(layer.requires_grad for layer in found)
    # The fifth convolution is at 10 ms already: nothing is averaged.
    x = audio[:, None, :800]
    for index in range(5):
        x = encoder.respond(index, x)
    assert x.shape[2] == 5
    assert torch.allclose(found[4], x.transpose(1, 2))
    assert torch.allclose(found[5], encoder.gru(x.transpose(1, 2))[0])
    with pytest.raises(ValueError, match="shorter than one feature"):
        encoder.features(audio[:, :159])


def test_initial_weights_keep_the_published_bounds() -> None:
    encoder = SpeechEncoder(SPEECH6, 1 / 8)
    encoder.reset_parameters(generator(0, "x"))
    for index, fan_in in enumerate((10, 8 * 64, 4 * 64, 4 * 64, 4 * 64)):
        most = float(encoder.convolution(index).weight.detach().abs().max())
        assert 0.95 * fan_in**-0.5 < most <= fan_in**-0.5
    most = max(float(p.detach().abs().max()) for p in encoder.gru.parameters())
    assert 0.95 * 32**-0.5 < most <= 32**-0.5
