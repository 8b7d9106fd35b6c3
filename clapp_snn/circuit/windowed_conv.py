"""A convolutional projection whose map is compared window by window (CLAPP++)."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.basal import Conv


class WindowedConv(Conv):
    """As `Conv`, but the score knows where something is.

    The map of units is cut into square windows. The score sees the mean of every window (lateral averaging
    among neighbours), flattened to (window row, window column, channel), and the prediction of such a value
    arrives at the dendrites of all units of its window:

        u = sum over windows and channels of mean(z in the window) zhat = flatten(windows(z))^T W_pred c

    Args:
        rows, cols: size of the input map.
        pool: True lets the units of every 2 x 2 group inhibit one another.
        window: side of the windows, in units.

    Raises ValueError as `Conv`, and for windows that do not fill the map.
    """

    def __init__(self, rows: int, cols: int, pool: bool = False, window: int = 1) -> None:
        super().__init__(rows, cols, pool)
        high, wide, _ = self.unit_shape(1)
        if window < 1 or high % window or wide % window:
            raise ValueError(
                f"Windows of {window} x {window} do not fill a map of {high} x {wide}."
            )
        self.window = window

    @property
    def averaged(self) -> int:
        """Units of a window."""
        return self.window**2

    def seen(self, z: Float[Tensor, "sample row col post"]) -> Float[Tensor, "sample compared"]:
        """Means of the windows, flattened as in rate mode (`functional.map_score.group_views`)."""
        means = F.avg_pool2d(z.permute(0, 3, 1, 2), self.window)
        return means.permute(0, 2, 3, 1).flatten(1)

    def at_units(
        self, apical: Float[Tensor, "sample compared"]
    ) -> Float[Tensor, "sample row col post"]:
        """Every unit receives the prediction of its window."""
        return self._spread(apical, self.window)

    def at_synapses(
        self, apical: Float[Tensor, "sample compared"]
    ) -> Float[Tensor, "sample row col post"]:
        """The same, before inhibition."""
        return self._spread(apical, self.window * (2 if self.pool else 1))

    def _spread(self, values: Tensor, times: int) -> Tensor:
        high, wide, _ = self.unit_shape(1)
        grid = values.view(len(values), high // self.window, wide // self.window, -1)
        return torch.repeat_interleave(grid.repeat_interleave(times, 1), times, 2)
