"""Encoders whose layers normalise their input and whose neurons compete before they fire.

    u = gain (W n(x) + b)        z = pool(rho(u - mean of u over the neurons at this place)^p)

"Triangle" activation after Coates, Ng and Lee (2011), raised to a power as in SoftHebb; a layer without a
power is rectified without competition.
"""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.encoders.encoder import Encoder
from clapp_snn.functional import competition
from clapp_snn.functional.competition import Map
from clapp_snn.functional.convolution import Response
from clapp_snn.functional.engine import Engine


class CompetingEncoder(Encoder):
    """The layers of `Encoder` with another neuron, in float32 or float64 on torch, or on the native kernels.

    Attributes:
        powers: of every layer; None: rectified without competition.
        gain: of the summed input.
    """

    powers: Sequence[float | None]
    gain: float = 1.0

    @abstractmethod
    def normalise(self, index: int, x: Map, *, learn: bool) -> Map:
        """Input of layer `index` as its synapses see it."""

    def drive(
        self, index: int, x: Float[Tensor, "image row col channel"], *, learn: bool
    ) -> tuple[Map, Map]:
        """Normalised and summed input of layer `index`."""
        seen = self.normalise(index, x.permute(0, 3, 1, 2), learn=learn)
        return seen, self.sum_inputs(index, seen)

    def sum_inputs(self, index: int, seen: Map) -> Map:
        """Summed input of layer `index` for a normalised one."""
        layer = self.layer(index)
        weight, bias = layer.weight.to(seen.dtype), layer.bias.to(seen.dtype)
        return competition.sum_inputs(
            seen, self.gain * weight, self.gain * bias, engine=self.active
        )

    def fire(self, index: int, u: Map) -> Float[Tensor, "image row col channel"]:
        """Output of layer `index` for a summed input."""
        pool = self.layer(index).pool
        return competition.fire(u, self.powers[index], pool, engine=self.active)

    def correlate(
        self, seen: Map, signal: Map
    ) -> tuple[Float[Tensor, "post pre 3 3"], Float[Tensor, "post"]]:
        """Sums over images and places of signal_j x_i, for every weight of a layer, and of signal_j."""
        return competition.correlate(seen, signal, engine=self.active)

    def respond(
        self, index: int, x: Float[Tensor, "image row col channel"], *, learn: bool
    ) -> Response:
        """Response of layer `index`; there is no winner code, as plasticity is not that of `Encoder`."""
        with torch.no_grad():
            output = self.fire(index, self.drive(index, x, learn=learn)[1])
        return Response(output, None, output.mean((1, 2)))

    @property
    def active(self) -> Engine:
        """The engine that computes now: the native kernels record no graph."""
        return "torch" if torch.is_grad_enabled() else self.engine
