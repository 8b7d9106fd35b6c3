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

import math
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.circuit.apical_memory import ApicalMemory, Latch
from clapp_snn.circuit.basal import Basal, Dense
from clapp_snn.circuit.coincidence import CoincidenceDetector, Counter
from clapp_snn.circuit.connections import LateralConnections
from clapp_snn.circuit.gain import Gain
from clapp_snn.circuit.ports import Port, port_of
from clapp_snn.circuit.stream_checks import (
    require_input,
    require_known,
    require_memory,
    require_port,
    require_sizes,
    whole_steps,
)
from clapp_snn.circuit.stream_state import Reading, Step, StreamAreaState, WindowSums
from clapp_snn.circuit.surprise import SurpriseNucleus
from clapp_snn.functional.eligibility import decay_of, effective_steps
from clapp_snn.functional.objective import Retro
from clapp_snn.functional.window_plasticity import (
    Post,
    WindowTraces,
    WindowUpdate,
    apical_input_from_bursts,
    post_factor,
    window_update,
)
from clapp_snn.neurons.interface import Inputs, Neuron, Source

__all__ = ["Reading", "Step", "StreamArea", "StreamAreaState", "WindowSums"]


class StreamArea(LateralConnections):
    """Basal weights, neurons, coincidence detector, surprise nucleus, apical memory and plasticity.

    Args:
        pre: inputs; channels of them where basal synapses are a convolution.
        post: units, or channels of them.
        neuron: any model with a port (`clapp_snn.circuit.ports`).
        window: counted length of a window, ms; the rate neuron needs one step.
        settle: uncounted time before, ms; None takes the port's (50 ms for L1 and L2, 0 for the others).
        copies: neurons per unit and pathway.
        retro: "tied" (W_retro = W_pred^T), "free" or "zero".
        port: None takes the one that fits the neuron.
        gain: dendritic gain; None takes the port's.
        memory: None latches.
        tau_basal: time constant of the basal synapses, ms; 0 for none.
        tau_nucleus: of the summing interneurons and margin neurons, ms; infinite for counting.
        post_factor: how synapses know A and rho'(a) (`clapp_snn.functional.window_plasticity`).
        single: True reads one population minus its baseline (biased; ablation of the opponent read-out).
        readout: None counts bursts ideally; `SynapticReadout` reads spikes through plastic synapses.
        basal: layout of the basal synapses; None connects every input with every unit.
        tau_eligibility: time constant of what synapses hold of a window, ms; infinite for counts.

    Weights are NaN until `reset_parameters` draws them, or they are loaded or written.

    Raises ValueError for sizes or copies that are not positive and whole, times that are negative or no whole
    number of steps, unknown names, a port or memory made for another neuron or time step, and `single`
    without an opponent read-out.
    """

    drives: Callable[[Tensor, Tensor], Inputs] = Inputs

    def __init__(
        self,
        pre: int,
        post: int,
        neuron: Neuron,
        window: float = 200.0,
        settle: float | None = None,
        copies: int = 1,
        retro: Retro = "tied",
        port: Port | None = None,
        gain: Gain | None = None,
        memory: ApicalMemory | None = None,
        tau_basal: float = 0.0,
        tau_nucleus: float = math.inf,
        post_factor: Post = "drive",
        single: bool = False,
        readout: Callable[[CoincidenceDetector, tuple[int, ...]], Counter] | None = None,
        basal: Basal | None = None,
        tau_eligibility: float = math.inf,
    ) -> None:
        require_sizes(pre, post)
        require_known(retro, post_factor)
        super().__init__(post, post, retro == "free")
        self.basal = basal or Dense()
        self.input_shape = self.basal.input_shape(pre)
        self.unit_shape = self.basal.unit_shape(post)
        self.weight = nn.Parameter(torch.empty(self.basal.weight_shape(pre, post)))
        self.bias = nn.Parameter(torch.empty(post))
        self.neuron = neuron
        self.port = port or port_of(neuron)
        self.gain = gain or self.port.gain()
        self.memory = memory or Latch()
        require_port(self.port, neuron)
        require_memory(self.memory, neuron.dt)
        self.retro: Retro = retro
        self.post_factor: Post = post_factor
        self.by_bursts = post_factor in ("burst", "burst_ratio")
        if single and self.port.readout != "opponent":
            raise ValueError("A single population is an ablation of the opponent read-out.")
        if not isinstance(copies, int) or copies < 1:
            raise ValueError(f"copies must be a positive whole number, not {copies!r}.")
        self.detector = CoincidenceDetector(
            "single" if single else self.port.readout,
            self.port.rho,
            window,
            neuron.dt,
            copies * self.basal.positions,
            self.port.p0,
            tau_nucleus,
        )
        self.copies = copies
        shape = (copies, *self.unit_shape)
        self.counter: Counter = readout(self.detector, shape) if readout else self.detector
        self.nucleus = SurpriseNucleus(leak=self.detector.leak)
        if not tau_basal >= 0:
            raise ValueError(f"Times must not be negative: tau_basal {tau_basal}.")
        settle = self.port.settle if settle is None else settle
        self.settle = whole_steps("settle", settle, neuron.dt)
        self.basal_decay = math.exp(-neuron.dt / tau_basal) if tau_basal > 0 else 0.0
        self.decay = decay_of(tau_eligibility, neuron.dt)
        self.everywhere = (1,) * (len(self.unit_shape) - 1)
        signs = torch.tensor(self.detector.signs, dtype=torch.get_default_dtype())
        self.register_buffer("signs", signs.view(-1, 1, *self.everywhere, 1), persistent=False)
        self.signs: Tensor
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.fill_(torch.nan)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw basal weights from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), then the lateral matrices."""
        bound = 1 / math.sqrt(self.weight[0].numel())
        with torch.no_grad():
            self.weight.uniform_(-bound, bound, generator=generator)
            self.bias.uniform_(-bound, bound, generator=generator)
        super().reset_parameters(generator)

    @property
    def steps(self) -> int:
        """Time steps of a window, settling included."""
        return self.settle + self.detector.steps

    def initial_state(self, samples: int) -> StreamAreaState:
        """At rest, nothing remembered, in the precision and on the device of the weights.

        Raises ValueError while weights are not finite.
        """
        if not all(bool(torch.isfinite(each.detach()).all()) for each in self.parameters()):
            raise ValueError(
                "Weights of this area are not finite: call reset_parameters, or load or write all of them."
            )
        x = self.weight.new_zeros(samples, *self.input_shape)
        z = x.new_zeros(samples, *self.unit_shape)
        drive = x.new_zeros(samples, *self.basal.drive_shape(len(self.weight)))
        c = x.new_zeros(samples, len(self.weight))
        # Every field has memory of its own, as files of tensors require.
        shape = (samples, len(self.detector.signs), self.copies, *self.unit_shape)
        return StreamAreaState(
            self.neuron.initial_state(shape, dtype=z.dtype, device=z.device),
            x,
            WindowSums(x.clone(), z.clone(), drive),
            self.counter.initial_state(c),
            self.nucleus.initial_state(c),
            self.memory.initial_state(c),
            c,
            x.clone(),
            drive.clone(),
            self.gain.initial_size(c),
            torch.zeros((), dtype=torch.int64, device=z.device),
            z,
        )

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
                self.signs * apical.view(len(x), 1, 1, *self.everywhere, -1),
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
            memory=self.memory.step(self.basal.average(z), state.memory),
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
        if int(state.elapsed) != self.steps:
            raise ValueError(
                f"A window has {self.steps} steps, but {int(state.elapsed)} have passed since the last one."
            )
        traces = self._traces(state)
        gamma = self.nucleus.read(state.nucleus, y).gamma
        return Reading(gamma, state.detector.u, traces, self.learned(gamma, traces))

    def learned(self, gamma: Float[Tensor, "sample"], held: WindowTraces) -> WindowUpdate:
        """Eqs. 6-8 with what the synapses held."""
        return window_update(gamma, held, self.W_pred, self.W_retro, self.retro, self.basal.change)

    def _traces(self, state: StreamAreaState) -> WindowTraces:
        if not bool(torch.isfinite(state.sums.x).all()):
            raise ValueError("The input of this window was not finite (NaN or inf) in some step.")
        steps = effective_steps(self.decay, self.detector.steps)
        x, z, drive = (each / steps for each in state.sums)
        d = post_factor(self.basal.winners(drive, drive), z, self.post_factor)
        d = self.basal.at_winners(d, drive)
        c = self.memory.average(state.memory, self.steps)
        A = self.predict(c) if self.memory.moving else state.apical
        if self.by_bursts:
            A = self.basal.at_winners(apical_input_from_bursts(state.share / steps, z), drive)
        return WindowTraces(x, self.basal.average(z), d, A, c, state.x_prev, state.d_prev)

    @torch.no_grad()
    def latch(self, state: StreamAreaState) -> StreamAreaState:
        """Begin the next window: the activity of the last one becomes the context.

        Raises ValueError for input that was not finite.
        """
        x, z, d, *_ = self._traces(state)
        memory = self.memory.close(z, state.memory)
        apical = self.predict(memory.context)
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
