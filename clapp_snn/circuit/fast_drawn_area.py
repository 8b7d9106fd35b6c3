"""One area of `FastDrawn`: response, learning and memory of windows that are one draw.

Under constant input all that an area needs of a window is its activity z, which unit of every pooling group
was above threshold (`code`, one byte, as in rate mode), and what the detector counted. Convolutions come
rectified and pooled from the compiled engine. Events are one binomial count for every unit and pathway. All
units of a channel have one burst probability, so its bursts are one binomial count of the channel's events.

Eqs. 6 and 7 meet different inputs, x and x_prev. Both lie in one buffer, whose halves change places at the
end of a window, and one weight-gradient call serves both.
"""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.apical_memory import Latch, MemoryState
from clapp_snn.circuit.basal import Conv, Dense
from clapp_snn.circuit.coincidence import CoincidenceDetector
from clapp_snn.circuit.drawn_window import require_drawable
from clapp_snn.circuit.fast_conv import FastConv
from clapp_snn.circuit.ports import EventBurstPort, RatePort
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.circuit.stream_checks import require_finite_prediction, require_input
from clapp_snn.circuit.stream_state import Learned, StreamAreaState
from clapp_snn.functional.window_plasticity import WindowUpdate
from clapp_snn.native import conv_forward, conv_update, empty
from clapp_snn.native.binomial import Lottery, binomial_counts
from clapp_snn.native.neurons import Counter
from clapp_snn.neurons.event_burst import (
    EventBurstConstants,
    EventBurstParameters,
    burst_probability,
)
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Outputs


def require_fast_drawn(area: StreamArea) -> None:
    """Raise ValueError, naming the reason, unless `FastDrawn` computes what this area does."""
    rate = type(area.port) is RatePort
    if not rate:
        require_drawable(area)
    if type(area) is not StreamArea:
        reason = f"it is a {type(area).__name__}, which may do other things"
    elif type(area.port) not in (RatePort, EventBurstPort):
        reason = f"its port is a {type(area.port).__name__}"
    elif type(area.basal) not in (Dense, Conv, FastConv):
        reason = f"its basal synapses are {type(area.basal).__name__}"
    elif rate and (area.steps != 1 or area.copies != 1 or area.basal_decay or area.decay < 1):
        reason = "a rate neuron needs windows of one step, one copy, and no filters or traces"
    elif type(area.memory) is not Latch or type(area.counter) is not CoincidenceDetector:
        reason = "it has no latch, or its nucleus does not count ideally"
    elif area.post_factor != "drive":
        reason = f"its post-factor is {area.post_factor!r}, not 'drive'"
    elif area.weight.dtype != torch.float32 or area.weight.device.type != "cpu":
        reason = (
            f"its weights are {area.weight.dtype} on {area.weight.device}, not float32 on the CPU"
        )
    else:
        return
    raise ValueError(f"Windows of this area cannot be drawn on the compiled engine: {reason}.")


class FastDrawnArea:
    """What one area holds, and what it does at the beginning and the end of a window.

    Args:
        area: that passes `require_fast_drawn`.
        samples: side by side.

    Raises ValueError for another area.
    """

    def __init__(self, area: StreamArea, samples: int) -> None:
        require_fast_drawn(area)
        self.area, self.samples = area, samples
        self.rate = type(area.port) is RatePort
        self.dense = type(area.basal) is Dense
        self.pool = isinstance(area.basal, Conv) and area.basal.pool
        self.paths = len(area.detector.signs)
        units = len(area.weight)
        # Of the present window and the one before; `now` says which half is which.
        self.x = torch.zeros(2, samples, *area.input_shape)
        self.code = torch.zeros(2, samples, *area.unit_shape, dtype=torch.uint8)
        self.now = 0
        self.drive = empty((samples, *area.unit_shape))
        self.top: Tensor | None = None
        self.z = torch.zeros(samples, units)
        self.c, self.apical = torch.zeros(samples, area.W_pred.shape[1]), torch.zeros_like(self.z)
        self.size = area.gain.initial_size(self.c)
        self.totals = torch.zeros(samples, self.paths, units)
        self.score: Tensor | None = None

    @property
    def input(self) -> Float[Tensor, "sample *pre"]:
        """Where the area below writes its activity."""
        return self.x[self.now]

    def take(self, x: Float[Tensor, "sample *pre"]) -> None:
        """Input of the window; raises ValueError where it does not fit or is not finite."""
        require_input(x, self.input)
        if not torch.isfinite(x).all():
            raise ValueError("The input holds values that are not finite (NaN or inf).")
        self.input.copy_(x)

    def respond(
        self, source: CounterStreams | None, out: Float[Tensor, "sample *unit"] | None
    ) -> None:
        """Activity to `out` (None: nobody asks), and what the detector says of the window.

        Raises ValueError for drives and predictions that are not finite, and for L3 without a source that
        numbers the samples.
        """
        require_finite_prediction(self.apical)
        area = self.area
        if out is None:
            if self.top is None:
                self.top = torch.empty(self.samples, *area.unit_shape)
            out = self.top
        mean = self._drive(out if self.rate else self.drive)
        if not torch.isfinite(mean).all():
            raise ValueError("The drives hold values that are not finite (NaN or inf).")
        kappa = area.gain.kappa(self.size)
        if self.rate:
            self.z = mean.clone() if self.dense else mean  # the area above overwrites its input
            event = (mean * area.basal.positions)[:, None]
            outputs = Outputs(event, event, event * self.apical[:, None])
        else:
            outputs = self._draw(source, out, kappa)
        start = area.detector.initial_state(self.c)
        self.currents, state = area.detector.collect(outputs, start, area.detector.weight(kappa))
        self.score = state.u

    def _drive(self, out: Tensor) -> Tensor:
        """[a]_+ of the winners to `out`, their code, and the mean over positions."""
        area, code = self.area, self.code[self.now]
        weight, bias = area.weight.detach(), area.bias.detach()
        if not self.dense:
            into = (out, code, torch.empty(self.samples, len(weight)))
            return conv_forward(self.input, weight.contiguous(), bias, self.pool, into=into)[2]
        torch.addmm(bias, self.input, weight.T, out=out)
        torch.gt(out, 0, out=code)
        return out.relu_()

    def _draw(self, source: CounterStreams | None, out: Tensor, kappa: Tensor) -> Outputs:
        """Events of every unit, bursts of every channel."""
        area, samples = self.area, self.samples
        if source is None or source.samples is None or len(source.samples) != samples:
            raise ValueError(
                f"Number the {samples} samples: CounterStreams(..., samples=range({samples}))."
            )
        constants = cast(EventBurstConstants, area.neuron.constants)
        trials, size = area.detector.steps * area.copies, out[0].numel()
        lottery = Lottery(trials, self.paths, constants.background, constants.rho)
        one = float(area.port.activity(torch.tensor(1.0))) / (self.paths * trials)
        counter = Counter(source.key, source.step, source.samples, size)
        flat = (samples, size)
        binomial_counts(
            self.drive.view(flat), lottery, counter, out.view(flat), one, totals=self.totals
        )
        self.z = self.totals.sum(1) * (one / area.basal.positions)
        signs = torch.tensor(area.detector.signs, dtype=self.apical.dtype).view(-1, 1)
        drives = area.port.apical(signs * self.apical[:, None], kappa.view(-1, 1, 1))
        chance = burst_probability(drives, cast(EventBurstParameters, area.neuron.params))
        bursts = torch.empty_like(self.totals)
        counter = Counter(source.key, source.step + 1, source.samples, chance[0].numel())
        binomial_counts(
            chance.flatten(1).contiguous(),
            Lottery(self.totals.flatten(1)),
            counter,
            bursts.view(samples, -1),
        )
        source.advance(2)
        return Outputs(self.totals, self.totals, bursts)

    def learn(self, index: int, y: Float[Tensor, "sample"]) -> Learned:
        """Eqs. 6-8 as `StreamArea.read` has them; raises ValueError unless a window has passed."""
        area = self.area
        if self.score is None:
            raise ValueError("No window has passed since the last one was learned and latched.")
        start = area.nucleus.initial_state(self.c)
        gamma = area.nucleus.read(area.nucleus.step(self.currents, start), y).gamma
        felt = gamma[:, None]
        signal = torch.empty(2, *self.z.shape)
        torch.mul(felt, self.apical, out=signal[self.now])
        if area.retro == "zero":
            signal[1 - self.now] = 0
        else:
            back = area.W_pred if area.W_retro is None else area.W_retro.T
            torch.mul(felt, self.z @ back.detach(), out=signal[1 - self.now])
        x, code = self.x.flatten(0, 1), self.code.flatten(0, 1)
        if self.dense:
            signals = signal.flatten(0, 1).mul_(code)
            weight, bias = signals.T @ x, signals.sum(0)
        else:
            weight, bias = conv_update(x, code, signal.flatten(0, 1))
        coincidence = (felt * self.z).T @ self.c
        retro = None if area.W_retro is None else coincidence.T.contiguous()
        changes = list(area.changes(WindowUpdate(weight, bias, coincidence, retro)))
        return Learned(index, changes, gamma, self.score, self.z)

    def latch(self, context: Float[Tensor, "sample context"]) -> None:
        """The activity of the window, of this area or of its source, becomes the context."""
        self.c = context
        self.apical = self.area.predict(self.c)
        self.size = self.area.gain.follow(self.size, self.apical)
        self.now, self.score = 1 - self.now, None

    def state(self) -> StreamAreaState:
        """As `StreamArea.latch` leaves it; raises ValueError between a window and its latch."""
        if self.score is not None:
            raise ValueError("The window has not been latched yet.")
        x, c = self.x[1 - self.now].clone(), self.c.clone()
        state = self.area.initial_state(self.samples)
        return state._replace(
            basal=x.clone(),
            memory=MemoryState(c, state.memory.total),
            apical=self.apical.clone(),
            x_prev=x,
            d_prev=self._spread(self.code[1 - self.now]),
            size=self.size.clone(),
        )

    def load(self, state: StreamAreaState, turn: int) -> None:
        """Go on from a state; raises ValueError in mid-window, or for one of another area."""
        if int(state.elapsed) != 0:
            raise ValueError("The state is in mid-window; finish the window where it was begun.")
        self.now, before = turn, 1 - turn
        require_input(state.x_prev, self.x[before])
        self.x[before].copy_(state.x_prev)
        self.code[before].copy_(self._gather(state.d_prev))
        self.c, self.apical = state.memory.context.clone(), state.apical.clone()
        self.size, self.score = state.size.clone(), None

    def _spread(self, code: Tensor) -> Tensor:
        """rho'(a) before inhibition, from the winners."""
        if not self.pool:
            return code.float()
        samples, rows, cols, channels = code.shape
        d = torch.zeros(samples, rows, 2, cols, 2, channels)
        for place in range(4):
            d[:, :, place // 2, :, place % 2] = (code == place + 1).float()
        return d.view(samples, 2 * rows, 2 * cols, channels)

    def _gather(self, d: Tensor) -> Tensor:
        """The inverse of `_spread`."""
        if not self.pool:
            return (d > 0).to(torch.uint8)
        groups = d.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
        places = [(place + 1) * (groups[:, :, place // 2, :, place % 2] > 0) for place in range(4)]
        return torch.stack(places).amax(0).to(torch.uint8)
