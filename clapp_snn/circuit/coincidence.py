"""Coincidence detector: bursts of the ON and the OFF population become the score u.

A burst says that an event met an apical input. Neurons come in pathways: the ON population sees +zhat on its
dendrites, the OFF population -zhat, and both the same basal input. Two interneurons sum the bursts of each,
and with the weight per burst J = 1 / (sides rho kappa T_eff M) the difference

    u_hat = J sum over the window (bursts ON - bursts OFF)

estimates u = sum_i z_i zhat_i in units of the hinge margin. Events come at rate rho z, a window counts T, a
unit has M copies in each pathway, and kappa is the slope of burst probability on zhat:

    "half_wave"  p = clip(kappa [+-zhat]_+, 0, 1)     sides 1: E[u_hat] = u while kappa |zhat| <= 1, which
                                                      the running kappa of an area only nearly keeps (`gain`)
    "opponent"   p = sigmoid(logit p0 +- s zhat)      sides 2, kappa = s p0 (1 - p0): even orders cancel
    "single"     one population, bursts - p0 events   sides 1, the same p: an ablation, biased upward by
                                                      (1 - 2 p0) s / 2 sum_i z_i zhat_i^2 to leading order

A summing interneuron that leaks with time constant tau has T_eff = dt (1 - l^n) / (1 - l) with
l = exp(-dt / tau) instead of T = n dt. The rate neuron is "single" with p0 = 0, rho dt = 1 and kappa = 1: its
"bursts" z zhat sum to u exactly.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.functional.eligibility import effective_steps
from clapp_snn.neurons.interface import Outputs
from clapp_snn.neurons.parameters import MS_PER_S

Readout = Literal["half_wave", "opponent", "single"]


class Currents(NamedTuple):
    """What the ON and the OFF interneuron send in one step, in units of the margin."""

    on: Float[Tensor, "sample"]
    off: Float[Tensor, "sample"]


class DetectorState(NamedTuple):
    """Membrane of the summing interneuron: the score collected so far in this window."""

    u: Float[Tensor, "sample"]


class Moments(NamedTuple):
    """Expectation and variance of u_hat."""

    mean: Float[Tensor, "*sample"]
    variance: Float[Tensor, "*sample"]


class Counter(Protocol):
    """Whoever turns the output of neurons into ON and OFF currents; its state has a field `u`."""

    def initial_state(self, like: Float[Tensor, "sample ..."]) -> Any:
        """At rest."""
        ...

    def reset(self, state: Any) -> Any:
        """A new window begins."""
        ...

    def step(
        self, outputs: Outputs, state: Any, weight: Float[Tensor, "sample"]
    ) -> tuple[Currents, Any]:
        """One time step with `weight` per burst."""
        ...


@dataclass(frozen=True)
class CoincidenceDetector:
    """Counts bursts and weighs them.

    Attributes:
        readout: see above.
        rho: event rate per unit of activity, Hz.
        window: T, ms.
        dt: ms.
        copies: M, neurons per unit in each pathway.
        p0: burst probability without apical input; subtracted by "single", not used by "half_wave".
        tau: of the summing interneuron, ms; infinite for counting.
        windows: of a map that are compared each by itself; their scores add up.

    Raises ValueError for values that are not positive and finite (tau may be infinite), copies or a window in
    steps that are not whole, an unknown read-out, or p0 outside [0, 1), and for "opponent" p0 = 0.
    """

    readout: Readout = "half_wave"
    rho: float = 20.0
    window: float = 200.0
    dt: float = 1.0
    copies: int = 1
    p0: float = 0.0
    tau: float = math.inf
    windows: int = 1

    def __post_init__(self) -> None:
        if self.readout not in ("half_wave", "opponent", "single"):
            raise ValueError(
                f"The read-out is half_wave, opponent or single, not {self.readout!r}."
            )
        for name in ("rho", "window", "dt", "copies", "tau"):
            value = getattr(self, name)
            if not (value > 0 and (math.isfinite(value) or name == "tau")):
                raise ValueError(f"{name} of a detector must be positive and finite, not {value}.")
        for name in ("copies", "windows"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} of a detector must be a whole number, not {value}.")
        if self.steps < 1 or not math.isclose(self.steps * self.dt, self.window, rel_tol=1e-6):
            raise ValueError(
                f"The window of {self.window:g} ms must be a whole number of steps of {self.dt:g} ms."
            )
        if not 0 <= self.p0 < 1 or (self.readout == "opponent" and self.p0 == 0):
            raise ValueError(f"p0 = {self.p0:g} is no baseline for the {self.readout} read-out.")

    @property
    def steps(self) -> int:
        """Steps of a window."""
        return round(self.window / self.dt)

    @property
    def signs(self) -> tuple[int, ...]:
        """Sign of zhat on the dendrites of each pathway."""
        return (1,) if self.readout == "single" else (1, -1)

    @property
    def sides(self) -> int:
        """How often each unit of activity is counted: by both populations in the opponent read-out."""
        return 2 if self.readout == "opponent" else 1

    @property
    def leak(self) -> float:
        """Share of the membrane that is left after one step."""
        return math.exp(-self.dt / self.tau)

    def _sum_of_leaks(self, power: int) -> float:
        return effective_steps(self.leak**power, self.steps)

    def weight(self, kappa: Float[Tensor, "*sample"]) -> Float[Tensor, "*sample"]:
        """J, the contribution of one burst to the score; J kappa does not depend on kappa."""
        events = self.sides * self.copies * self._sum_of_leaks(1) * self.rho * self.dt / MS_PER_S
        return 1 / (events * kappa)

    def initial_state(self, like: Float[Tensor, "sample ..."]) -> DetectorState:
        """Nothing collected, one membrane for each sample of `like`."""
        return DetectorState(like.new_zeros(like.shape[0]))

    def reset(self, state: DetectorState) -> DetectorState:
        """A new window begins."""
        return self.initial_state(state.u)

    def step(
        self, outputs: Outputs, state: DetectorState, weight: Float[Tensor, "sample"]
    ) -> tuple[Currents, DetectorState]:
        """Sum the bursts of one step.

        Args:
            outputs: of the neurons, shape (sample, pathway, copy, *units); copies times positions must be the
                `copies` of the detector, times its `windows`.
            state: membrane.
            weight: J of each sample (`weight`).

        Raises ValueError for other pathways, copies or samples than the detector reads.
        """
        shape = tuple(outputs.burst.shape)
        paths = len(self.signs)
        copies = self.copies * self.windows
        if len(shape) < 4 or shape[1] != paths or math.prod(shape[2:-1]) != copies:
            raise ValueError(
                f"The {self.readout} read-out of {copies} copies needs outputs of shape (samples, "
                f"{paths} pathways, {copies} copies, units), not {shape}."
            )
        if state.u.shape != shape[:1] or weight.shape != shape[:1]:
            raise ValueError(
                f"{shape[0]} samples need as many membranes and weights, not {tuple(state.u.shape)} and "
                f"{tuple(weight.shape)}."
            )
        return self.collect(outputs, state, weight)

    def collect(
        self, outputs: Outputs, state: DetectorState, weight: Float[Tensor, "sample"]
    ) -> tuple[Currents, DetectorState]:
        """As `step`, for counts that were summed over copies before; shapes are not checked."""
        bursts = outputs.burst.flatten(2).sum(2)
        if self.readout == "single":
            on, off = bursts[:, 0], self.p0 * outputs.event.flatten(1).sum(1)
        else:
            on, off = bursts[:, 0], bursts[:, 1]
        currents = Currents(weight * on, weight * off)
        return currents, DetectorState(self.leak * state.u + (currents.on - currents.off))

    def share(
        self, outputs: Outputs, kappa: Float[Tensor, "sample"]
    ) -> Float[Tensor, "sample *unit"]:
        """What each unit itself knows of the score in one step: on average z zhat, whatever the read-out.

        Args:
            outputs: of the neurons, shape (sample, pathway, copy, *unit).
            kappa: slope of burst probability.
        """
        bursts = outputs.burst.mean(2)
        single = self.readout == "single"
        off = self.p0 * outputs.event[:, 0].mean(1) if single else bursts[:, 1]
        events = self.sides * self.rho * self.dt / MS_PER_S
        return (bursts[:, 0] - off) / (events * kappa.view(-1, *(1 for _ in off.shape[1:])))

    def burst_probability(
        self, zhat: Float[Tensor, "*sample unit"], kappa: Float[Tensor, "*sample"]
    ) -> Float[Tensor, "pathway *sample unit"]:
        """Probability that an event is a burst, for each pathway."""
        slope = kappa[..., None]
        x = torch.stack([sign * slope * zhat for sign in self.signs])
        if self.readout == "half_wave":
            return x.clamp(0, 1)
        if self.p0 == 0:
            return x
        return torch.sigmoid(math.log(self.p0 / (1 - self.p0)) + x / (self.p0 * (1 - self.p0)))

    def moments(
        self,
        z: Float[Tensor, "*sample unit"],
        zhat: Float[Tensor, "*sample unit"],
        kappa: Float[Tensor, "*sample"],
        fano: Float[Tensor, "*sample unit"] | float = 1.0,
    ) -> Moments:
        """Expectation and variance of u_hat for constant drives, in closed form.

        With N events expected from a unit and pathway in the window, b = p0 for "single" and else 0,

            E = J sum +- N (p - b),      Var = J^2 sum N (p (1 - p) + F (p - b)^2).

        Args:
            z: activity.
            zhat: prediction.
            kappa: slope of burst probability.
            fano: Fano factor F of event counts, 1 for Poisson events, 1 - rho z dt for Bernoulli events
                (`event_burst.fano_factor`). With a leak the variance is exact for events without memory.
        """
        p = self.burst_probability(zhat, kappa)
        excess = p - (self.p0 if self.readout == "single" else 0.0)
        rate = z * self.copies * self.rho * self.dt / MS_PER_S
        sign = torch.tensor(self.signs, dtype=z.dtype, device=z.device)
        sign = sign.view(-1, *(1 for _ in p.shape[1:]))
        J = self.weight(kappa)
        mean = (sign * rate * excess).sum((0, -1)) * J * self._sum_of_leaks(1)
        each = rate * (p * (1 - p) + fano * excess.square())
        return Moments(mean, each.sum((0, -1)) * J.square() * self._sum_of_leaks(2))
