"""Convolutional basal synapses whose changes are computed by the compiled engine."""

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.basal import Conv
from clapp_snn.native import conv_update


class FastConv(Conv):
    """`Conv`, with changes by Winograd's scheme: about four times faster, float32 on the CPU.

    Where rho'(a) is 0 or 1 ("drive", "event"), the signal of a channel has one value wherever it is not 0,
    which is what the engine takes; samples without gamma cost nothing. Any other signal, and that of pooled
    maps, is left to `Conv`.
    """

    def change(
        self, signal: Float[Tensor, "sample row col post"], x: Float[Tensor, "sample row col pre"]
    ) -> tuple[Float[Tensor, "post pre 3 3"], Float[Tensor, "post"]]:
        """As `Conv.change`; raises ValueError for other than float32 on the CPU, NativeUnavailable."""
        if self.pool:
            return super().change(signal, x)
        places = signal.flatten(1, 2)
        high, low = places.amax(1), places.amin(1)
        value = torch.where(high > 0, high, low)
        felt = places != 0
        if not torch.equal(places, value[:, None] * felt):
            return super().change(signal, x)
        return conv_update(x.contiguous(), felt.view(signal.shape).to(torch.uint8), value)
