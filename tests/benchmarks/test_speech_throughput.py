"""The peer of the speech benchmark computes the same losses, and the benchmark runs."""

import pytest
import torch
from torch import nn

from benchmarks.plain_speech import PlainSpeech
from benchmarks.speech_throughput import compare
from clapp_snn.functional.sequence_contrast import SequenceDraw, draw_frames
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.speech_build import build_speech


@pytest.mark.parametrize("method", ["clapp-s", "gim-layerwise"])
def test_the_peer_has_the_same_losses(method: str) -> None:
    config = TrainConfig(method=method, data="utterances", width=1 / 64)
    ours, _ = build_speech(config, torch.device("cpu"), 2)
    ours = ours.double()
    peer = PlainSpeech(1 / 64).double()
    for index, layer in enumerate(peer.layers):
        assert isinstance(layer, nn.Conv1d)
        layer.load_state_dict(ours.encoder.convolution(index).state_dict())
        heads = peer.heads[index]
        assert isinstance(heads, nn.ModuleList)
        for head, matrix in zip(heads, ours.area(index).W_pred.detach(), strict=True):
            head.load_state_dict({"weight": matrix})
    peer.gru.load_state_dict(ours.encoder.gru.state_dict())
    audio = torch.randn(2, 20480, generator=generator(0, "audio"), dtype=torch.float64)
    objective = get_method(method, "speech").objective
    assert objective is not None

    def draw(module: int, frames: int) -> SequenceDraw:
        return draw_frames(objective, [generator(0, module)], 2, frames, 128)

    losses = ours.module_losses(audio, lambda module, _: [generator(0, module)], 2)
    expected = sum(float(each.loss.detach()) for each in losses)
    found = float(peer.loss(audio, draw, objective.loss).detach())
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_table_has_a_row_for_every_code(capsys: pytest.CaptureFixture[str]) -> None:
    compare([1 / 128], 2, ["clapp-s"], ["eprop"], steps=1, repeats=1)
    printed = capsys.readouterr().out
    assert "local eprop" in printed
    assert "1.00x" in printed
