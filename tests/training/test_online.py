"""Online: batch 1, one time step after another, is the batch; with weights that change, it learns."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit.basal import Conv
from clapp_snn.circuit.ports import LinearLIFPort
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.noise import SampleStreams
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from clapp_snn.randomness import generator
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.training.stream_learner import StreamLearner
from clapp_snn.training.stream_session import StreamSession

SAMPLES, WINDOWS = 4, 3


def dense(neuron, **options) -> StreamHierarchy:
    return StreamHierarchy(
        [StreamArea(12, 15, neuron, **options), StreamArea(15, 9, neuron, **options)]
    )


def convolutional() -> StreamHierarchy:
    return StreamHierarchy(
        [
            StreamArea(2, 5, EventBurst(), window=40.0, basal=Conv(4, 4, pool=True)),
            StreamArea(5, 6, EventBurst(), window=40.0, basal=Conv(2, 2)),
        ]
    )


def linear_lif() -> StreamHierarchy:
    lif = TwoCompartmentLIF()
    return dense(lif, window=60.0, port=LinearLIFPort(lif, 100.0), retro="free")


NETWORKS = {
    "L3 dense": lambda: dense(EventBurst(), window=40.0, tau_basal=10.0, copies=2),
    "L3 convolutional": convolutional,
    "L2 dense": lambda: dense(StrictBurst(), window=60.0),
    "L0 dense": linear_lif,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_one_sample_after_another_is_the_batch(name: str) -> None:
    """At fixed weights: equal spikes in every step, and updates that sum to the batch's to 1e-6."""
    network = NETWORKS[name]()
    network.reset_parameters(1)
    network.double().requires_grad_(False)
    with torch.no_grad():
        for index in range(2):
            # Predictions as large as activity: the gate opens for some samples and not for others.
            network.area(index).W_pred.mul_(3.0)
    shape = (WINDOWS, SAMPLES, *network.area(0).input_shape)
    glances = 3 * torch.rand(shape, generator=generator(1), dtype=torch.float64)
    y = torch.tensor([[1.0, -1.0, 1.0, -1.0]] * WINDOWS, dtype=torch.float64)

    def run(chosen: list[int]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        sources = [SampleStreams(3, chosen, "area", area) for area in range(2)]
        states = network.initial_state(len(chosen))
        spikes: list[Tensor] = []
        told: list[Tensor] = []
        total = {each: torch.zeros_like(each) for each in network.parameters()}
        for x, sign in zip(glances[:, chosen], y[:, chosen], strict=True):
            for _ in range(network.steps):
                steps, states = network.step(x, states, sources)
                spikes += [step.outputs.spike for step in steps]
                spikes += [step.outputs.burst for step in steps]
            updates = list(network.learn(states, sign))
            told += [each.reading.gamma for each in updates]
            for parameter, change in (pair for each in updates for pair in each.changes):
                total[parameter] += change
            states = network.latch(states)
        return spikes, told, list(total.values())

    batched, gates, update = run(list(range(SAMPLES)))
    alone = [run([k]) for k in range(SAMPLES)]
    for k, (spikes, told, _) in enumerate(alone):
        assert same(spikes, [each[k : k + 1] for each in batched])
        assert same(told, [each[k : k + 1] for each in gates])
    assert sum(float(each.sum()) for each in batched) > 50
    for whole, *parts in zip(update, *(total for *_, total in alone), strict=True):
        assert bool(whole.any())
        scale = float(whole.abs().max())
        torch.testing.assert_close(sum(parts), whole, rtol=1e-6, atol=1e-9 * scale)


def same(one: Sequence[Tensor], two: Sequence[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


class Patterns:
    """Four random patterns of 16 inputs; a view is a noisy one."""

    labels = torch.arange(4)
    shapes = 2 * (torch.rand(4, 16, generator=generator(0, "objects")) > 0.6).float()

    def __len__(self) -> int:
        return 4

    def views(self, indices: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        noise = torch.stack([torch.randn(16, generator=each) for each in generators])
        return (self.shapes[indices] + 0.3 * noise).clamp(min=0)


def session(neuron, rate: float, drawn: bool, areas: int = 1) -> StreamSession:
    port = LinearLIFPort(neuron, 200.0) if isinstance(neuron, TwoCompartmentLIF) else None
    sizes = (16, 12, 10)[: areas + 1]
    network = StreamHierarchy(
        [StreamArea(pre, post, neuron, window=40.0, port=port) for pre, post in pairwise(sizes)]
    )
    network.reset_parameters(3)
    learner = StreamLearner(network.requires_grad_(False), rate, "sgd")
    return StreamSession(learner, GlanceStream(Patterns(), range(1), 7), 5, drawn)


@pytest.mark.parametrize(
    ("neuron", "drawn"),
    [(EventBurst(EventBurstParameters(rho=200.0)), False), (TwoCompartmentLIF(), False),
     (EventBurst(EventBurstParameters(rho=200.0)), True)],
)  # fmt: skip
def test_weights_change_after_every_window_and_not_before(neuron, drawn: bool) -> None:
    """By eta times Eqs. 6-8 of one window of one sample, as read with the weights of that window."""
    it = session(neuron, 0.05, drawn, areas=2)
    moved = 0
    for _ in range(6):
        before = [each.clone() for each in it.network.parameters()]
        for _ in range(0 if drawn else it.network.steps - 1):
            assert it.advance() is None
            assert same(before, list(it.network.parameters()))
        updates: dict[Tensor, Tensor] = {}
        read = it.network.learn

        def keep(states, y, read=read, updates=updates):
            for update in read(states, y):
                updates |= {each: change.clone() for each, change in update.changes}
                yield update

        it.network.learn = keep  # type: ignore[method-assign]
        assert it.advance() is not None
        it.network.learn = read  # type: ignore[method-assign]
        for old, new in zip(before, it.network.parameters(), strict=True):
            torch.testing.assert_close(new, old + 0.05 * updates[new])
            moved += not torch.equal(old, new)
    assert moved > 12


def test_batch_one_learns() -> None:
    """Hinge of noisy scores; 1 before learning."""
    it = session(EventBurst(EventBurstParameters(rho=500.0)), 0.02, drawn=True)
    losses = torch.tensor([[area.loss for area in it.advance() or []] for _ in range(700)])
    assert float(losses[:50].mean()) > 0.85
    assert float(losses[-200:].mean()) < 0.4
