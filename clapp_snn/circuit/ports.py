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
| L0 LIF            | closed form of the period       | (1 - alpha) theta_d zhat / theta  | half_wave |

L2: a dendrite with the static resistance R = 0.0268 GOhm needs I(p0) = 190 pA to burst at p0 = 0.2113
without a prediction, and s zhat = 1 is 224 pA more. L1: burst probabilities follow
sigmoid((I - 403 pA) / 136 pA) when its background is on (measured with the published parameters; events
depend on the dendrite, too). L0 bursts whenever zhat exceeds theta: its read-out is a staircase of three
steps, not linear in zhat; theta lies where the correlation with a Gaussian zhat is largest (0.61 rms, 0.90).
"""

import math
from abc import ABC, abstractmethod
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.circuit.coincidence import Readout
from clapp_snn.circuit.gain import Gain
from clapp_snn.circuit.soma_calibration import (
    NAUD_SPREKELER,
    STRICT_BURST,
    SomaCalibration,
    interpolate,
)
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Neuron
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, NaudSprekelerParameters
from clapp_snn.neurons.parameters import MS_PER_S, NeuronParameters
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst, StrictBurstParameters, apical_current
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF

P0 = 0.2113
"""Burst probability without prediction: (1 - 1 / sqrt 3) / 2, no cubic error of the opponent read-out."""

RHO_BIOPHYSICAL = 5.0
"""Events per unit of activity, Hz, for L1 and L2: activities of 0 to 3 fill their range of 0 to 15 Hz."""

NS_HALF, NS_WIDTH = 403.0, 136.0
"""Apical current of burst probability 1/2 and its width, pA, for the published set with background."""


class Port(nn.Module, ABC):
    """What an area must know of its neuron.

    Attributes:
        readout: of the coincidence detector that fits.
        rho: event rate per unit of activity, Hz.
        p0: burst probability without prediction; 0 for the rate neuron and half-wave read-outs.
        dt: ms.
        settle: how long an area lets its neurons settle at the start of a window by default, ms.
        params: of the neuron that the port was made for; None if it fits any.
    """

    readout: Readout
    p0: float
    settle: float = 0.0

    def __init__(self, rho: float, dt: float, params: NeuronParameters | None = None) -> None:
        super().__init__()
        if not (rho > 0 and math.isfinite(rho)):
            raise ValueError(f"rho must be a positive event rate in Hz, not {rho}.")
        self.rho, self.dt, self.params = rho, dt, params

    @abstractmethod
    def soma(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Somatic drive of neurons whose summed basal input is `a`."""

    @abstractmethod
    def apical(
        self, zhat: Float[Tensor, "*shape"], kappa: Float[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape"]:
        """Apical drive for the prediction `zhat`, signed by the caller, at dendritic gain `kappa`."""

    @abstractmethod
    def gain(self) -> Gain:
        """How kappa should follow the predictions."""

    def activity(self, event: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """What one step says about z: events in units of the expected number at z = 1."""
        return event / (self.rho * self.dt / MS_PER_S)


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


class CurrentPort(Port):
    """Neurons driven by currents: a measured f-I curve below, an offset and a slope above.

    They need time to forget the window before, and neurons that start from rest fire together: without
    `settle` the score of L2 is 20 % too large in a first window (300 ms, 3000 samples, standard error
    0.7 %), with the default 50 ms 12 %, with 100 ms 2 %, with 200 ms by nothing that could be measured. Where
    a window repeats the drive of the one before, it is right within 2 % whatever `settle` is.

    Args:
        calibration: event rate against somatic current.
        offset: apical current at which events burst with probability p0, pA.
        width: apical current that changes the log odds of a burst by 1, pA.
        rho: Hz per unit of activity.
        p0: burst probability without prediction.
        dt: ms.
        params: of the neuron; None fits any.

    Raises ValueError for p0 outside (0, 1), a width that is not positive, or an f-I curve that was measured
    with another time step.
    """

    readout: Readout = "opponent"
    settle = 50.0
    rates: Tensor
    currents: Tensor

    def __init__(
        self,
        calibration: SomaCalibration,
        offset: float,
        width: float,
        rho: float,
        p0: float,
        dt: float,
        params: NeuronParameters | None = None,
    ) -> None:
        super().__init__(rho, dt, params)
        if not (width > 0 and math.isfinite(width) and math.isfinite(offset)):
            raise ValueError(
                f"A port needs a finite offset and a positive width in pA, not {offset} and {width}."
            )
        if calibration.dt != dt:
            raise ValueError(
                f"The f-I curve was measured in steps of {calibration.dt:g} ms, but the neuron has steps "
                f"of {dt:g} ms; pass calibration=measure_event_rates(neuron, currents)."
            )
        self.offset, self.width, self.p0 = offset, width, _baseline(p0)
        for name, values in (("rates", calibration.rate), ("currents", calibration.current)):
            column = torch.tensor(values, dtype=torch.get_default_dtype())
            self.register_buffer(name, column, persistent=False)

    def soma(self, a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Current in pA at which the event rate is rho [a]_+, within the measured range."""
        return interpolate(self.rho * torch.relu(a), self.rates, self.currents)

    def apical(
        self, zhat: Float[Tensor, "*shape"], kappa: Float[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape"]:
        """Current in pA: the offset, and a part proportional to zhat."""
        return self.offset + self.width / (self.p0 * (1 - self.p0)) * kappa * zhat

    def gain(self) -> Gain:
        """s = 1 / rms."""
        return Gain("rms", self.p0 * (1 - self.p0))


class StrictBurstPort(CurrentPort):
    """L2.

    Args:
        neuron: to be driven.
        rho: Hz per unit of activity.
        p0: burst probability without prediction.
        calibration: needed for other than the default parameters (`measure_event_rates`).

    Raises ValueError where a calibration is missing, and as `CurrentPort` does.
    """

    def __init__(
        self,
        neuron: StrictBurst,
        rho: float = RHO_BIOPHYSICAL,
        p0: float = P0,
        calibration: SomaCalibration | None = None,
    ) -> None:
        params = neuron.params
        table = _table(calibration, params == StrictBurstParameters(), STRICT_BURST)
        offset = float(apical_current(torch.tensor(_baseline(p0), dtype=torch.float64), params))
        width = params.d_burst / params.apical_input_resistance
        super().__init__(table, offset, width, rho, p0, neuron.dt, params)


class NaudSprekelerPort(CurrentPort):
    """L1, with its published parameters; a rough approximation, because its dendrite also moves its events.

    From 200 to 400 pA into the dendrite the event rate rises by 58 % at 100 pA into the soma (2.1 to 3.4 Hz)
    and falls by 29 % at 500 pA (12.9 to 9.1 Hz); the f-I curve here holds at 224 pA. E[u_hat] is therefore
    off by tens of per cent (an area with u = -3.03 scored -4.85).

    Args, errors: as for L2; another parameter set needs its own `half` and `width` in pA as well.
    """

    def __init__(
        self,
        neuron: NaudSprekeler,
        rho: float = RHO_BIOPHYSICAL,
        p0: float = P0,
        calibration: SomaCalibration | None = None,
        half: float = NS_HALF,
        width: float = NS_WIDTH,
    ) -> None:
        published = neuron.params == NaudSprekelerParameters()
        table = _table(calibration, published, NAUD_SPREKELER)
        offset = half + width * math.log(_baseline(p0) / (1 - p0))
        super().__init__(table, offset, width, rho, p0, neuron.dt, neuron.params)


class LIFPort(Port):
    """L0: an event every 1 / (rho [a]_+), rounded to whole steps; a burst iff kappa zhat > 0.405.

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
        reaches = threshold * (1 - beta) / (1 - beta**period)
        return torch.where(rate > 0, reaches, torch.zeros_like(reaches))

    def apical(
        self, zhat: Float[Tensor, "*shape"], kappa: Float[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape"]:
        """Increment a step whose steady state is the apical threshold at zhat = 0.612 rms."""
        scale = (1 - self.constants.alpha) * self.constants.apical_threshold
        return scale / (self.THRESHOLD * self.SLOPE) * kappa * zhat

    def gain(self) -> Gain:
        """kappa = 0.66 / rms."""
        return Gain("rms", self.SLOPE)


def _baseline(p0: float) -> float:
    if not 0 < p0 < 1:
        raise ValueError(f"p0 must lie between 0 and 1, not {p0}.")
    return p0


def _table(
    calibration: SomaCalibration | None, published: bool, default: SomaCalibration
) -> SomaCalibration:
    if calibration is None and not published:
        raise ValueError(
            "These parameters are not the published ones, for which an f-I curve is known; pass "
            "calibration=measure_event_rates(neuron, currents)."
        )
    return calibration or default


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
    raise ValueError(
        f"No port is known for {type(neuron).__name__}; pass one (a subclass of circuit.ports.Port)."
    )
