"""The peer of the throughput benchmark: the same losses written the usual way, at its best.

`nn.Conv2d` modules in channels-last layout, `detach()` between modules, Gram-matrix scores with gathered
negatives, one backward of the summed losses, one fused Adam step. Shares no code with the package except
the drawing of saccades.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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

    def cells(self, images: Tensor) -> list[Tensor]:
        """(row, image, col, channel) activity of every module's top layer."""
        windows = images.unfold(2, 16, 8).unfold(3, 16, 8)
        x = windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, 1, 16, 16)
        x = x.contiguous(memory_format=torch.channels_last)
        found = []
        for index, layer in enumerate(self.layers):
            x = F.relu(layer(x), inplace=True)
            if POOLED[index]:
                x = F.max_pool2d(x, 2)
            if index in self.tops:
                pooled = x.mean((2, 3)).view(len(images), GRID, GRID, -1)
                found.append(pooled.transpose(0, 1).contiguous())
                x = x.detach()
        return found


def _heads(channels: int) -> nn.Module:
    return nn.ModuleList(nn.Linear(channels, channels, bias=False) for _ in DISTANCES)


def synchronous_loss(cells: Tensor, heads: nn.Module, landing: Sequence[Tensor]) -> Tensor:
    """CLAPP-s: hinge over the fixation and N random saccades of every cell, from one Gram matrix a step."""
    loss = cells.new_zeros(())
    for distance, head, index in zip(DISTANCES, heads.children(), landing, strict=True):
        context = cells[:-distance].flatten(0, 2)
        target = cells[distance:].flatten(0, 2)
        gram = head(context) @ target.t()
        loss = loss + F.relu(1 - gram.diagonal()).mean() + F.relu(1 + gram.gather(1, index)).mean()
    return loss / len(DISTANCES)


def time_local_loss(
    z: Tensor, c: Tensor, heads: nn.Module, landing: Sequence[Tensor], fixation: Tensor
) -> Tensor:
    """CLAPP: every image is a fixation or one saccade."""
    loss = z.new_zeros(())
    for distance, head, index in zip(DISTANCES, heads.children(), landing, strict=True):
        rows = GRID - distance
        drawn = fixation[None, :, None].expand(rows, -1, GRID).flatten()
        context = head(c[:-distance].flatten(0, 2))
        target = z[distance:].flatten(0, 2)
        if bool(fixation.any()):
            u = (context[drawn] * target[drawn]).sum(1)
            loss = loss + F.relu(1 - u).mean()
        if not bool(fixation.all()):
            u = (context[~drawn] * target[index[~drawn, 0]]).sum(1)
            loss = loss + F.relu(1 + u).mean()
    return loss / len(DISTANCES)
