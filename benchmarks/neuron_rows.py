"""What the neuron benchmark measures: our models in three engines, and the layers of three peers.

A row's `run` takes its own drives through all steps, keeps the outputs of every step as its library does, and
makes no gradients.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clapp_snn import native
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.fast import FastLayer
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import NO_DRAWS, Draws, Inputs, Layer, Neuron, Outputs
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF

DECAY = 0.9
MODELS: dict[str, Callable[[], Neuron[Any]]] = {
    "L0": TwoCompartmentLIF,
    "L1": NaudSprekeler,
    "L2": StrictBurst,
    "L3": EventBurst,
}
REFERENCE = "snnTorch Leaky eager"
COMPILED_REFERENCE = "snnTorch Leaky compiled"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: as printed.
        run: all steps once.
        numbers: floats that an ideal layer reads or writes per neuron and step.
    """

    name: str
    run: Callable[[], object]
    numbers: int


def drives_of(model: str, steps: int, shape: tuple[int, ...]) -> Inputs:
    """Drives in the model's units under which it speaks about as often as in the circuit."""
    stream = torch.Generator().manual_seed(0)
    soma, apical = (torch.randn(steps, *shape, generator=stream) for _ in range(2))
    if model in ("L1", "L2"):
        return Inputs(300 + 100 * soma, 190 + 100 * apical)
    if model == "L3":
        return Inputs(0.5 * soma.abs_(), apical)
    return Inputs(0.1 * soma.abs_(), apical)


def rows(steps: int, shape: tuple[int, ...], compiled: bool) -> Iterator[Row]:
    """All rows for drives of (steps, *shape), the reference first; SpikingJelly only if installed."""
    current = 0.1 * torch.rand(steps, *shape, generator=torch.Generator().manual_seed(0))
    for name, run in _peers(current, compiled):
        yield Row(name, run, 2)
    for model, kind in MODELS.items():
        neuron, inputs = kind(), drives_of(model, steps, shape)
        numbers = 5 if model in ("L1", "L2") else 4
        for name, run in _ours(neuron, inputs, compiled):
            yield Row(f"{model} {name}", run, numbers)


def _compile(step: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = torch.compile(step, dynamic=False, fullgraph=False)
    return compiled


def _peers(current: Tensor, compiled: bool) -> Iterator[tuple[str, Callable[[], object]]]:
    import norse.torch
    import snntorch

    leaky = snntorch.Leaky(beta=DECAY)
    membrane = torch.zeros(current.shape[1:])

    def stepped(step: Callable[..., Any], first: Any) -> Callable[[], object]:
        def run() -> object:
            state, spikes = first, []
            for now in current:
                spike, state = step(now, state)
                spikes.append(spike)
            return torch.stack(spikes)

        return run

    yield REFERENCE, stepped(leaky, membrane)
    if compiled:
        yield COMPILED_REFERENCE, stepped(_compile(snntorch.Leaky(beta=DECAY)), membrane)
    cell = norse.torch.LIFCell()
    yield "norse LIFCell eager", stepped(cell, None)
    if compiled:
        first = cell(current[0], None)[1]
        yield "norse LIFCell compiled", stepped(_compile(norse.torch.LIFCell()), first)
    if importlib.util.find_spec("spikingjelly") is not None:
        package = importlib.import_module("spikingjelly.activation_based.neuron")
        node = package.LIFNode(step_mode="m")

        def jelly() -> object:
            node.reset()
            return node(current)

        yield "SpikingJelly LIFNode", jelly


def _ours(
    neuron: Neuron[Any], inputs: Inputs, compiled: bool
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Eager, compiled and native; "no draws" has the random numbers ready beforehand."""
    shape = inputs.soma.shape[1:]
    batch = list(range(shape[0]))
    layer, source = Layer(neuron), Streams.from_seed(0)
    ready = _Ready(neuron, inputs.soma)
    noisy = neuron.kinds != ("none", "none")
    yield "eager", lambda: layer(inputs, None, source)
    if noisy:
        yield "eager, no draws", lambda: layer(inputs, None, ready.rewound())
    if compiled:
        step = _compile(neuron.step)

        def stepped(source: Any) -> object:
            state, spoken = neuron.initial_state(shape), []
            for soma, apical in zip(*inputs, strict=True):
                now = Inputs(soma, apical)
                draws = neuron.draw(source, shape, soma.dtype, soma.device) if noisy else NO_DRAWS
                outputs, state = step(now, state, draws)
                spoken.append(outputs)
            return Outputs(*(torch.stack(each) for each in zip(*spoken, strict=True)))

        yield "compiled", lambda: stepped(source)
        if noisy:
            yield "compiled, no draws", lambda: stepped(ready.rewound())
    if native.available():
        fast, counters = FastLayer(neuron), CounterStreams(0, samples=batch)
        yield "native", lambda: fast(inputs, None, counters)
        into = fast(inputs, None, counters)[0]
        yield "native, into", lambda: fast(inputs, None, counters, into=into)
        if neuron.kinds[0] == "normal":
            quiet = FastLayer(type(neuron)(neuron.params.quiet()))  # type: ignore[attr-defined]
            yield "native, quiet, into", lambda: quiet(inputs, None, counters, into=into)
        yield "native, counts", lambda: fast.count(inputs, None, counters)


class _Ready:
    """A source that hands out numbers drawn beforehand."""

    def __init__(self, neuron: Neuron[Any], soma: Tensor) -> None:
        source, shape = Streams.from_seed(0), soma.shape[1:]
        self.draws = [
            source.draw(neuron.kinds, shape, soma.dtype, soma.device) for _ in range(len(soma))
        ]
        self.step = 0

    def rewound(self) -> "_Ready":
        self.step = 0
        return self

    def draw(self, *_: object) -> Draws:
        self.step += 1
        return self.draws[self.step - 1]
