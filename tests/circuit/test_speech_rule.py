"""The explicit rule on speech against autograd through losses that are written out here."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.speech_hierarchy import SpeechHierarchy
from clapp_snn.encoders.speech import SpeechArchitecture, SpeechEncoder, WaveLayer
from clapp_snn.functional.gru import Recurrence
from clapp_snn.functional.sequence_contrast import SequenceDraw
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator

# Strides and kernels as published, few channels; 16 frames at the top, windows of 14.
SMALL = SpeechArchitecture(
    (
        WaveLayer(4, 10, 5, 2), WaveLayer(5, 8, 4, 2), WaveLayer(4, 4, 2, 2), WaveLayer(3, 4, 2, 2),
        WaveLayer(4, 4, 2, 1),
    ),
    recurrent=3, window=14,
)  # fmt: skip
GROUP, SAMPLES = 2, 4


def streams(module: int, loss: int) -> list[torch.Generator]:
    return [generator(5, "speech", module, loss, group) for group in range(SAMPLES // GROUP)]


def audio(kind: torch.dtype = torch.float64) -> Tensor:
    draws = torch.randn(SAMPLES, 16 * 160, generator=generator(1, "audio"), dtype=torch.float64)
    return (2 * draws).to(kind)


def network(method: str, recurrence: Recurrence = "bptt") -> SpeechHierarchy:
    """Large weights, so that hinges open and close."""
    made = SpeechHierarchy(SpeechEncoder(SMALL), get_method(method, "speech"), 7, recurrence)
    made.reset_parameters(3)
    made = made.double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2.5)
    return made


def loss_of(method: str, z: Tensor, c: Tensor, W: Tensor, draw: SequenceDraw) -> Tensor:
    """Mean over steps of the mean over frames, one prediction step after another."""
    flat, kinds = z.flatten(0, 1), []
    objective = get_method(method, "speech").objective
    assert objective is not None
    for k in range(1, len(W) + 1):
        apical = F.linear(c.flatten(0, 1)[draw.own[:, :-k]], W[k - 1])
        own = (apical * flat[draw.own[:, k:]]).sum(-1)
        other = (apical[:, :, None] * flat[draw.landing[:, k:]]).sum(-1)
        if objective.loss == "hinge":
            kinds.append((1 - own).clamp_min(0).mean() + (1 + other).clamp_min(0).mean())
        else:
            logits = torch.cat((own[..., None], other), -1).flatten(0, 1)
            kinds.append(F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long)))
    return torch.stack(kinds).mean()


def recurrent(made: SpeechHierarchy, x: Tensor, form: Recurrence) -> Tensor:
    """States by PyTorch's cell; the leak of Eqs. 18-21 is put back by hand."""
    cell = torch.nn.GRUCell(x.shape[2], SMALL.recurrent).double()
    h, found = x.new_zeros(len(x), SMALL.recurrent), []
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    weights: dict[str, Tensor] = dict(zip(names, made.encoder.gru.parameters(), strict=True))
    units = SMALL.recurrent
    for t in range(x.shape[1]):
        before = h if form == "bptt" else h.detach()
        after = torch.func.functional_call(cell, weights, (x[:, t], before))
        if form == "eprop":
            gate = torch.sigmoid(
                x[:, t] @ weights["weight_ih"][units : 2 * units].T
                + weights["bias_ih"][units : 2 * units]
                + before @ weights["weight_hh"][units : 2 * units].T
                + weights["bias_hh"][units : 2 * units]
            )
            after = after + gate * (h - before)
        h = after
        found.append(h)
    return torch.stack(found, 1)


def oracle_losses(made: SpeechHierarchy, method: str, x: Tensor) -> list[Tensor]:
    splits, losses = made.method.splits, []
    x = x[:, None]
    for index, layer in enumerate(SMALL.layers):
        weight = made.encoder.convolution(index)
        joint = index == 4 and splits[-1] == 2
        z = F.relu(F.conv1d(x, weight.weight, weight.bias, layer.stride, layer.padding))
        cells = z.transpose(1, 2)
        if not joint:
            draw = made.draw(index, streams, SAMPLES, cells.shape[1], GROUP)
            losses.append(loss_of(method, cells, cells, made.area(index).W_pred, draw))
            cells = cells.detach()
        x = z.detach()
    last = len(splits) - 1
    draw = made.draw(last, streams, SAMPLES, cells.shape[1], GROUP)
    c = recurrent(made, cells.detach(), made.recurrence)
    losses.append(loss_of(method, cells, c, made.area(last).W_pred, draw))
    return losses


def changes_of(made: SpeechHierarchy, x: Tensor) -> dict[str, Tensor]:
    names = {id(parameter): name for name, parameter in made.named_parameters()}
    found: dict[str, Tensor] = {}
    for update in made.learn(x, streams, GROUP):
        found |= {names[id(parameter)]: change for parameter, change in update.changes}
    return found


@pytest.mark.parametrize("method", ["clapp-s", "gim-layerwise", "gim-6"])
@pytest.mark.parametrize("recurrence", ["bptt", "eprop", "detached"])
def test_every_layer_learns_what_autograd_says(method: str, recurrence: Any) -> None:
    made = network(method, recurrence)
    losses = oracle_losses(made, method, audio())
    torch.stack(losses).sum().backward()
    mine = changes_of(made, audio())
    assert set(mine) == {name for name, _ in made.named_parameters()}
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None
        assert float(parameter.grad.norm()) > 0, name
        assert (mine[name] + parameter.grad).norm() < 1e-9 * parameter.grad.norm(), name
    made.float()
    for name, change in changes_of(made, audio(torch.float32)).items():
        assert (change - mine[name]).norm() < 1e-4 * mine[name].norm(), name


@pytest.mark.parametrize("method", ["clapp-s", "gim-layerwise"])
def test_reported_losses_and_gates(method: str) -> None:
    made = network(method)
    losses = oracle_losses(made, method, audio())
    updates = list(made.learn(audio(), streams, GROUP))
    for update, loss in zip(updates, losses, strict=True):
        assert abs(float(update.loss) - float(loss.detach())) < 1e-12
        assert 0 < float(update.gate) < 1
        assert update.draw is None


@pytest.mark.parametrize("recurrence", ["bptt", "eprop", "detached"])
@pytest.mark.parametrize("method", ["clapp-s", "gim-6"])
def test_losses_with_a_graph_agree(method: str, recurrence: Any) -> None:
    made = network(method, recurrence)
    losses = list(made.module_losses(audio(), streams, GROUP))
    torch.stack([each.loss for each in losses]).sum().backward()
    mine = changes_of(made, audio())
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None
        assert (mine[name] + parameter.grad).norm() < 1e-9 * parameter.grad.norm(), name
    gates = [float(update.gate) for update in made.learn(audio(), streams, GROUP)]
    assert [float(each.gate) for each in losses] == pytest.approx(gates)


def test_nothing_below_the_top_learns_from_the_top() -> None:
    """Another GRU changes what the top learns, and nothing else."""
    made, other = network("clapp-s"), network("clapp-s")
    with torch.no_grad():
        for parameter in other.encoder.gru.parameters():
            parameter.mul_(-1)
    before, after = changes_of(made, audio()), changes_of(other, audio())
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    tops = ("encoder.convolutions.4", "encoder.gru", "areas.4")
    assert moved == {name for name in before if name.startswith(tops)}


def test_groups_do_not_see_each_other() -> None:
    """The second group's saccades stay among its own frames, so the first group's scores do not change."""
    made = network("clapp-s")
    x = audio()
    both = list(made.learn(x, streams, GROUP))
    changed = torch.cat((x[:GROUP], x[GROUP:].flip(1)))
    other = list(made.learn(changed, streams, GROUP))
    for one, two in zip(both, other, strict=True):
        half = one.scores[0].shape[1] // 2
        assert torch.equal(one.scores[0][:, :half], two.scores[0][:, :half])
        assert not torch.equal(one.scores[0][:, half:], two.scores[0][:, half:])
