"""One area through the time steps of a window on the compiled CPU engine, block by block.

Within a window, weights and apical input stand still. So the basal drive of many steps is one matrix product
or convolution (where most inputs are zero, as spikes are: one pass through the weights of every spike),
neurons run through a block of steps in one call (`clapp_snn.circuit.fast_neurons`), and of what they said
only sums are kept: memory does not grow with time. At the end the state is that of `StreamArea.step` after
all steps. Sums of many products depend on their order in the last bits, and convolutions by Winograd's
scheme in some more.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.basal import Conv, Dense
from clapp_snn.circuit.coincidence import CoincidenceDetector
from clapp_snn.circuit.fast_conv import FastConv
from clapp_snn.circuit.fast_lif import CountedLIF, are_one, charged, runs_as_one
from clapp_snn.circuit.fast_neurons import (
    Buffers,
    CountedIntervals,
    CountedLayer,
    Counting,
    runs_by_intervals,
)
from clapp_snn.circuit.ports import EventBurstPort, LIFPort, NaudSprekelerPort, StrictBurstPort
from clapp_snn.circuit.stream_area import StreamArea, StreamAreaState, WindowSums
from clapp_snn.circuit.stream_checks import require_input
from clapp_snn.circuit.windowed_conv import WindowedConv
from clapp_snn.native import conv_forward
from clapp_snn.native.spikes import by_input, spike_drive
from clapp_snn.neurons.fast import FastLayer
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Source

RECTIFYING = (EventBurstPort, LIFPort, NaudSprekelerPort, StrictBurstPort)
"""Ports for which a drive below 0 is no drive."""

SPARSE, SAMPLED = 0.1, 61
"""Up to this share of inputs that are not zero, weights are added spike by spike; every 61st is looked at."""


def require_fast(area: StreamArea) -> None:
    """Raise ValueError, naming the reason, unless a window of this area can run block by block.

    The rate neuron and neurons with a surrogate gradient are refused by `FastLayer`.
    """
    if type(area) is not StreamArea:
        reason = f"it is a {type(area).__name__}, whose steps may be others"
    elif isinstance(area.basal, WindowedConv):
        reason = "its map is compared window by window, each with a prediction of its own"
    elif area.memory.moving:
        reason = "its apical memory changes within a window; use a latch"
    elif area.decay < 1:
        reason = "its synapses hold decaying traces; set tau_eligibility to infinity"
    elif type(area.counter) is not CoincidenceDetector or area.detector.leak != 1:
        reason = (
            "its nucleus does not count ideally; set tau_nucleus to infinity and readout to None"
        )
    elif area.weight.dtype != torch.float32 or area.weight.device.type != "cpu":
        reason = (
            f"its weights are {area.weight.dtype} on {area.weight.device}, not float32 on the CPU"
        )
    else:
        FastLayer(area.neuron)
        return
    raise ValueError(
        f"A window of this area cannot run block by block: {reason}, or simulate every step."
    )


class FastArea:
    """Runs the windows of one area; buffers are kept between windows.

    Args:
        area: that passes `require_fast`.

    Attributes:
        area: as given.
        lanes: neurons of every unit that need memory in a block.
        bare: whether a block needs no memory but its input.

    Raises ValueError for another area.
    """

    def __init__(self, area: StreamArea) -> None:
        require_fast(area)
        self.area = area
        self.by_intervals = runs_by_intervals(area)
        self.as_one = runs_as_one(area)
        alone = self.by_intervals or self.as_one
        self.lanes = 1 if alone else len(area.detector.signs) * area.copies
        self.bare = area.basal.given and (self.by_intervals or charged(area))
        basal = area.basal
        self.dense = type(basal) is Dense
        self.known = type(basal) in (Dense, Conv, FastConv)
        self.pooled = isinstance(basal, Conv) and basal.pool
        self.winograd = (
            self.known and not (self.dense or self.pooled) and type(area.port) in RECTIFYING
        )
        self.buffers = Buffers()

    def begin(self, state: StreamAreaState, source: Source | None) -> None:
        """A window begins.

        Raises ValueError in mid-window, and for L3 with a `CounterStreams` that does not number the samples.
        """
        area = self.area
        if int(state.elapsed) != 0:
            raise ValueError(
                f"{int(state.elapsed)} steps of this window have passed; finish it step by step."
            )
        self.state, self.basal = state, state.basal
        self.kappa = area.gain.kappa(state.size)
        self.by_input: Tensor | None = None
        self.sums = WindowSums(*(torch.zeros_like(each) for each in state.sums))
        self.neurons: Counting
        self.summed, drive = self.pooled, None if self.pooled else self.sums.drive
        if self.by_intervals and isinstance(source, CounterStreams):
            self.summed = True
            self.neurons = CountedIntervals(area, state, self.kappa, source, self.buffers, drive)
        elif self.as_one and are_one(state.neuron):
            self.summed |= area.basal.given and charged(area)
            into = drive if self.summed else None
            self.neurons = CountedLIF(area, state, self.kappa, self.buffers, into)
        else:
            self.neurons = CountedLayer(area, state, self.kappa, source)
        # With a synaptic filter the drive is that of the filtered input.
        self.filtered = torch.zeros_like(state.basal) if area.basal_decay else self.sums.x
        # Where the drive is the input, and summed by the neurons, one pass through it is enough.
        self.one_sum = self.bare and self.summed and not area.basal_decay

    def advance(
        self, x: Float[Tensor, "time sample *pre"], first: int, speak: bool
    ) -> Float[Tensor, "time sample *unit"] | None:
        """A block of steps, all of them counted or all of them settling.

        Args:
            x: input of every step; a stride of 0 over time means constant.
            first: its first step in the window.
            speak: whether the activity of every step is asked for. It is valid until the next block.

        Raises ValueError for an input of another shape or precision than the state.
        """
        require_input(x[0], self.state.basal)
        steps, counted = len(x), first >= self.area.settle
        if counted and not self.one_sum:
            _add(self.sums.x, x)
        if self.area.basal_decay:
            x = self._filter(x)
            if counted:
                _add(self.filtered, x)
        else:
            self.basal = x[-1]
        drive = self._drive(x[:1] if x.stride(0) == 0 else x)
        if self.pooled:
            drive = self._winners(drive, steps, counted)
        elif len(drive) < steps:
            drive = drive.expand(steps, *drive.shape[1:])
        return self.neurons.run(drive, first, counted, speak)

    def _filter(self, x: Tensor) -> Tensor:
        filtered, before = self.buffers.take("filtered", tuple(x.shape)), self.basal
        for index in range(len(x)):
            torch.lerp(x[index], before, self.area.basal_decay, out=filtered[index])
            before = filtered[index]
        self.basal = before.clone()
        return filtered

    def _drive(self, x: Tensor) -> Tensor:
        area, samples = self.area, x.shape[1]
        flat, weight, bias = (
            x.reshape(-1, *area.input_shape),
            area.weight.detach(),
            area.bias.detach(),
        )
        shape = (len(flat), *area.basal.drive_shape(len(weight)))
        if self.known and _mostly_zero(flat):
            if self.by_input is None:
                self.by_input = by_input(weight.contiguous())
            a = self.buffers.take("drive", shape)
            spike_drive(flat.contiguous(), self.by_input, bias, a)
        elif self.dense:
            a = torch.addmm(bias, flat, weight.T, out=self.buffers.take("drive", shape))
        elif self.winograd:  # [a]_+ is all that these neurons see
            self.summed = False
            a = self.buffers.take("drive", shape)
            mean = self.buffers.take("mean", (shape[0], shape[-1]))
            into = (a, None, mean)
            conv_forward(flat.contiguous(), weight.contiguous(), bias, False, False, into=into)
        else:
            a = area.basal.drive(flat, weight, bias)
        return a.view(-1, samples, *shape[1:])

    def _winners(self, drive: Tensor, steps: int, counted: bool) -> Tensor:
        """What lateral inhibition leaves of every step; the running sum decides."""
        basal = self.area.basal
        passed = self.buffers.take("passed", (steps, drive.shape[1], *self.area.unit_shape))
        for index in range(steps):
            a = drive[index % len(drive)]
            passed[index] = basal.winners(a, self.sums.drive)
            if counted:
                self.sums.drive.add_(a)
        return passed

    def finish(self) -> StreamAreaState:
        """The state at the end of the window, as `StreamArea.read` and `latch` take it."""
        area, state, counted = self.area, self.state, self.neurons.finish()
        x, drive, steps = self.sums.x, self.sums.drive, area.detector.steps
        if self.one_sum:
            x = drive.clone()  # every field has memory of its own
        elif not self.summed:  # a = W x + b: the sum is that of the mean input
            mean = self.filtered / steps
            drive = steps * area.basal.drive(mean, area.weight.detach(), area.bias.detach())
        currents, detector = area.detector.collect(
            counted.spoken, state.detector, area.detector.weight(self.kappa)
        )
        return state._replace(
            neuron=self.neurons.state,
            basal=self.basal,
            sums=WindowSums(x, area.port.activity(counted.events), drive),
            detector=detector,
            nucleus=area.nucleus.step(currents, state.nucleus),
            elapsed=torch.full_like(state.elapsed, area.steps),
            share=state.share if counted.share is None else counted.share,
        )


def _mostly_zero(x: Tensor) -> bool:
    """Whether so many inputs are zero that it is quicker to go through the others, judged by a sample."""
    sample = x.reshape(-1)[::SAMPLED]
    return int(torch.count_nonzero(sample)) < SPARSE * len(sample)


def _add(total: Tensor, block: Float[Tensor, "time *shape"]) -> None:
    if block.stride(0) == 0:
        total.add_(block[0], alpha=len(block))
    else:
        total.add_(block.sum(0))
