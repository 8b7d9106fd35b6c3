"""How the summed input a and the prediction zhat of an area become what a neuron takes at its two ports.

An area computes a = W x + b and zhat = W_pred c once, in the units of the paper. Its port turns them into
drives of whichever neuron it was given, so that in every code and every model

    event rate            rho [a]_+                  (z = [a]_+, events / (rho dt) averages to z)
    burst probability     rises with +-zhat, slope kappa at 0 (+ in the ON population, - in the OFF one)

| neuron            | soma port                       | apical port                       | read-out  |
|-------------------|---------------------------------|-----------------------------------|-----------|
| rate              | a                               | zhat                              | exact     |
| L3 half-wave      | a                               | kappa zhat                        | half_wave |
| L3 opponent       | a                               | s zhat, s = kappa / (p0 (1 - p0)) | opponent  |
| L2 strict burst   | measured f-I curve at rho [a]_+ | I(p0) + s zhat D_b / R, in pA     | opponent  |
| L1 Naud-Sprekeler | measured f-I curve at rho [a]_+ | I(p0) + s zhat 136 pA             | opponent  |
| L0 LIF            | closed form of the period (*)   | (1 - alpha) theta_d zhat / theta  | half_wave |
| L0 LIF, linear    | rho dt a, and what leaks        | the same                          | half_wave |

(*) Silent below an activity of 0.23 at 20 Hz (`LIFPort.least_activity`).

L2: a dendrite with the static resistance R = 0.0268 GOhm needs I(p0) = 190 pA to burst at p0 = 0.2113
without a prediction, and s zhat = 1 is 224 pA more. L1: burst probabilities follow
sigmoid((I - 403 pA) / 136 pA) when its background is on (measured with the published parameters; events
depend on the dendrite, too). L0 bursts whenever zhat exceeds theta: its read-out is a staircase of three
steps, not linear in zhat; theta lies where the correlation with a Gaussian zhat is largest (0.61 rms, 0.90).
"""

import math
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.coincidence import Readout
from clapp_snn.circuit.current_ports import P0, CurrentPort, NaudSprekelerPort, StrictBurstPort
from clapp_snn.circuit.gain import Gain
from clapp_snn.circuit.port import Port
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.parameters import MS_PER_S
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF

__all__ = [
    "P0",
    "CurrentPort",
    "EventBurstPort",
    "LIFPort",
    "LinearLIFPort",
    "NaudSprekelerPort",
    "Port",
    "RatePort",
    "StrictBurstPort",
    "port_of",
]


class RatePort(Port):
    """Rate neuron: both ports take what the paper writes; one step is one unit of time."""

    readout: Readout = "single"
    p0 = 0.0

    def __init__(self, neuron: Rate) -> None:
        super().__init__(MS_PER_S / neuron.dt, neuron.dt, neuron.params)

    def soma(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """a."""
        return a

    def apical(
        self, zhat: Float[Tensor, "*shape"], kappa: Float[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape"]:
        """zhat."""
        return zhat

    def gain(self) -> Gain:
        """kappa = 1."""
        return Gain()

    def activity(self, event: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The "event" of a rate neuron is z."""
        return event


class EventBurstPort(Port):
    """L3: dimensionless drives; a background rate r_bg adds (r_bg / rho) sum zhat to the score."""

    def __init__(self, neuron: EventBurst) -> None:
        params = cast(EventBurstParameters, neuron.params)
        super().__init__(params.rho, neuron.dt, params)
        self.opponent = params.readout == "opponent"
        self.readout = "opponent" if self.opponent else "half_wave"
        self.p0 = params.p0 if self.opponent else 0.0
        self.slope = params.p0 * (1 - params.p0) if self.opponent else 1.0

    def soma(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """a; the unit rectifies."""
        return a

    def apical(
        self, zhat: Float[Tensor, "*shape"], kappa: Float[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape"]:
        """kappa zhat, or s zhat."""
        return kappa / self.slope * zhat

    def gain(self) -> Gain:
        """kappa = 1 / q99 |zhat| (half-wave), s = 1 / rms (opponent)."""
        return Gain("rms", self.slope) if self.opponent else Gain("q99")


class LIFPort(Port):
    """L0: an event every 1 / (rho [a]_+), rounded to whole steps; a burst iff kappa zhat > 0.405.

    The longer the period, the less the drive exceeds the threshold, until the membrane stalls below it: a
    unit whose activity is below `least_activity` fires nothing (0.23 with the default neuron, float32 and
    rho = 20 Hz; 0.67 with a somatic time constant of 5 ms). `LinearLIFPort` has no such floor.

    With zhat Gaussian of standard deviation rms, ON minus OFF bursts are regressed on zhat with slope
    2 phi(theta / rms) / rms, which is what `Gain` sets kappa to; theta = 0.612 rms.
    """

    readout: Readout = "half_wave"
    p0 = 0.0
    THRESHOLD = 0.6120
    SLOPE = 2 * math.exp(-(THRESHOLD**2) / 2) / math.sqrt(2 * math.pi)

    def __init__(self, neuron: TwoCompartmentLIF, rho: float = 20.0) -> None:
        super().__init__(rho, neuron.dt, neuron.params)
        self.constants = neuron.constants

    def soma(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Increment a step that reaches threshold after 1 / (rho [a]_+ dt) steps, to the nearest step."""
        rate = torch.relu(a) * (self.rho * self.dt / MS_PER_S)
        beta, threshold = self.constants.beta, self.constants.threshold
        # The threshold is crossed at the end of a step: half a step less turns rounding up into rounding.
        period = 1 / rate.clamp(max=1) - 0.5
        # Where that is more than `longest_period`, rounding lets no drive reach the threshold so late.
        reaches = threshold * (1 - beta) / (1 - torch.exp(math.log(beta) * period))
        return torch.where(rate > 0, reaches, torch.zeros_like(reaches))

    def longest_period(self, dtype: torch.dtype = torch.float32) -> float:
        """Largest interval between events, ms: later, a step adds less than rounding keeps."""
        beta = self.constants.beta
        if beta == 0:
            return self.dt
        return self.dt * math.log(torch.finfo(dtype).eps / 2 / (1 - beta)) / math.log(beta)

    def least_activity(self, dtype: torch.dtype = torch.float32) -> float:
        """Activity below which a unit is silent."""
        return MS_PER_S / (self.rho * self.longest_period(dtype))

    def apical(
        self, zhat: Float[Tensor, "*shape"], kappa: Float[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape"]:
        """Increment a step whose steady state is the apical threshold at zhat = 0.612 rms."""
        scale = (1 - self.constants.alpha) * self.constants.apical_threshold
        return scale / (self.THRESHOLD * self.SLOPE) * kappa * zhat

    def gain(self) -> Gain:
        """kappa = 0.66 / rms."""
        return Gain("rms", self.SLOPE)


class LinearLIFPort(LIFPort):
    """L0 as a chip has it: events times weights, and a constant bias, charge the membrane.

    The increment a step is theta (rho dt a + l) with l = 1 - beta. At x = events / (rho dt) this is W times
    the events of the step. The bias rho dt b + l makes up for the leak, so that a neuron fires iff a > 0.
    Positive and negative input meet on the membrane before the threshold rectifies; no synaptic filter is
    needed. Rates are approximate, and small ones too high: the period is -tau log(1 - l / (rho dt a + l))
    in whole steps, so that the default neuron at rho = 100 Hz has z = 0.43, 0.77, 1.25 and 2.0 at a = 0.2,
    0.5, 1 and 2.
    """

    @property
    def charge(self) -> tuple[float, float, float]:
        """Gain, scale and shift: the increment of a step is gain (scale a + shift)."""
        constants = self.constants
        return constants.threshold, self.rho * self.dt / MS_PER_S, 1 - constants.beta

    def least_activity(self, dtype: torch.dtype = torch.float32) -> float:
        """0: a neuron fires iff a > 0."""
        return 0.0

    def soma(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Increment a step: linear in a, and not rectified."""
        gain, scale, shift = self.charge
        return gain * (scale * a + shift)


def port_of(neuron: Neuron) -> Port:
    """The port that fits a neuron, with default settings; raises ValueError for an unknown model."""
    if isinstance(neuron, Rate):
        return RatePort(neuron)
    if isinstance(neuron, EventBurst):
        return EventBurstPort(neuron)
    if isinstance(neuron, StrictBurst):
        return StrictBurstPort(neuron)
    if isinstance(neuron, NaudSprekeler):
        return NaudSprekelerPort(neuron)
    if isinstance(neuron, TwoCompartmentLIF):
        return LIFPort(neuron)
    if isinstance(neuron, type):
        raise ValueError(f"Pass a neuron, {neuron.__name__}(), not its class.")
    raise ValueError(
        f"No port is known for {type(neuron).__name__}; pass one (a subclass of circuit.ports.Port)."
    )
