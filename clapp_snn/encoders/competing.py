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
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from clapp_snn import native
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.functional.convolution import Response

Map = Float[Tensor, "image channel row col"]


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
        if self._fast:
            return by_channel(
                native.conv_linear(by_place(seen), self.gain * weight, self.gain * bias)
            )
        return self.gain * F.conv2d(seen, weight, bias, padding=1)

    def fire(self, index: int, u: Map) -> Float[Tensor, "image row col channel"]:
        """Output of layer `index` for a summed input."""
        power, pool = self.powers[index], self.layer(index).pool
        if self._fast:
            exponent = 1.0 if power is None else power
            return native.compete(by_place(u), exponent, triangle=power is not None, pool=pool)
        z = F.relu(u if power is None else u - u.mean(1, keepdim=True))
        if power not in (None, 1.0):
            z = z.pow(power)
        return (F.max_pool2d(z, 2) if pool else z).permute(0, 2, 3, 1)

    def correlate(
        self, seen: Map, signal: Map
    ) -> tuple[Float[Tensor, "post pre 3 3"], Float[Tensor, "post"]]:
        """Sums over images and places of signal_j x_i, for every weight of a layer, and of signal_j."""
        if self._fast:
            return native.conv_correlate(by_place(seen), by_place(signal))
        return correlate(seen, signal), signal.sum((0, 2, 3))

    def respond(
        self, index: int, x: Float[Tensor, "image row col channel"], *, learn: bool
    ) -> Response:
        """Response of layer `index`; there is no winner code, as plasticity is not that of `Encoder`."""
        with torch.no_grad():
            output = self.fire(index, self.drive(index, x, learn=learn)[1])
        return Response(output, None, output.mean((1, 2)))

    @property
    def _fast(self) -> bool:
        """Whether the native kernels compute; they record no graph."""
        return self.engine == "native" and not torch.is_grad_enabled()


def correlate(seen: Map, signal: Map) -> Float[Tensor, "post pre 3 3"]:
    """Sum over images and places of signal_j x_i, for every weight of a 3 x 3 convolution."""
    return conv2d_weight(seen, (signal.shape[1], seen.shape[1], 3, 3), signal, padding=1)


def by_place(maps: Map) -> Float[Tensor, "image row col channel"]:
    """The same numbers with channels last in memory, as the native kernels take them."""
    return maps.permute(0, 2, 3, 1).contiguous()


def by_channel(maps: Float[Tensor, "image row col channel"]) -> Map:
    """A view with the channels first."""
    return maps.permute(0, 3, 1, 2)
