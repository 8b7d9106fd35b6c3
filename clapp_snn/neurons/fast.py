"""Layers of the spiking neurons on the compiled CPU engine: same ports, outputs and state as `Layer`.

    layer = FastLayer(StrictBurst())
    outputs, state = layer(inputs, state, CounterStreams(seed, samples=[0, 1, 2]))
    counts, state = layer.count(inputs, state, source)      # sums over the window, nothing kept per step

`Layer` is the reference. Given the same draws, L0 and L2 say the same, bit for bit (L2's burst lottery up to
the last digit of its probability), and L1 up to the rounding of its exponential. L3 is faster because it
draws one number an interval instead of one a step: the same law by another path, so that its trains agree
with `Layer` in distribution. Its pending intervals are drawn anew in each call; where time is cut into calls
changes the numbers, not the law.

Neither the batch (with numbered samples), nor the number of threads, nor the apical drive changes an event.
float32 on the CPU, without gradients. Nothing falls back: where the engine is not available,
`clapp_snn.native.NativeUnavailable` says why, and `Layer` is the alternative.
"""

import math
from typing import Generic, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.native.neurons import Counter, Kernel, run_neurons
from clapp_snn.native.tensors import check, empty
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Inputs, Neuron, Outputs, Source, State, pair
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF


class _Native(NamedTuple):
    """A model in the engine: its kernel, and whether spikes are more than events."""

    kernel: Kernel
    own_spikes: bool


_NATIVE: dict[type[Neuron], _Native] = {
    TwoCompartmentLIF: _Native("two_compartment_lif", False),
    NaudSprekeler: _Native("naud_sprekeler", True),
    StrictBurst: _Native("strict_burst", True),
    EventBurst: _Native("event_burst", False),
}


class FastLayer(nn.Module, Generic[State]):
    """Many time steps of a neuron in one call of compiled code.

    Args:
        neuron: L0, L1, L2 or L3, without a surrogate gradient.

    Raises ValueError for another neuron, TypeError for what is no neuron, NativeUnavailable (at the first
    call) without a C compiler.
    """

    def __init__(self, neuron: Neuron[State]) -> None:
        super().__init__()
        if not isinstance(neuron, Neuron):
            raise TypeError(f"FastLayer takes a neuron, not {type(neuron).__name__}.")
        if type(neuron) not in _NATIVE:
            known = ", ".join(model.__name__ for model in _NATIVE)
            raise ValueError(
                f"FastLayer knows {known}, not {type(neuron).__name__}; use Layer instead."
            )
        if getattr(neuron, "surrogate", None) is not None:
            raise ValueError(
                "FastLayer has no gradients: use Layer, or a neuron without a surrogate."
            )
        self.neuron = neuron
        self.native = _NATIVE[type(neuron)]

    def forward(
        self,
        inputs: Inputs,
        state: State | None = None,
        source: Source | None = None,
        into: Outputs | None = None,
    ) -> tuple[Outputs, State]:
        """Run over the first axis of the drives, (time, *shape), and return all outputs in that layout.

        Args:
            inputs: drives; an axis of time that is expanded (stride 0) is read once and costs no memory.
            state: None starts at rest; not changed.
            source: of random numbers, best a `CounterStreams`; others are asked for all steps at once.
            into: outputs of an earlier call of the same layer and shape, to be overwritten: saves the time
                that new memory takes.

        Raises ValueError as `Neuron.forward` does, and for drives that are not float32 on the CPU.
        """
        return self._run(inputs, state, source, into, sums=False)

    def count(
        self, inputs: Inputs, state: State | None = None, source: Source | None = None
    ) -> tuple[Outputs, State]:
        """As `forward`, but the outputs are sums over time, (*shape): exact up to 2^24 spikes."""
        return self._run(inputs, state, source, None, sums=True)

    def _run(
        self,
        inputs: Inputs,
        state: State | None,
        source: Source | None,
        into: Outputs | None,
        sums: bool,
    ) -> tuple[Outputs, State]:
        soma, apical = _drives(inputs)
        steps, shape = soma.shape[0], soma.shape[1:]
        if state is None:
            state = self.neuron.initial_state(shape)
        else:
            self.neuron.check_state(state, shape, torch.float32, soma.device)
        if into is None:
            into = self._outputs(shape if sums else soma.shape, sums)
        else:
            self._check_into(into, soma.shape)
        counter, given = self._numbers(source, steps, shape)
        after = [values.contiguous().clone() for values in state]
        if math.prod(shape) > 0:
            run_neurons(
                self.native.kernel,
                self.neuron.constants,
                (soma, apical),
                after,
                (into.spike if self.native.own_spikes else None, into.event, into.burst),
                counter,
                given,
                noise=self.neuron.kinds[0] != "none",
                sums=sums,
            )
        return into, type(state)(*after)

    def _outputs(self, shape: torch.Size, sums: bool) -> Outputs:
        new = torch.zeros if sums else empty
        event, burst = new(shape), new(shape)
        return Outputs(new(shape) if self.native.own_spikes else event, event, burst)

    def _check_into(self, into: Outputs, shape: torch.Size) -> None:
        for name, values in zip(into._fields, into, strict=True):
            check(f"{name} in into", values, tuple(shape), torch.float32)
        if not self.native.own_spikes and into.spike.data_ptr() != into.event.data_ptr():
            raise ValueError(
                f"{type(self.neuron).__name__} has no spikes but its events: into.spike has to be into.event."
            )

    def _numbers(
        self, source: Source | None, steps: int, shape: torch.Size
    ) -> tuple[Counter, tuple[Tensor | None, Tensor | None]]:
        """Where the kernel finds its random numbers: by counter, or in tensors of all steps."""
        kinds = self.neuron.kinds
        if kinds != ("none", "none") and isinstance(source, CounterStreams):
            counter = Counter(source.key, source.step, *source.numbered(shape))
            source.advance(steps)
            return counter, (None, None)
        counter = Counter(0, 0, torch.zeros(1, dtype=torch.int64), math.prod(shape))
        if kinds == ("none", "none"):
            return counter, (None, None)
        each = [
            self.neuron.draw(source, shape, torch.float32, torch.device("cpu"))
            for _ in range(steps)
        ]
        event, burst = (
            None if kind == "none" else torch.stack([draws[side] for draws in each])  # type: ignore[misc]
            for side, kind in enumerate(kinds)
        )
        return counter, (event, burst)


def _drives(inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Both drives in one shape, contiguous or constant in time."""
    inputs = pair(inputs)
    for name, drive in zip(inputs._fields, inputs, strict=True):
        if not isinstance(drive, Tensor):
            raise ValueError(f"The {name} drive must be a tensor of floating-point numbers.")
        if drive.dtype != torch.float32 or drive.device.type != "cpu":
            raise ValueError(
                f"FastLayer takes float32 drives on the CPU, but the {name} drive is {drive.dtype} on "
                f"{drive.device}; use Layer."
            )
    try:
        soma, apical = torch.broadcast_tensors(*inputs)
    except RuntimeError as error:
        raise ValueError(
            f"The soma drive {tuple(inputs.soma.shape)} and the apical drive {tuple(inputs.apical.shape)} "
            "do not fit."
        ) from error
    if soma.dim() == 0 or soma.shape[0] == 0:
        raise ValueError("The drives need a first axis of at least one time step.")
    return _by_step(soma), _by_step(apical)


def _by_step(drive: Tensor) -> Float[Tensor, "time *shape"]:
    if drive.stride(0) == 0:
        return drive[0].contiguous().expand(drive.shape)
    return drive.contiguous()
