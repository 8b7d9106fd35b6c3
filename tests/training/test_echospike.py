"""EchoSpike: neurons against snnTorch, the rule against loops and autograd, locality."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from clapp_snn.randomness import generator
from clapp_snn.training.echospike import (
    EchoSpikeNetwork,
    EchoSpikeSettings,
    EchoState,
    layer_change,
    layer_gate,
    layer_step,
    next_sample,
)

SETTINGS = EchoSpikeSettings(learning_rate=0.05)
SIZES = (12, 9, 7)


def inputs(samples: int = 5, steps: int = 8, name: str = "x") -> Tensor:
    return torch.rand(samples, steps, SIZES[0], generator=generator(3, name)).round(decimals=2)


def double(network: EchoSpikeNetwork) -> EchoSpikeNetwork:
    network.weights = [weight.double() for weight in network.weights]
    return network


def test_neurons_are_those_of_snntorch() -> None:
    from snntorch import Leaky

    network, x = EchoSpikeNetwork(SIZES, 1), inputs()
    leaky, membrane = Leaky(beta=0.9), torch.zeros(5, 9)
    state = network.initial_state(5)[0]
    spikes = 0.0
    for each in x.unbind(1):
        expected, membrane = leaky(each @ network.weights[0].T, membrane)
        state = layer_step(each, network.weights[0], state, 0.9)
        torch.testing.assert_close(state.membrane, membrane)
        assert torch.equal(state.spike, expected)
        spikes += float(expected.sum())
    assert 10 < spikes < 300, "neither silent nor saturated"


def by_loops(
    weights: list[np.ndarray],
    samples: list[tuple[np.ndarray, np.ndarray]],
    settings: EchoSpikeSettings,
) -> list[np.ndarray]:
    """The published rule, one number at a time."""
    weights = [w.copy() for w in weights]
    batch = len(samples[0][1])
    echo = [np.zeros((batch, len(w))) for w in weights]
    for x, y in samples:
        v = [np.zeros((batch, len(w))) for w in weights]
        s = [np.zeros((batch, len(w))) for w in weights]
        trace = [np.zeros((batch, w.shape[1])) for w in weights]
        count = [np.zeros((batch, len(w))) for w in weights]
        for t in range(x.shape[1]):
            change = [np.zeros_like(w) for w in weights]
            for b in range(batch):
                below = x[b, t]
                mean = below.mean()
                for n, w in enumerate(weights):
                    for i in range(len(w)):
                        v[n][b, i] = settings.beta * v[n][b, i] - s[n][b, i] + w[i] @ below
                    s[n][b] = v[n][b] > 1
                    count[n][b] += s[n][b]
                    trace[n][b] = settings.beta * trace[n][b] + below
                    c = settings.predictive if y[b] > 0 else settings.contrastive
                    loss = max(0.0, c * mean - y[b] * sum(s[n][b] * echo[n][b]))
                    if loss > 0 and mean > settings.threshold:
                        for i in range(len(w)):
                            u = v[n][b, i] - 1
                            psi = 1 / (math.pi * (1 + (math.pi * u) ** 2))
                            for j in range(w.shape[1]):
                                change[n][i, j] += y[b] * echo[n][b, i] * psi * trace[n][b, j]
                    below = s[n][b]
            for n in range(len(weights)):
                weights[n] += settings.learning_rate * change[n] / batch
        for n in range(len(weights)):
            for b in range(batch):
                total = count[n][b].sum()
                echo[n][b] = count[n][b] / total if total else 0.0
    return weights


def test_learning_equals_the_rule_in_loops() -> None:
    network = double(EchoSpikeNetwork(SIZES, 1, SETTINGS))
    before = [weight.numpy().copy() for weight in network.weights]
    states = network.initial_state(5)
    samples = []
    for number, y in enumerate((-1.0, 1.0, -1.0, 1.0)):
        x, signs = inputs(name=f"x{number}").double(), torch.full((5,), y)
        signs[0] = -y
        samples.append((x.numpy(), signs.numpy()))
        states, _ = network.learn(x, signs, states)
    expected = by_loops(before, samples, SETTINGS)
    for start, found, wanted in zip(before, network.weights, expected, strict=True):
        assert np.abs(wanted - start).max() > 1e-3, "something was learned"
        np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-12)


class Spike(torch.autograd.Function):
    """A step forward, psi backward."""

    @staticmethod
    def forward(ctx, distance: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(distance)
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        (distance,) = ctx.saved_tensors
        return grad / (math.pi * (1 + (math.pi * distance) ** 2))


@pytest.mark.parametrize("y", [1.0, -1.0])
def test_change_is_the_gradient_of_the_hinge_through_time(y: float) -> None:
    """Through membranes but not through resets, whose spikes are taken as given."""
    stream = generator(4, "gradient")
    weight = (torch.randn(9, 12, generator=stream, dtype=torch.float64) / 3).requires_grad_()
    echo = torch.rand(5, 9, generator=stream, dtype=torch.float64)
    echo /= 4 * echo.sum(1, keepdim=True)
    x, signs = inputs().double(), torch.full((5,), y, dtype=torch.float64)
    zeros = torch.zeros(5, 9, dtype=torch.float64)
    state = EchoState(zeros, zeros, x.new_zeros(5, 12), zeros, echo)
    membrane = spike = zeros
    gates = 0.0
    for each in x.unbind(1):
        membrane = 0.9 * membrane + each @ weight.T - spike.detach()
        spike = Spike.apply(membrane - 1)
        activity = each.mean(1)
        c = 2.0 if y > 0 else -0.2
        loss = (c * activity - y * (spike * echo).sum(1)).clamp(min=0).mean()
        (gradient,) = torch.autograd.grad(loss, weight, retain_graph=True)
        state = layer_step(each, weight.detach(), state, 0.9)
        settings = replace(SETTINGS, contrastive=-0.2)
        gate = layer_gate(state, signs, activity, settings)
        torch.testing.assert_close(layer_change(state, signs, gate), -gradient)
        gates += float(gate.double().mean())
    assert gates > 0.3


def test_a_synapse_sees_its_own_two_sides_and_one_gate() -> None:
    """With equal gates, the change of a row is that of a layer which has this unit alone."""
    stream = generator(5, "local")
    state = EchoState(*(torch.rand(4, n, generator=stream) for n in (9, 9, 12, 9, 9)))
    y, gate = torch.tensor([1.0, -1.0, 1.0, -1.0]), torch.tensor([True, True, False, True])
    change = layer_change(state, y, gate)
    others = EchoState(*(torch.rand(4, n, generator=stream) for n in (9, 9, 12, 9, 9)))
    mixed = EchoState(
        *(
            mine if name == "trace" else torch.cat([mine[:, :3], other[:, 3:]], 1)
            for name, mine, other in zip(EchoState._fields, state, others, strict=True)
        )
    )
    assert torch.equal(layer_change(mixed, y, gate)[:3], change[:3])
    assert not torch.equal(layer_change(mixed, y, gate)[3:], change[3:])
    traces = state._replace(trace=torch.cat([state.trace[:, :5], others.trace[:, 5:]], 1))
    assert torch.equal(layer_change(traces, y, gate)[:, :5], change[:, :5])


def test_layers_above_change_nothing_below_and_no_graph_is_built() -> None:
    tall, short = EchoSpikeNetwork(SIZES, 1, SETTINGS), EchoSpikeNetwork(SIZES[:2], 1, SETTINGS)
    states, alone = tall.initial_state(5), short.initial_state(5)
    for y in (-1.0, 1.0):
        x, signs = inputs(), torch.full((5,), y)
        states, _ = tall.learn(x, signs, states)
        alone, _ = short.learn(x, signs, alone)
    assert torch.equal(tall.weights[0], short.weights[0])
    assert not any(weight.requires_grad for weight in tall.weights)


def test_gate_needs_positive_loss_and_input() -> None:
    state = EchoState(*(torch.zeros(4, 2) for _ in range(5)))
    state = state._replace(
        spike=torch.tensor([[1.0, 0.0]] * 4), echo=torch.tensor([[0.5, 0.5]] * 4)
    )
    y, activity = torch.tensor([1.0, 1.0, -1.0, -1.0]), torch.tensor([0.3, 0.2, 0.4, 0.6])
    # Similarity 0.5: demanded are 0.6 and 0.4 of the same, allowed 0.4 and 0.6 of another.
    assert layer_gate(state, y, activity, SETTINGS).tolist() == [True, False, True, False]
    quiet = EchoSpikeSettings(threshold=0.5)
    assert layer_gate(state, y, activity, quiet).tolist() == [False] * 4


def test_echo_is_the_share_of_spikes_of_the_sample_before() -> None:
    state = EchoState(*(torch.ones(2, 3) for _ in range(5)))
    after = next_sample(state._replace(total=torch.tensor([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0]])))
    assert after.echo.tolist() == [[0.75, 0.25, 0.0], [0.0, 0.0, 0.0]]
    assert not any(bool(each.any()) for each in after[:4])


def test_first_sample_teaches_nothing_and_showing_never_does() -> None:
    network = EchoSpikeNetwork(SIZES, 1, SETTINGS)
    before = [weight.clone() for weight in network.weights]
    network.learn(inputs(), torch.ones(5), network.initial_state(5))
    counts = network.counts(inputs())
    assert [tuple(each.shape) for each in counts] == [(5, 9), (5, 7)]
    for weight, start in zip(network.weights, before, strict=True):
        assert torch.equal(weight, start)


def test_a_sample_repels_and_attracts_its_echo() -> None:
    """The same input again and again: similarity rises with y = 1 and falls with y = -1."""
    x = inputs(steps=20)
    similarity = {}
    for y in (1.0, 0.0, -1.0):
        network = EchoSpikeNetwork(SIZES[:2], 1, replace(SETTINGS, learning_rate=0.2))
        echo = next_sample(network.initial_state(5)[0]._replace(total=network.counts(x)[0])).echo
        for _ in range(20 if y else 0):
            state = network.initial_state(5)[0]._replace(echo=echo)
            network.learn(x, torch.full((5,), y), [state])
        similarity[y] = float((network.counts(x)[0] * echo).sum())
    assert similarity[-1.0] < 0.9 * similarity[0.0] < 1.1 * similarity[0.0] < similarity[1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"beta": 1.0}, "beta"), ({"gain": 0.0}, "gain"), ({"learning_rate": -1.0}, "learning_rate")],
)
def test_impossible_settings(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EchoSpikeSettings(**change)


def test_bad_sizes_and_diverged_weights() -> None:
    with pytest.raises(ValueError, match="at least one layer"):
        EchoSpikeNetwork([12], 1)
    network = EchoSpikeNetwork(SIZES, 1, SETTINGS)
    network.weights[1][0, 0] = torch.inf
    with pytest.raises(ValueError, match="layer 2"):
        network.learn(inputs(), torch.ones(5), network.initial_state(5))
