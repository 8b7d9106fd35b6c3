"""Convolutions whose neurons compete before they fire, on torch or on the native kernels.

    z = pool(rho(u - mean of u over the neurons at this place)^p)

The native kernels compute in float32 on the CPU, with channels last, and record no graph.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from clapp_snn import native
from clapp_snn.functional.engine import Engine

Map = Float[Tensor, "image channel row col"]


def sum_inputs(
    seen: Map,
    weight: Float[Tensor, "post pre 3 3"],
    bias: Float[Tensor, "post"],
    *,
    engine: Engine = "torch",
) -> Map:
    """W x + b at every place (3 x 3, stride 1, zero padding 1)."""
    if engine == "native":
        return by_channel(native.conv_linear(by_place(seen), weight, bias))
    return F.conv2d(seen, weight, bias, padding=1)


def fire(
    u: Map, power: float | None, pool: bool, *, engine: Engine = "torch"
) -> Float[Tensor, "image row col channel"]:
    """Output for a summed input; without a power it is rectified without competition."""
    if engine == "native":
        exponent = 1.0 if power is None else power
        return native.compete(by_place(u), exponent, triangle=power is not None, pool=pool)
    z = F.relu(u if power is None else u - u.mean(1, keepdim=True))
    if power not in (None, 1.0):
        z = z.pow(power)
    return (F.max_pool2d(z, 2) if pool else z).permute(0, 2, 3, 1)


def correlate(
    seen: Map, signal: Map, *, engine: Engine = "torch"
) -> tuple[Float[Tensor, "post pre 3 3"], Float[Tensor, "post"]]:
    """Sums over images and places of signal_j x_i, for all weights of a convolution, and of signal_j."""
    if engine == "native":
        return native.conv_correlate(by_place(seen), by_place(signal))
    shape = (signal.shape[1], seen.shape[1], 3, 3)
    return conv2d_weight(seen, shape, signal, padding=1), signal.sum((0, 2, 3))


def by_place(maps: Map) -> Float[Tensor, "image row col channel"]:
    """The same numbers with channels last in memory, as the native kernels take them."""
    return maps.permute(0, 2, 3, 1).contiguous()


def by_channel(maps: Float[Tensor, "image row col channel"]) -> Map:
    """A view with the channels first."""
    return maps.permute(0, 3, 1, 2)
