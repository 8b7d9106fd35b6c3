"""Basal projections: how presynaptic activity reaches the units of a stream area, and how its synapses learn.

A projection knows shapes and connections, the area holds the weights. Weights meet activity in `drive`; at
the end of a window `change` turns what every unit felt (gamma times apical input times rho'(a)) and what
every synapse received into the changes of the weights.

`Conv` shares its weights over the positions of a map, as the encoder in rate code does. All units of a
channel receive the same apical input W_pred c, and z and c of the score are averages over positions: they are
copies of one unit that look at different places.

Pooling is lateral inhibition. In every 2 x 2 group the unit with the largest basal drive, summed over the
window so far (before anything counts: the present drive), is the winner; it holds the three others silent.
The first of equal ones wins. Only the winners' drives are therefore passed on to neurons, one for each group.
The winner at the end of the window learns; what was counted while another one led belongs to the group. With
constant drive this is max-pooling, z = [max a]_+.
"""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from clapp_snn.functional.window_plasticity import dense_change

Shape = tuple[int, ...]


class Basal(ABC):
    """Shapes and connections; samples come first and channels last everywhere.

    Attributes:
        given: whether the drive is the input itself, currents that come from elsewhere.
    """

    given = False

    @abstractmethod
    def weight_shape(self, pre: int, post: int) -> Shape:
        """Shape of the weights between `pre` input channels and `post` channels."""

    @abstractmethod
    def input_shape(self, pre: int) -> Shape:
        """Shape of the input of one sample."""

    @abstractmethod
    def drive_shape(self, post: int) -> Shape:
        """Shape of the summed input a of one sample, before inhibition."""

    @abstractmethod
    def unit_shape(self, post: int) -> Shape:
        """Shape of the activity of one sample."""

    @property
    def positions(self) -> int:
        """Units of a channel."""
        return math.prod(self.unit_shape(1))

    @property
    def averaged(self) -> int:
        """Units of a channel that the score takes as one: their mean activity."""
        return self.positions

    def compared(self, post: int) -> int:
        """Values of z and of the prediction in the score of one sample."""
        return post * (self.positions // self.averaged)

    @abstractmethod
    def drive(
        self, x: Float[Tensor, "sample *pre"], weight: Tensor, bias: Float[Tensor, "post"]
    ) -> Float[Tensor, "sample *drive"]:
        """a = W x + b."""

    @abstractmethod
    def change(
        self, signal: Float[Tensor, "sample *drive"], x: Float[Tensor, "sample *pre"]
    ) -> tuple[Tensor, Float[Tensor, "post"]]:
        """Sum over samples of signal times input, averaged over positions: changes of weight and bias."""

    def winners(
        self, a: Float[Tensor, "sample *drive"], past: Float[Tensor, "sample *drive"]
    ) -> Float[Tensor, "sample *unit"]:
        """What of `a` is left where only those with the largest `past + a` are not inhibited."""
        return a

    def at_winners(
        self, value: Float[Tensor, "sample *unit"], total: Float[Tensor, "sample *drive"]
    ) -> Float[Tensor, "sample *drive"]:
        """Give the value of every unit to those that were not inhibited, 0 to the others."""
        return value

    def average(self, z: Float[Tensor, "sample *unit"]) -> Float[Tensor, "sample post"]:
        """Mean over positions."""
        return z.flatten(1, -2).mean(1) if z.dim() > 2 else z

    def seen(self, z: Float[Tensor, "sample *unit"]) -> Float[Tensor, "sample compared"]:
        """What the score takes of the activity; `average`, unless a map is compared window by window."""
        return self.average(z)

    def at_units(
        self, apical: Float[Tensor, "sample compared"]
    ) -> Float[Tensor, "sample *place post"]:
        """The prediction as units receive it; an axis of 1 stands for all positions."""
        places = (1,) * (len(self.unit_shape(1)) - 1)
        return apical.view(len(apical), *places, -1)

    def at_synapses(
        self, apical: Float[Tensor, "sample compared"]
    ) -> Float[Tensor, "sample compared"] | Float[Tensor, "sample *drive"]:
        """The prediction as basal synapses know it: one value a channel, or laid out as the drive."""
        return apical


class Dense(Basal):
    """Every unit has a synapse with every input."""

    def weight_shape(self, pre: int, post: int) -> Shape:
        """(post, pre)."""
        return (post, pre)

    def input_shape(self, pre: int) -> Shape:
        """(pre,)."""
        return (pre,)

    def drive_shape(self, post: int) -> Shape:
        """(post,)."""
        return (post,)

    def unit_shape(self, post: int) -> Shape:
        """(post,)."""
        return (post,)

    def drive(
        self,
        x: Float[Tensor, "sample pre"],
        weight: Float[Tensor, "post pre"],
        bias: Float[Tensor, "post"],
    ) -> Float[Tensor, "sample post"]:
        """a = W x + b."""
        return F.linear(x, weight, bias)

    def change(
        self, signal: Float[Tensor, "sample post"], x: Float[Tensor, "sample pre"]
    ) -> tuple[Float[Tensor, "post pre"], Float[Tensor, "post"]]:
        """`dense_change`."""
        return dense_change(signal, x)


class Conv(Basal):
    """A 3 x 3 convolution (stride 1, zero padding 1) over the map of every sample, with or without pooling.

    Args:
        rows, cols: size of the input map.
        pool: True lets the units of every 2 x 2 group inhibit one another.

    Raises ValueError for an empty map, or one with odd sides that is to be pooled.
    """

    def __init__(self, rows: int, cols: int, pool: bool = False) -> None:
        if rows < 1 or cols < 1 or (pool and (rows % 2 or cols % 2)):
            kind = "even sides to be pooled 2 x 2" if pool else "at least one row and column"
            raise ValueError(f"A map needs {kind}, not {rows} x {cols}.")
        self.rows, self.cols, self.pool = rows, cols, pool

    def weight_shape(self, pre: int, post: int) -> Shape:
        """(post, pre, 3, 3)."""
        return (post, pre, 3, 3)

    def input_shape(self, pre: int) -> Shape:
        """(rows, cols, pre)."""
        return (self.rows, self.cols, pre)

    def drive_shape(self, post: int) -> Shape:
        """(rows, cols, post)."""
        return (self.rows, self.cols, post)

    def unit_shape(self, post: int) -> Shape:
        """(rows, cols, post), halved by pooling."""
        side = 2 if self.pool else 1
        return (self.rows // side, self.cols // side, post)

    def drive(
        self,
        x: Float[Tensor, "sample row col pre"],
        weight: Float[Tensor, "post pre 3 3"],
        bias: Float[Tensor, "post"],
    ) -> Float[Tensor, "sample row col post"]:
        """a = W * x + b."""
        return F.conv2d(x.permute(0, 3, 1, 2), weight, bias, padding=1).permute(0, 2, 3, 1)

    def change(
        self, signal: Float[Tensor, "sample row col post"], x: Float[Tensor, "sample row col pre"]
    ) -> tuple[Float[Tensor, "post pre 3 3"], Float[Tensor, "post"]]:
        """Gradient call of the convolution with `signal` at its output."""
        shared = (signal / self.averaged).permute(0, 3, 1, 2)
        shape = self.weight_shape(x.shape[3], signal.shape[3])
        weight = conv2d_weight(x.permute(0, 3, 1, 2), shape, shared, padding=1)
        return weight.contiguous(), shared.sum((0, 2, 3))

    def winners(
        self, a: Float[Tensor, "sample row col post"], past: Float[Tensor, "sample row col post"]
    ) -> Float[Tensor, "sample row col post"]:
        """The winner's `a` of every group."""
        if not self.pool:
            return a
        index = _winner(past + a)
        return a.flatten(1, 2).gather(1, index.flatten(1, 2)).view(index.shape)

    def at_winners(
        self,
        value: Float[Tensor, "sample row col post"],
        total: Float[Tensor, "sample row col post"],
    ) -> Float[Tensor, "sample row col post"]:
        """The value of every group, at its winner."""
        if not self.pool:
            return value
        index = _winner(total).flatten(1, 2)
        spread = torch.zeros_like(total).flatten(1, 2)
        return spread.scatter_(1, index, value.flatten(1, 2)).view(total.shape)


def _winner(
    total: Float[Tensor, "sample row col post"],
) -> Int64[Tensor, "sample row col post"]:
    """Position (row major) in the map of the largest total of every 2 x 2 group."""
    _, index = F.max_pool2d(total.permute(0, 3, 1, 2), 2, return_indices=True)
    return index.permute(0, 2, 3, 1)
