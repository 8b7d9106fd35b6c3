"""One area on a stream of fixations and saccades, in either code: the neuron it is given decides.

    x ---- W, synaptic filter ----> soma:  event rate rho [W x + b]_+          events -> z, to the next area
    c ---- W_pred ----------------> apical latch A: burst probability          bursts -> detector -> u_hat
    y (fixation +1, saccade -1), bursts --> surprise nucleus --> gamma --> all synapses of the area

Time is cut into windows, one glance each. During a window (`step`, once a time step) events, bursts and
presynaptic activity are counted. At its end (`read`) the nucleus is read out by a pulse and every synapse
turns what it holds into its change (Eqs. 6-8). Then (`latch`) the activity of the window becomes the context:
c <- zbar, A <- W_pred c, and x and rho'(a) are kept for Eq. 7. Whoever learns applies the changes between
`read` and `latch`, so that a plateau is written by the weights of its time.

A unit is `copies` neurons in each pathway (ON and OFF, or one); all see the same a, and z is the mean of all.
Basal synapses connect everything with everything, or a map with a map (`clapp_snn.circuit.basal`): then units
have positions, and z and c of the score, the prediction and Eqs. 7 and 8 are averages over them.
The basal synapses low-pass their input with time constant `tau_basal` before it is weighted and rectified:
rectification turns noise of the summed input into activity, and the filter removes it. The first `settle` ms
of a window drive the neurons but count for nothing, as vision is suppressed during a saccade: membranes,
filters and bursts under way forget the window before (`CurrentPort` says how far). With `tau_eligibility`
what synapses hold are traces that decay within the window (`clapp_snn.functional.eligibility`), not counts.

Everything that changes is in `StreamAreaState`, tensors only. No autograd graph is built.
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.circuit.stream_checks import require_finite_prediction, require_input
from clapp_snn.circuit.stream_parts import StreamParts
from clapp_snn.circuit.stream_state import Reading, Step, StreamAreaState, WindowSums
from clapp_snn.functional.eligibility import effective_steps
from clapp_snn.functional.window_plasticity import (
    WindowTraces,
    WindowUpdate,
    apical_input_from_bursts,
    post_factor,
    window_update,
)
from clapp_snn.neurons.interface import Inputs, Source

__all__ = ["Reading", "Step", "StreamArea", "StreamAreaState", "WindowSums"]


class StreamArea(StreamParts):
    """Basal weights, neurons, coincidence detector, surprise nucleus, apical memory and plasticity.

    Arguments and errors are those of `clapp_snn.circuit.stream_parts.StreamParts`.
    """

    drives: Callable[[Tensor, Tensor], Inputs] = Inputs
    _held: tuple[StreamAreaState, WindowTraces] | None = None

    @torch.no_grad()
    def step(
        self,
        x: Float[Tensor, "sample *pre"],
        state: StreamAreaState,
        source: Source | None = None,
    ) -> tuple[Step, StreamAreaState]:
        """One time step.

        Args:
            x: presynaptic activity of this step, in units of z: rates, or events / (rho dt).
            state: of the area.
            source: of the neurons' random numbers.

        Raises ValueError for an input of another shape or precision than the state. Values that are not
        finite are found at the end of the window (`read`, `latch`).
        """
        require_input(x, state.basal)
        basal = x if self.basal_decay == 0 else torch.lerp(x, state.basal, self.basal_decay)
        a = self.basal.drive(basal, self.weight, self.bias)
        passed = self.basal.winners(a, state.sums.drive)
        apical = self.predict(state.memory.context) if self.memory.moving else state.apical
        kappa = self.gain.kappa(state.size)
        shape = (len(x), len(self.detector.signs), self.copies, *self.unit_shape)
        inputs = self.drives(
            self.port.soma(passed)[:, None, None].expand(shape),
            self.port.apical(
                self.signs * self.basal.at_units(apical)[:, None, None],
                kappa.view(-1, 1, 1, *self.everywhere, 1),
            ).expand(shape),
        )
        draws = self.neuron.draw(source, inputs.soma.shape, a.dtype, a.device)
        outputs, neuron = self.neuron.step(inputs, state.neuron, draws)
        z = self.port.activity(outputs.event.mean((1, 2)))
        counted = (state.elapsed >= self.settle).to(a.dtype)
        currents, detector = self.counter.step(
            outputs, state.detector, self.detector.weight(kappa) * counted
        )
        past, share = state.sums, state.share
        if self.decay < 1:
            past, share = WindowSums(*(self.decay * each for each in past)), self.decay * share
        if self.by_bursts:
            share = share + counted * self.detector.share(outputs, kappa)
        return Step(z, inputs, outputs), state._replace(
            neuron=neuron,
            basal=basal,
            sums=WindowSums(
                *(
                    torch.addcmul(total, now, counted)
                    for total, now in zip(past, (x, z, a), strict=True)
                )
            ),
            detector=detector,
            nucleus=self.nucleus.step(currents, state.nucleus),
            memory=self.memory.step(self.basal.seen(z), state.memory),
            apical=apical,
            elapsed=state.elapsed + 1,
            share=share,
        )

    @torch.no_grad()
    def read(self, state: StreamAreaState, y: Float[Tensor, "sample"]) -> Reading:
        """Nucleus, gamma and weight changes at the end of a window; the state stays as it is.

        Args:
            state: after `steps` steps.
            y: +1 where the window followed a fixation, -1 where it followed a saccade.

        Raises ValueError in mid-window, for a y that is neither, and for input that was not finite.
        """
        traces = self._traces(state)
        self._held = state, traces  # `latch` wants them, too
        gamma = self.nucleus.read(state.nucleus, y).gamma
        return Reading(gamma, state.detector.u, traces, self.learned(gamma, traces))

    def learned(self, gamma: Float[Tensor, "sample"], held: WindowTraces) -> WindowUpdate:
        """Eqs. 6-8 with what the synapses held."""
        return window_update(gamma, held, self.W_pred, self.W_retro, self.retro, self.basal.change)

    def _traces(self, state: StreamAreaState) -> WindowTraces:
        if int(state.elapsed) != self.steps:
            raise ValueError(
                f"A window has {self.steps} steps, but {int(state.elapsed)} have passed since the last one."
            )
        if not bool(torch.isfinite(state.sums.x).all()):
            raise ValueError("The input of this window was not finite (NaN or inf) in some step.")
        require_finite_prediction(state.apical)
        steps = effective_steps(self.decay, self.detector.steps)
        x, z, drive = (each / steps for each in state.sums)
        d = post_factor(self.basal.winners(drive, drive), z, self.post_factor)
        d = self.basal.at_winners(d, drive)
        c = self.memory.average(state.memory, self.steps)
        A = self.basal.at_synapses(self.predict(c) if self.memory.moving else state.apical)
        if self.by_bursts:
            A = self.basal.at_winners(apical_input_from_bursts(state.share / steps, z), drive)
        return WindowTraces(x, self.basal.seen(z), d, A, c, state.x_prev, state.d_prev)

    def told(self, state: StreamAreaState) -> Float[Tensor, "sample *unit"]:
        """Mean activity of a window without decaying traces, as the area above is told."""
        return state.sums.z / self.detector.steps

    def seen(self, state: StreamAreaState) -> Float[Tensor, "sample compared"]:
        """Mean activity of the window as the score takes it."""
        return self.basal.seen(state.sums.z / effective_steps(self.decay, self.detector.steps))

    @torch.no_grad()
    def latch(
        self, state: StreamAreaState, context: Float[Tensor, "sample context"] | None = None
    ) -> StreamAreaState:
        """Begin the next window: the activity of the last one becomes the context.

        Args:
            state: at the end of the window.
            context: activity of the area that predicts; None where this one predicts itself.

        Raises ValueError in mid-window, for input that was not finite, and for a context of another size.
        """
        size = self.W_pred.shape[-1]
        if context is None and self.context is not None:
            raise ValueError(
                "Another area predicts what this one does: latch the stack, or pass its activity."
            )
        if context is not None and context.shape[1] != size:
            raise ValueError(f"The context has {size} values, not {context.shape[1]}.")
        return self._begin(state, context, self.predict)

    def _begin(
        self, state: StreamAreaState, context: Tensor | None, predict: Callable[[Tensor], Tensor]
    ) -> StreamAreaState:
        """The next window, predicted from `context` (None: the activity of the last one)."""
        held = None if self._held is None or self._held[0] is not state else self._held[1]
        x, z, d, *_ = held or self._traces(state)
        self._held = None
        memory = self.memory.close(z if context is None else context, state.memory)
        apical = predict(memory.context)
        return state._replace(
            sums=WindowSums(*(torch.zeros_like(each) for each in state.sums)),
            detector=self.counter.reset(state.detector),
            nucleus=self.nucleus.initial_state(z),
            memory=memory,
            apical=apical,
            x_prev=x,
            d_prev=d,
            size=self.gain.follow(state.size, apical),
            elapsed=torch.zeros_like(state.elapsed),
            share=torch.zeros_like(state.share),
        )

    def changes(self, update: WindowUpdate) -> Iterator[tuple[nn.Parameter, Tensor]]:
        """Each parameter with its change."""
        yield self.weight, update.weight
        yield self.bias, update.bias
        yield self.W_pred, update.W_pred
        if self.W_retro is not None and update.W_retro is not None:
            yield self.W_retro, update.W_retro
