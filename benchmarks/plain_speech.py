"""The peer of the speech benchmark: the same losses written the usual way, with autograd.

`nn.Conv1d` modules, `detach()` between areas, an `nn.GRU`, negatives gathered once a layer, one product of
matrices and one loss for each prediction step, one backward of the sum, one fused Adam step. Shares no code
with the package except the drawing of frames.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clapp_snn.functional.sequence_contrast import SequenceDraw

SIZES = ((10, 5, 2), (8, 4, 2), (4, 2, 2), (4, 2, 2), (4, 2, 1))
STEPS = 12


class PlainSpeech(nn.Module):
    """Five convolutions and a GRU with prediction matrices for five areas; the last joins two layers."""

    def __init__(self, width: float) -> None:
        super().__init__()
        channels, units = max(1, round(512 * width)), max(1, round(256 * width))
        pre = [1, *([channels] * 4)]
        self.layers = nn.ModuleList(
            nn.Conv1d(i, channels, kernel, stride, padding)
            for i, (kernel, stride, padding) in zip(pre, SIZES, strict=True)
        )
        self.gru = nn.GRU(channels, units, batch_first=True)
        contexts = [channels] * 4 + [units]
        self.heads = nn.ModuleList(
            nn.ModuleList(nn.Linear(c, channels, bias=False) for _ in range(STEPS))
            for c in contexts
        )

    def loss(self, audio: Tensor, draw: Callable[[int, int], SequenceDraw], loss: str) -> Tensor:
        """Sum of the losses of the areas; `draw(module, frames)` gives window and saccades."""
        x, total = audio[:, None], audio.new_zeros(())
        for index, layer in enumerate(self.layers):
            x = F.relu(layer(x.detach()))
            z = x.transpose(1, 2)
            c = self.gru(z.detach())[0] if index == 4 else z
            heads = self.heads[index]
            assert isinstance(heads, nn.ModuleList)
            total = total + area_loss(z, c, heads, draw(index, z.shape[1]), loss)
        return total


def area_loss(z: Tensor, c: Tensor, heads: nn.ModuleList, draw: SequenceDraw, loss: str) -> Tensor:
    """Hinge or InfoNCE over one fixation and the saccades of every frame, mean over prediction steps."""
    flat = z.flatten(0, 1)
    context, target = c.flatten(0, 1)[draw.own], flat[draw.own]
    other = flat[draw.landing]
    total = z.new_zeros(())
    for k, head in enumerate(heads, start=1):
        apical = head(context[:, :-k])
        own = (apical * target[:, k:]).sum(2, keepdim=True)
        saccades = (other[:, k:] @ apical[..., None]).squeeze(3)
        if loss == "hinge":
            total = total + F.relu(1 - own).mean() + F.relu(1 + saccades).mean()
        else:
            total = total - torch.cat((own, saccades), 2).log_softmax(2)[..., 0].mean()
    return total / len(heads)
