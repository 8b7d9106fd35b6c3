"""The peer of the throughput benchmark: the same losses written the usual way, at its best.

`nn.Conv2d` modules in channels-last layout, `detach()` between modules, Gram-matrix scores with gathered
negatives, one backward of the summed losses, one fused Adam step. Images contrast within groups, as in the
package; the groups of a batch are scored in one batched product. Shares no code with the package except the
drawing of saccades.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapp_snn.functional.saccades import Draw

GRID = 7
CHANNELS = (128, 256, 256, 512, 1024, 1024)
POOLED = (False, True, False, True, True, True)
DISTANCES = (2, 3, 4, 5, 6)


class PlainNetwork(nn.Module):
    """VGG-6 and one set of prediction matrices for each module; `splits` layers a module."""

    def __init__(self, width: float, splits: Sequence[int], free_retro: bool) -> None:
        super().__init__()
        channels = [max(1, round(width * c)) for c in CHANNELS]
        pre = [1, *channels[:-1]]
        convolutions = [nn.Conv2d(i, o, 3, padding=1) for i, o in zip(pre, channels, strict=True)]
        self.layers = nn.ModuleList(convolutions)
        for convolution in convolutions:
            weight = convolution.weight.data
            convolution.weight.data = weight.contiguous(memory_format=torch.channels_last)
        self.tops = [sum(splits[: i + 1]) - 1 for i in range(len(splits))]
        self.heads = nn.ModuleList(_heads(channels[top]) for top in self.tops)
        self.back_heads = nn.ModuleList(_heads(channels[top]) for top in self.tops if free_retro)

    def cells(self, images: Tensor, group: int) -> list[Tensor]:
        """(group, row, image, col, channel) activity of every module's top layer, at least float32."""
        windows = images.unfold(2, 16, 8).unfold(3, 16, 8)
        x = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 1, 16, 16)
        x = x.contiguous(memory_format=torch.channels_last)
        found = []
        for index, layer in enumerate(self.layers):
            x = F.relu(layer(x), inplace=True)
            if POOLED[index]:
                x = F.max_pool2d(x, 2)
            if index in self.tops:
                wide = torch.promote_types(x.dtype, torch.float32)
                feature = x.mean((2, 3), dtype=wide).view(-1, group, GRID, GRID, x.shape[1])
                found.append(feature.transpose(1, 2).contiguous())
                x = x.detach()
        return found

    def loss(
        self, images: Tensor, group: int, draw: Callable[[int, int], Draw], bfloat16: bool = False
    ) -> Tensor:
        """Sum of the losses of all modules; `draw(module, loss)` gives the saccades.

        With `bfloat16` the convolutions run under autocast; scores stay float32, as in the package.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
            cells = self.cells(images, group)
        total = cells[0].new_zeros(())
        for module, z in enumerate(cells):
            drawn = draw(module, 0)
            if drawn.fixation is None:
                total = total + synchronous_loss(z, self.heads[module], drawn)
            else:
                total = total + time_local_loss(z, z.detach(), self.heads[module], drawn)
                back = self.back_heads[module]
                total = total + time_local_loss(z.detach(), z, back, draw(module, 1))
        return total


def _heads(channels: int) -> nn.Module:
    return nn.ModuleList(nn.Linear(channels, channels, bias=False) for _ in DISTANCES)


def synchronous_loss(cells: Tensor, heads: nn.Module, draw: Draw) -> Tensor:
    """CLAPP-s: hinge over the fixation and N random saccades of every cell, one Gram matrix a group."""
    loss = cells.new_zeros(())
    for distance, head, index in zip(DISTANCES, heads.children(), draw.landing, strict=True):
        context = cells[:, :-distance].flatten(1, 3)
        target = cells[:, distance:].flatten(1, 3)
        gram = head(context) @ target.transpose(1, 2)
        fixation = gram.diagonal(dim1=1, dim2=2)
        loss = loss + F.relu(1 - fixation).mean() + F.relu(1 + gram.gather(2, index)).mean()
    return loss / len(DISTANCES)


def time_local_loss(z: Tensor, c: Tensor, heads: nn.Module, draw: Draw) -> Tensor:
    """CLAPP: every image is a fixation or one saccade, so every cell has one score.

    The mean over the fixations and the mean over the saccades of a group are added, then groups averaged.
    """
    groups, _, images, cols, _ = z.shape
    assert draw.fixation is not None
    fixation = draw.fixation
    y = torch.where(fixation, 1.0, -1.0).to(z.dtype)
    alike = torch.where(fixation, fixation.sum(1, True), (~fixation).sum(1, True))
    loss = z.new_zeros(())
    for distance, head, index in zip(DISTANCES, heads.children(), draw.landing, strict=True):
        rows = GRID - distance
        cells = rows * images * cols
        own = torch.arange(cells, device=z.device)
        first = cells * torch.arange(groups, device=z.device).unsqueeze(1)
        landing = torch.where(_spread(fixation, rows, cols), own, index[..., 0]) + first
        context = head(c[:, :-distance].flatten(0, 3))
        target = z[:, distance:].flatten(0, 3).index_select(0, landing.flatten())
        u = (context * target).sum(1).view(groups, cells)
        weight = _spread(1 / (alike * groups * rows * cols), rows, cols)
        loss = loss + (weight * F.relu(1 - _spread(y, rows, cols) * u)).sum()
    return loss / len(DISTANCES)


def _spread(value: Tensor, rows: int, cols: int) -> Tensor:
    """(group, image) to (group, cell), cells ordered (row, image, col)."""
    return value[:, None, :, None].expand(-1, rows, -1, cols).flatten(1)
