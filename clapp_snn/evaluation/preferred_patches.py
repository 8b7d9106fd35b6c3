"""Patches that excite a channel most (paper, Figs. 3a and 8)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from tqdm import tqdm

from clapp_snn.evaluation.features import View, index_batches
from clapp_snn.evaluation.interfaces import FeatureEncoder, ImageSplit


@dataclass(frozen=True)
class PreferredPatches:
    """The patches with the highest activity, at most one an image, best first.

    `layer` counts from 1. `row` and `col` are cells of the patch grid: the patch begins `stride * row`
    pixels below the top of the image. Activity is the mean over the positions inside the patch; a channel
    whose best activity is 0 is silent and prefers nothing.
    """

    layer: int
    channels: Int64[Tensor, "channel"]
    image: Int64[Tensor, "channel top"]
    row: Int64[Tensor, "channel top"]
    col: Int64[Tensor, "channel top"]
    activity: Float[Tensor, "channel top"]


def random_channels(
    available: int, count: int, stream: torch.Generator
) -> Int64[Tensor, "channel"]:
    """`count` different channels in ascending order (all if there are fewer)."""
    return torch.randperm(available, generator=stream)[:count].sort().values


@torch.no_grad()
def preferred_patches(
    encoder: FeatureEncoder,
    split: ImageSplit,
    view: View,
    layer: int,
    channels: Sequence[int] | Int64[Tensor, "channel"],
    top: int = 10,
    batch: int = 250,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> PreferredPatches:
    """Sort all (image, row, column) by activity, channel by channel, and keep `top` of different images.

    Equal activities are ordered by image, then row, then column.

    Raises:
        ValueError: if the layer or a channel does not exist, or there are fewer than `top` images.
    """
    depth = len(encoder.channels)
    if not 1 <= layer <= depth:
        raise ValueError(f"The encoder has layers 1 to {depth}, not {layer}.")
    chosen = torch.as_tensor(channels, dtype=torch.long)
    available = encoder.channels[layer - 1]
    if len(chosen) == 0 or int(chosen.min()) < 0 or int(chosen.max()) >= available:
        raise ValueError(f"Layer {layer} has channels 0 to {available - 1}, not {chosen.tolist()}.")
    if not 1 <= top <= len(split):
        raise ValueError(f"{top} different images were asked for; the split has {len(split)}.")
    best, cell = [], []
    columns = 1
    batches = list(index_batches(len(split), batch))
    for indices in tqdm(
        batches, desc=f"layer {layer}", unit="batch", disable=None if progress else True
    ):
        maps = encoder.features(view(split.read(indices).to(device)))[layer - 1]
        columns = maps.shape[2]
        found = maps[..., chosen.to(maps.device)].flatten(1, 2).max(dim=1)
        best.append(found.values.cpu())
        cell.append(found.indices.cpu())
    activity, order = torch.cat(best).sort(dim=0, descending=True, stable=True)
    image = order[:top].t()
    where = torch.cat(cell).gather(0, order[:top]).t()
    return PreferredPatches(
        layer=layer,
        channels=chosen,
        image=image,
        row=where // columns,
        col=where % columns,
        activity=activity[:top].t(),
    )


def preferred_images(
    split: ImageSplit, patches: PreferredPatches, crop: int = 64
) -> UInt8[Tensor, "channel top row col 3"]:
    """The images of the preferred patches in colour, cropped to the centre the encoder saw."""
    shape = patches.image.shape
    images = split.read(patches.image.flatten())
    top, left = (images.shape[2] - crop) // 2, (images.shape[3] - crop) // 2
    centre = images[:, :, top : top + crop, left : left + crop]
    return centre.permute(0, 2, 3, 1).reshape(*shape, crop, crop, 3)
