"""A stream area with rate neurons: scores, gates and updates are exact."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.area import Area
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.functional.objective import Objective, Retro
from clapp_snn.functional.saccades import Draw
from clapp_snn.neurons.rate import Rate
from tests.circuit.stream_areas import POST, PRE, build, glance, two_glances, window


def autograd_update(area: StreamArea, x_prev: Tensor, x: Tensor, y: Tensor) -> list[Tensor]:
    """Minus the gradient of the hinge loss; a free W_retro sees gamma of the W_pred score (one gate)."""
    z = torch.relu(F.linear(x, area.weight, area.bias))
    c = torch.relu(F.linear(x_prev, area.weight, area.bias))
    if area.retro == "tied":
        loss = (1 - y * ((z @ area.W_pred) * c).sum(1)).clamp(min=0).sum()
    else:
        u = ((z @ area.W_pred) * c.detach()).sum(1)
        loss = (1 - y * u).clamp(min=0).sum()
        if area.W_retro is not None:
            gamma = (y * (1 - y * u > 0)).detach()
            loss = loss - (gamma * ((c @ area.W_retro) * z.detach()).sum(1)).sum()
    return [-g for g in torch.autograd.grad(loss, list(area.parameters()))]


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("retro", ["tied", "free", "zero"])
def test_with_the_rate_neuron_score_gamma_and_updates_are_exact(retro, steps: int) -> None:
    """Autograd in float64; windows of several steps average the same numbers."""
    area = build(Rate(), window=float(steps), retro=retro).double()
    with torch.no_grad():
        area.W_pred *= 2
    x_prev, x = glance(40, 0).double(), glance(40, 1).double()
    y = torch.where(torch.arange(40) % 2 == 0, 1.0, -1.0).double()
    reading = area.read(two_glances(area, x_prev, x), y)

    z = torch.relu(F.linear(x, area.weight, area.bias))
    c = torch.relu(F.linear(x_prev, area.weight, area.bias))
    u = ((z @ area.W_pred) * c).sum(1)
    torch.testing.assert_close(reading.score, u, rtol=1e-12, atol=1e-12)
    assert torch.equal(reading.gamma, (y * (1 - y * u > 0)).detach())
    assert 0.1 < float(reading.gamma.abs().mean()) < 0.9, "the gate is not tested"

    wanted = {
        id(p): g
        for p, g in zip(area.parameters(), autograd_update(area, x_prev, x, y), strict=True)
    }
    changes = list(area.changes(reading.update))
    assert {id(p) for p, _ in changes} == wanted.keys()
    for parameter, change in changes:
        torch.testing.assert_close(change, wanted[id(parameter)], rtol=1e-10, atol=1e-12)


def test_the_first_window_of_a_stream_teaches_nothing() -> None:
    """Nothing was predicted: the gate is open (u = 0), but all traces of the past are empty."""
    area = build(Rate(), window=1.0)
    reading = area.read(window(area, glance(5, 0), area.initial_state(5)), torch.ones(5))
    assert reading.gamma.tolist() == [1] * 5
    assert all(not change.any() for _, change in area.changes(reading.update))


@pytest.mark.parametrize("retro", ["tied", "free", "zero"])
def test_the_rate_stream_learns_what_the_dense_area_learns(retro: Retro) -> None:
    """Two glances in the stream, against a context cell and the cell below it in `Area`.

    Two columns of six images; every second image is a saccade to the next one. The dense rule averages over
    fixations and over saccades, the stream sums: a factor of the number of either.
    """
    images, cols = 6, 2
    stream = build(Rate(), window=1.0, retro=retro).double()
    objective = Objective(
        distances=(1,), negatives=1, sampling="local_same", time_local=True, retro=retro,
        sharing="paper",
    )  # fmt: skip
    dense = Area(POST, POST, objective).double()
    with torch.no_grad():
        stream.W_pred *= 2
        dense.W_pred.copy_(stream.W_pred[None])
        if dense.W_retro is not None:
            dense.W_retro.copy_(stream.W_retro[None])
    x = glance(2 * images * cols, 1).double().view(1, 2, images, cols, PRE)
    z = torch.relu(F.linear(x, stream.weight, stream.bias)).detach()
    cell = torch.arange(images * cols).view(images, cols)
    fixation = torch.arange(images) % 2 == 0
    draw = Draw([cell.roll(-1, 0).view(1, -1, 1)], fixation[None])
    signals = dense.compare(z, z, [draw])

    landing = torch.where(fixation[:, None], cell, cell.roll(-1, 0)).flatten()
    y = torch.where(fixation, 1.0, -1.0).double().repeat_interleave(cols)
    first, second = x[0].flatten(1, 2)
    reading = stream.read(two_glances(stream, first, second[landing]), y)
    number = images / 2 * cols
    felt = signals.target if signals.context is None else signals.target + signals.context
    post = (felt * (z > 0)).flatten(0, 3)
    wanted = [post.T @ x.flatten(0, 3), post.sum(0), signals.W_pred[0]]
    if signals.W_retro is not None:
        wanted.append(signals.W_retro[0])
    changes = list(stream.changes(reading.update))
    for (_, change), each in zip(changes, wanted, strict=True):
        torch.testing.assert_close(change / number, each, rtol=1e-10, atol=1e-12)
    assert 0 < int(reading.gamma.abs().sum()) < len(y), "the gate is not tested"
