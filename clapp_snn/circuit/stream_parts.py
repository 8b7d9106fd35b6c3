"""What an area on a stream is made of: weights, neurons, detector, nucleus and memory, and its state at rest.

What it does with them in time is `clapp_snn.circuit.stream_area.StreamArea`, the only user.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from clapp_snn.circuit.apical_memory import ApicalMemory, Latch
from clapp_snn.circuit.basal import Basal, Dense
from clapp_snn.circuit.coincidence import CoincidenceDetector, Counter
from clapp_snn.circuit.connections import LateralConnections
from clapp_snn.circuit.gain import Gain
from clapp_snn.circuit.ports import Port, port_of
from clapp_snn.circuit.stream_checks import (
    require_known,
    require_memory,
    require_port,
    require_sizes,
    require_target_side,
    whole_steps,
)
from clapp_snn.circuit.stream_state import StreamAreaState, WindowSums
from clapp_snn.circuit.surprise import SurpriseNucleus
from clapp_snn.functional.eligibility import decay_of
from clapp_snn.functional.objective import Retro
from clapp_snn.functional.window_plasticity import Post
from clapp_snn.neurons.interface import Neuron


class StreamParts(LateralConnections):
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
        context: values of another area's activity that predict (`circuit.stream_context`); None: its own.

    Weights are NaN until `reset_parameters` draws them, or they are loaded or written.

    Raises ValueError for sizes or copies that are not positive and whole, times that are negative or no whole
    number of steps, unknown names, a port or memory made for another neuron or time step, `single`
    without an opponent read-out, and where another area predicts, or a map is compared window by window, for
    other than retro="zero" and (another area) a latch.
    """

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
        context: int | None = None,
    ) -> None:
        require_sizes(pre, post)
        require_known(retro, post_factor)
        basal = basal or Dense()
        compared = basal.compared(post)
        super().__init__(compared, context or compared, retro == "free")
        self.basal = basal
        self.context = context
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
        if context is not None or compared != post:
            require_target_side(retro)
        if context is not None and self.memory.moving:
            raise ValueError("The activity of another area is latched; this memory traces its own.")
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
            copies * self.basal.averaged,
            self.port.p0,
            tau_nucleus,
            self.basal.positions // self.basal.averaged,
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
        predicted, predicting = self.W_pred.shape[-2:]
        zhat, c = x.new_zeros(samples, predicted), x.new_zeros(samples, predicting)
        # Every field has memory of its own, as files of tensors require.
        shape = (samples, len(self.detector.signs), self.copies, *self.unit_shape)
        return StreamAreaState(
            self.neuron.initial_state(shape, dtype=z.dtype, device=z.device),
            x,
            WindowSums(x.clone(), z.clone(), drive),
            self.counter.initial_state(c),
            self.nucleus.initial_state(c),
            self.memory.initial_state(c),
            zhat,
            x.clone(),
            drive.clone(),
            self.gain.initial_size(c),
            torch.zeros((), dtype=torch.int64, device=z.device),
            z,
        )
