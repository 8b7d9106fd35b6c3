"""The local read-out: its mean change is the gradient of the cross entropy, made of three local factors."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.local_readout import LocalReadout, three_factor_change
from clapp_snn.randomness import generator

CLASSES, INPUTS = 4, 7


def some(samples: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    stream = generator(seed, "activity")
    z = torch.rand(samples, INPUTS, generator=stream, dtype=torch.float64)
    return z, torch.randint(CLASSES, (samples,), generator=stream)


def readout(**options) -> LocalReadout:
    made = LocalReadout(INPUTS, CLASSES, **options).double()
    made.weight.normal_(generator=generator(1))
    made.bias.normal_(generator=generator(2))
    return made


def gradient(made: LocalReadout, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    weight, bias = made.weight.clone().requires_grad_(), made.bias.clone().requires_grad_()
    loss = F.cross_entropy(F.linear(x, weight, bias), labels, reduction="sum")
    return torch.autograd.grad(loss, (weight, bias))


def test_the_change_is_minus_the_gradient_of_the_cross_entropy() -> None:
    z, labels = some(5)
    made = readout(learning_rate=0.2)
    x = z / z.square().sum(1).mean().sqrt()
    expected = [-0.2 * each for each in gradient(made, x, labels)]
    before = made.weight.clone(), made.bias.clone()
    o = made.learn(z, labels)
    torch.testing.assert_close(o, torch.softmax(F.linear(x, *before), 1))
    torch.testing.assert_close(made.weight - before[0], expected[0], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(made.bias - before[1], expected[1], rtol=1e-9, atol=1e-12)


def test_a_synapse_needs_its_input_its_neuron_and_the_teacher_only() -> None:
    x, o, teacher = torch.rand(3, 5), torch.rand(3, 4), torch.rand(3, 4)
    weight, bias = three_factor_change(x, o, teacher)
    others_x, others_o = x.clone(), o.clone()
    others_x[:, 1:], others_o[:, :2] = 9.0, 9.0
    again, again_bias = three_factor_change(others_x, others_o, teacher)
    assert torch.equal(weight[2:, 0], again[2:, 0])
    assert torch.equal(bias[2:], again_bias[2:])
    assert not torch.equal(weight[:2, 0], again[:2, 0])
    silent = three_factor_change(x, teacher, teacher)
    assert not any(bool(each.any()) for each in silent), "nothing is learned where o is right"


def test_events_of_the_population_learn_the_same_on_average() -> None:
    """Shares of n events vary by o (1 - o) / n: 20 000 windows, each change within 5 standard errors."""
    z, labels = some(1)
    repeats, n = 20_000, 3
    made = readout(learning_rate=1.0, events=n)
    x = z / z.square().sum(1).sqrt()
    expected = [-each for each in gradient(made, x, labels)]
    before = made.weight.clone(), made.bias.clone()
    o = torch.softmax(F.linear(x, *before), 1)[0]
    shares = made.learn(
        z.expand(repeats, -1), labels.expand(repeats), generator(0, "read-out events")
    )
    assert torch.equal(n * shares, (n * shares).round())
    error = 5 * (o * (1 - o) / (n * repeats)).sqrt()
    assert bool(((made.bias - before[1]) / repeats - expected[1]).abs().lt(error).all())
    bound = torch.outer(error, x[0])
    assert bool(((made.weight - before[0]) / repeats - expected[0]).abs().lt(bound).all())


def test_the_gain_is_a_running_mean_of_squares() -> None:
    made = LocalReadout(2, 3, learning_rate=1e-9, memory=2.0).double()
    for strength in (1.0, 3.0, 5.0):
        z = torch.tensor([[strength, 0.0]], dtype=torch.float64)
        made.learn(z, torch.tensor([0]))
    # Mean of 1 and 9, then half of it and half of 25.
    assert float(made.power) == pytest.approx(0.5 * 5 + 0.5 * 25)
    made.weight.fill_(1.0)
    probe = torch.tensor([[math.sqrt(15.0), 0.0]], dtype=torch.float64)
    torch.testing.assert_close(made(probe), torch.ones(1, 3).double() + made.bias)


def test_it_learns_what_is_separable_and_never_from_silence() -> None:
    made = LocalReadout(INPUTS, CLASSES)
    made.learn(torch.zeros(1, INPUTS), torch.tensor([1]))
    assert not bool(made.weight.any())
    assert bool(torch.isfinite(made.bias).all())
    stream = generator(3)
    centres = 3 * torch.eye(CLASSES, INPUTS)
    for _ in range(200):
        labels = torch.randint(CLASSES, (1,), generator=stream)
        made.learn(torch.rand(1, INPUTS, generator=stream) + centres[labels], labels)
    labels = torch.arange(CLASSES).repeat(25)
    answers = made(torch.rand(100, INPUTS, generator=stream) + centres[labels]).argmax(1)
    assert float((answers == labels).float().mean()) > 0.95


def test_a_state_dict_goes_on_where_it_was() -> None:
    z, labels = some(6)
    one, two = LocalReadout(INPUTS, CLASSES).double(), LocalReadout(INPUTS, CLASSES).double()
    one.learn(z[:3], labels[:3])
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.learn(z[3:], labels[3:]), two.learn(z[3:], labels[3:]))
    assert torch.equal(one.weight, two.weight)


@pytest.mark.parametrize(
    "options", [{"learning_rate": 0.0}, {"events": 0}, {"memory": -1.0}, {"inputs": 0}]
)
def test_impossible_read_outs_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        LocalReadout(**{"inputs": 3, "classes": 2, **options})


def test_bad_activity_and_a_wrong_generator_are_refused() -> None:
    made, label = LocalReadout(2, 2), torch.tensor([0])
    with pytest.raises(ValueError, match="not finite"):
        made.learn(torch.tensor([[math.nan, 0.0]]), label)
    with pytest.raises(ValueError, match="generator"):
        made.learn(torch.ones(1, 2), label, generator(0))
    with pytest.raises(ValueError, match="generator"):
        LocalReadout(2, 2, events=3).learn(torch.ones(1, 2), label)
