"""Areas that lack or break one part of the spiking circuit: which part matters for learning, and how much?

    leaky_memory        the latch is a leaky trace (`LeakyTrace`) with half a window as time constant; stepped
    single_population   score of the ON population minus its baseline, biased; opponent read-out only
    exact_score         gamma from the noise-free score u = [a]_+ W_pred c, both activities noise-free
    exact_plasticity    gamma from bursts, but z, c and A of Eqs. 6-8 noise-free
    shuffled_gamma      every sample learns with the gamma of the sample before it in the batch
    other_gamma         every area learns with the gamma of the area above it, the top one with the lowest's
    no_gate             gamma = y: no surprise is needed, right predictions are learned further
    apical_drives_soma  apical drives are added to somatic ones, so that predictions change events
    dale                W_pred = E - I with E, I >= 0: both learn from Eq. 8, neither changes its sign

"Noise-free" is what a rate neuron would do with the input that the area received: its own spikes are left
out, those of the areas below are not. All others leave the law of spikes as it is, so that their windows are
drawn at once where those of the intact area are; only leaky_memory must be stepped.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from clapp_snn.circuit.apical_memory import LeakyTrace
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy, StreamUpdate
from clapp_snn.circuit.stream_state import Reading, StreamAreaState
from clapp_snn.functional.window_plasticity import WindowTraces, WindowUpdate
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.interface import Inputs, Neuron

Ablation = Literal[
    "none", "leaky_memory", "single_population", "exact_score", "exact_plasticity", "shuffled_gamma",
    "other_gamma", "no_gate", "apical_drives_soma", "dale",
]  # fmt: skip
"""Names as above; "none" is the intact circuit."""


def relearn(
    area: StreamArea,
    reading: Reading,
    gamma: Float[Tensor, "sample"],
    traces: WindowTraces | None = None,
) -> Reading:
    """The same window learned with another gamma, or other traces."""
    traces = reading.traces if traces is None else traces
    return Reading(gamma, reading.score, traces, area.learned(gamma, traces))


class NoGate(StreamArea):
    """gamma = y."""

    @torch.no_grad()
    def read(self, state: StreamAreaState, y: Float[Tensor, "sample"]) -> Reading:
        """As `StreamArea.read`, whatever the score."""
        return relearn(self, super().read(state, y), y.clone())


class ShuffledGamma(StreamArea):
    """gamma of another sample. Samples are independent: always the neighbour's is as good as a random one."""

    @torch.no_grad()
    def read(self, state: StreamAreaState, y: Float[Tensor, "sample"]) -> Reading:
        """As `StreamArea.read`; raises ValueError for a batch of one."""
        if len(y) < 2:
            raise ValueError(
                "One sample has no other whose gamma it could take; use a larger batch."
            )
        reading = super().read(state, y)
        return relearn(self, reading, reading.gamma.roll(1))


class NoiseFreeMemory(NamedTuple):
    """As `MemoryState` of a latch, and the noise-free activity of the last window."""

    context: Float[Tensor, "sample unit"]
    total: Float[Tensor, "sample unit"]
    exact: Float[Tensor, "sample unit"]


class NoiseFree(StreamArea):
    """Also knows its noise-free activity z of this window and of the last one (`NoiseFreeMemory`)."""

    def initial_state(self, samples: int) -> StreamAreaState:
        """As `StreamArea.initial_state`, without activity."""
        state = super().initial_state(samples)
        nothing = torch.zeros_like(state.memory.context)
        return state._replace(
            memory=NoiseFreeMemory(state.memory.context, state.memory.total, nothing)
        )

    def exact(self, state: StreamAreaState) -> Float[Tensor, "sample post"]:
        """[a]_+ of the mean basal drive of the window, averaged over positions."""
        drive = state.sums.drive / self.detector.steps
        return self.basal.average(self.basal.winners(drive, drive).clamp(min=0))

    @torch.no_grad()
    def latch(
        self, state: StreamAreaState, context: Float[Tensor, "sample context"] | None = None
    ) -> StreamAreaState:
        """As `StreamArea.latch`; both activities become contexts."""
        exact, after = self.exact(state), super().latch(state, context)
        return after._replace(
            memory=NoiseFreeMemory(after.memory.context, after.memory.total, exact)
        )


class ExactScore(NoiseFree):
    """The gate knows the score without noise."""

    @torch.no_grad()
    def read(self, state: StreamAreaState, y: Float[Tensor, "sample"]) -> Reading:
        """As `StreamArea.read`."""
        reading = super().read(state, y)
        u = (self.exact(state) * self.predict(state.memory.exact)).sum(1)
        gamma = y * (self.nucleus.margin - y * u > 0).to(y.dtype)
        return relearn(self, reading, gamma)._replace(score=u)


class ExactPlasticity(NoiseFree):
    """Synapses know activities without noise."""

    @torch.no_grad()
    def read(self, state: StreamAreaState, y: Float[Tensor, "sample"]) -> Reading:
        """As `StreamArea.read`."""
        reading, c = super().read(state, y), state.memory.exact
        traces = reading.traces._replace(z=self.exact(state), c=c, A=self.predict(c))
        return relearn(self, reading, reading.gamma, traces)


class ApicalDrivesSoma(StreamArea):
    """The apical drive of every neuron of L3, in the units of its somatic one, also drives the soma."""

    @staticmethod
    def drives(soma: Tensor, apical: Tensor) -> Inputs:
        """At both ports."""
        return Inputs(soma + apical, apical)


class _Difference(nn.Module):
    """W = E - I."""

    def forward(self, excitatory: Tensor, inhibitory: Tensor) -> Tensor:
        return excitatory - inhibitory

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return weight.clamp(min=0), (-weight).clamp(min=0)


class Dale(StreamArea):
    """Prediction by excitatory and inhibitory synapses side by side."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        parametrize.register_parametrization(self, "W_pred", _Difference())

    @property
    def parts(self) -> tuple[nn.Parameter, nn.Parameter]:
        """E and I."""
        both: Any = self.parametrizations["W_pred"]  # type: ignore[index]
        return both.original0, both.original1

    def reset_parameters(self, generator: torch.Generator) -> None:
        """As `StreamArea.reset_parameters`; what is positive becomes E, what is negative I."""
        with parametrize.cached():
            super().reset_parameters(generator)
            drawn = self.W_pred.detach().clone()
        with torch.no_grad():
            for part, values in zip(self.parts, _Difference().right_inverse(drawn), strict=True):
                part.copy_(values)

    @torch.no_grad()
    def latch(
        self, state: StreamAreaState, context: Float[Tensor, "sample context"] | None = None
    ) -> StreamAreaState:
        """As `StreamArea.latch`; weights that would have changed their sign are 0 from now on."""
        for part in self.parts:
            part.clamp_(min=0)
        return super().latch(state, context)

    def changes(self, update: WindowUpdate) -> Iterator[tuple[nn.Parameter, Tensor]]:
        """Each parameter with its change; I learns the opposite of E."""
        excitatory, inhibitory = self.parts
        yield self.weight, update.weight
        yield self.bias, update.bias
        yield excitatory, update.W_pred
        yield inhibitory, -update.W_pred
        if self.W_retro is not None and update.W_retro is not None:
            yield self.W_retro, update.W_retro


class OtherGamma(StreamHierarchy):
    """Nuclei broadcast to the area below, that of the lowest area to the top."""

    @torch.no_grad()
    def learn(
        self, states: Sequence[StreamAreaState], y: Float[Tensor, "sample"]
    ) -> Iterator[StreamUpdate]:
        """As `StreamHierarchy.learn`."""
        readings = [self.area(index).read(state, y) for index, state in enumerate(states)]
        for index, reading in enumerate(readings):
            area, other = self.area(index), readings[(index + 1) % len(readings)]
            learned = relearn(area, reading, other.gamma)
            yield StreamUpdate(index, list(area.changes(learned.update)), learned)


_AREAS: dict[str, type[StreamArea]] = {
    "exact_score": ExactScore,
    "exact_plasticity": ExactPlasticity,
    "shuffled_gamma": ShuffledGamma,
    "no_gate": NoGate,
    "apical_drives_soma": ApicalDrivesSoma,
    "dale": Dale,
}


def make_area(
    ablation: Ablation, pre: int, post: int, neuron: Neuron, window: float, **options: Any
) -> StreamArea:
    """An area with one part ablated; `options` as for `StreamArea`.

    Raises ValueError where the part is not there: single_population without an opponent read-out, a soma
    that takes no dimensionless drive (other neurons than L3); and as `StreamArea` does.
    """
    if ablation == "leaky_memory":
        options["memory"] = LeakyTrace(window / 2, neuron.dt)
    if ablation == "single_population":
        options["single"] = True
    if ablation == "apical_drives_soma" and not isinstance(neuron, EventBurst):
        raise ValueError(
            f"Apical and somatic drives of {type(neuron).__name__} have different units and cannot be added; "
            "use event_burst."
        )
    return _AREAS.get(ablation, StreamArea)(pre, post, neuron, window, **options)


def make_stack(ablation: Ablation, areas: Sequence[StreamArea]) -> StreamHierarchy:
    """Areas on one another; raises ValueError as `StreamHierarchy`, and for other_gamma with one area."""
    if ablation != "other_gamma":
        return StreamHierarchy(areas)
    if len(areas) < 2:
        raise ValueError("One area has no other whose gamma it could take; give two or more.")
    return OtherGamma(areas)
