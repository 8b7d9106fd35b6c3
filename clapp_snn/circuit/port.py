"""What an area must know of its neuron: a port turns the units of the paper into drives."""

import math
from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.circuit.coincidence import Readout
from clapp_snn.circuit.gain import Gain
from clapp_snn.neurons.parameters import MS_PER_S, NeuronParameters


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
