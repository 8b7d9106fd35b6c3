"""What the learning benchmark measures: one learning step of our circuit, and of layers that other libraries
train by backpropagation through time.

Ours: all time steps of a window, then score, gate, changes of all weights (Eqs. 6-8), applied, and the next
context latched. A unit is an ON and an OFF neuron, so that ours simulates two neurons where a peer has one;
"one population" has as many as the peers. The peers' neurons draw no random numbers, nor does L0; L3 draws
one an event. "the peers' neuron" is theirs, without a circuit (`benchmarks.given_currents`). Peers: all steps
forward, backward from a given error of the spike counts to the weights (alone: to the current of every step);
no optimiser step.

"alone": currents are given; ours learns a gain and a bias of every channel. "weighted": behind a 3 x 3
convolution of 128 to 128 channels, or 1024 x 1024 weights; peers convolve all steps in one call, in
channels-last layout.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from benchmarks.given_currents import Given, same_neuron
from clapp_snn.circuit.basal import Basal, Conv, Dense
from clapp_snn.circuit.fast_conv import FastConv
from clapp_snn.circuit.fast_window import FastHierarchy
from clapp_snn.circuit.ports import LinearLIFPort, Port
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF

Layout = Literal["dense", "conv"]
Run = Callable[[], object]
BLOCK, DECAY = 32, 0.9
SPIKE = 25.0
"""What an event of an ON and OFF pair at 20 Hz per unit says about z in a step of 1 ms."""

REFERENCE = "snnTorch unbind"


@dataclass(frozen=True)
class Size:
    """Batch, channels and side of the map (1 for dense layers)."""

    batch: int
    channels: int
    side: int = 1


SIZES: dict[Layout, Size] = {"dense": Size(16, 1024), "conv": Size(16, 128, 16)}


@dataclass(frozen=True)
class Task:
    """What is to be learned: layout, size, number of time steps, weights in front or not, spikes as input."""

    layout: Layout
    size: Size
    steps: int
    weighted: bool
    spikes: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, channels last."""
        side = self.size.side
        return (side, side, self.size.channels) if self.layout == "conv" else (self.size.channels,)

    def pattern(self) -> Tensor:
        """Input of `BLOCK` steps, which repeat; (time, sample, *shape). Mean 0.4, as numbers or as spikes."""
        stream, shape = torch.Generator().manual_seed(0), (BLOCK, self.size.batch, *self.shape)
        if self.spikes:
            return (torch.rand(shape, generator=stream) < 0.4 / SPIKE).float() * SPIKE
        return 0.5 * torch.randn(shape, generator=stream).abs_()


def ours(
    task: Task, neuron: Neuron[Any], fast: bool, single: bool = False, port: Port | None = None
) -> Run:
    """A learning step of one area; `fast` runs by blocks, otherwise step by step."""
    channels = task.size.channels
    if not task.weighted:
        basal: Basal = Given(task.shape)
    elif task.layout == "conv":
        basal = (FastConv if fast else Conv)(task.size.side, task.size.side)
    else:
        basal = Dense()
    window = task.steps * neuron.dt
    area = StreamArea(channels, channels, neuron, window, basal=basal, single=single, port=port)
    hierarchy = StreamHierarchy([area])
    hierarchy.reset_parameters(0)
    batch, pattern = task.size.batch, task.pattern()
    y = torch.where(torch.arange(batch) % 2 == 0, 1.0, -1.0)
    source = CounterStreams(0, samples=range(batch))
    state = hierarchy.initial_state(batch)
    quick = FastHierarchy(hierarchy) if fast else None

    def block(first: int, last: int) -> Tensor:
        nonlocal pattern
        at, end = first % BLOCK, first % BLOCK + last - first
        if end > len(pattern):
            pattern = pattern.repeat(-(-end // len(pattern)), *(1 for _ in pattern.shape[1:]))
        return pattern[at:end]

    def run() -> object:
        nonlocal state
        if quick is not None:
            state = quick.window(block, state, [source])
        else:
            for step in range(task.steps):
                _, state = hierarchy.step(pattern[step % BLOCK], state, [source])
        with torch.no_grad():
            for update in hierarchy.learn(state, y):
                for parameter, change in update.changes:
                    parameter.add_(change, alpha=1e-6)
        state = hierarchy.latch(state)
        return state[0]

    return run


def alone(task: Task) -> Run:
    """The peers' neuron without a circuit, learning locally (`benchmarks.same_neuron`)."""
    shape, pattern = (task.size.batch, *task.shape), task.pattern()
    error = torch.randn(shape, generator=torch.Generator().manual_seed(1))

    def block(first: int, last: int) -> Tensor:
        return pattern[: last - first]

    return lambda: same_neuron(block, shape, task.steps, BLOCK, DECAY, error)


def peer(task: Task, unbind: bool, layer: Callable[[], tuple[Any, Any]]) -> Run:
    """Forward and backward through time; `layer` gives a step and its first state."""
    step, first = layer()
    give = _currents(task)
    error = torch.randn(
        task.size.batch, *_channels_first(task), generator=torch.Generator().manual_seed(1)
    )

    def run() -> object:
        current, learned = give()
        state, count = first, torch.zeros_like(error)
        times = current.unbind(0) if unbind else (current[t] for t in range(task.steps))
        for now in times:
            spikes, state = step(now, state)
            count = count.add_(spikes)
        return torch.autograd.grad((count * error).sum(), learned)

    return run


def whole_window(task: Task, multi_step: Callable[[Tensor], Tensor]) -> Run:
    """As `peer`, for what takes all time steps at once: (time, sample, ...) currents to spikes or counts."""
    give = _currents(task)
    error = torch.randn(
        task.size.batch, *_channels_first(task), generator=torch.Generator().manual_seed(1)
    )

    def run() -> object:
        current, learned = give()
        spikes = multi_step(current)
        count = spikes.sum(0) if spikes.dim() > error.dim() else spikes
        return torch.autograd.grad((count * error).sum(), learned)

    return run


def _channels_first(task: Task) -> tuple[int, ...]:
    size = task.size
    return (size.channels, size.side, size.side) if task.layout == "conv" else (size.channels,)


def _currents(task: Task) -> Callable[[], tuple[Tensor, list[Tensor]]]:
    """A function that gives the currents of all steps, and what is to be learned."""
    x = task.pattern().repeat(-(-task.steps // BLOCK), *(1 for _ in range(len(task.shape) + 1)))
    x = x[: task.steps]
    if task.layout == "conv":
        x = x.movedim(-1, 2)
    if not task.weighted:
        x = x.contiguous().requires_grad_()
        return lambda: (x, [x])
    channels = task.size.channels
    front: nn.Module
    if task.layout == "conv":
        front = nn.Conv2d(channels, channels, 3, padding=1)
        front.weight.data = front.weight.data.contiguous(memory_format=torch.channels_last)
    else:
        front = nn.Linear(channels, channels)

    def give() -> tuple[Tensor, list[Tensor]]:
        current = front(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return current, list(front.parameters())

    return give


def _leaky(compiled: bool, shape: tuple[int, ...]) -> tuple[Any, Any]:
    import snntorch

    leaky = snntorch.Leaky(beta=DECAY)
    return (torch.compile(leaky, dynamic=False) if compiled else leaky), torch.zeros(shape)


def _norse(compiled: bool, like: Tensor) -> tuple[Any, Any]:
    import norse.torch

    cell = norse.torch.LIFCell()
    if not compiled:
        return cell, None
    with torch.no_grad():
        first = cell(like, None)[1]
    return torch.compile(cell, dynamic=False), first


def _unrolled(task: Task, shape: tuple[int, ...]) -> Run:
    leaky, first = _leaky(False, shape)

    def steps(current: Tensor) -> Tensor:
        state, count = first, torch.zeros_like(first)
        for now in current.unbind(0):
            spikes, state = leaky(now, state)
            count = count + spikes
        return count

    return whole_window(task, torch.compile(steps, dynamic=False))


def _jelly(task: Task) -> Run:
    node = importlib.import_module("spikingjelly.activation_based.neuron").LIFNode(step_mode="m")

    def steps(current: Tensor) -> Tensor:
        node.reset()
        spikes: Tensor = node(current)
        return spikes

    return whole_window(task, steps)


PEERS = (
    REFERENCE,
    "snnTorch x[t]",
    "snnTorch unbind, compiled step",
    "snnTorch unbind, compiled window",
    "norse unbind",
    "norse unbind, compiled step",
    "SpikingJelly",
)
OURS = (
    "ours L3, by step",
    "ours L0",
    "ours L0, linear",
    "ours L3, one population",
    "ours L3",
)
ALONE = "ours, the peers' neuron"
"""Only where currents are given."""

COMPILED_WINDOW_STEPS = 32
"""A compiled window is unrolled: beyond, the compiler takes longer than all other rows together."""


def is_there(name: str) -> bool:
    """Whether the library of a row is installed; only SpikingJelly may be missing."""
    return name != "SpikingJelly" or importlib.util.find_spec("spikingjelly") is not None


def make(name: str, task: Task) -> Run:
    """A function that takes one learning step.

    Raises ValueError for an unknown name.
    """
    shape = (task.size.batch, *_channels_first(task))
    unbind = "unbind" in name
    if name == "snnTorch unbind, compiled window":
        return _unrolled(task, shape)
    if name.startswith("snnTorch"):
        return peer(task, unbind, lambda: _leaky("compiled" in name, shape))
    if name.startswith("norse"):
        return peer(task, unbind, lambda: _norse("compiled" in name, torch.zeros(shape)))
    if name == "SpikingJelly":
        return _jelly(task)
    if name == ALONE:
        return alone(task)
    if name.startswith("ours L0"):
        neuron = TwoCompartmentLIF()
        return ours(task, neuron, True, port=LinearLIFPort(neuron) if "linear" in name else None)
    if name in OURS:
        single = "one population" in name
        readout = "opponent" if single else "half_wave"
        events = EventBurst(EventBurstParameters(readout=readout))
        return ours(task, events, "by step" not in name, single)
    rows = ", ".join((*PEERS, *OURS, ALONE))
    raise ValueError(f"There is no row {name!r}; choose one of {rows}.")
