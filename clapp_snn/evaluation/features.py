"""Features of all layers in one pass over the data."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from tqdm import tqdm

from clapp_snn.evaluation.interfaces import FeatureEncoder, ImageSplit

View = Callable[[UInt8[Tensor, "image 3 row col"]], Float[Tensor, "image channel r c"]]


def grid_mean(
    maps: list[Float[Tensor, "image gridrow gridcol channel"]],
) -> list[Float[Tensor, "image channel"]]:
    """Average of every layer's feature map over its grid of patches."""
    return [layer.mean(dim=(1, 2)) for layer in maps]


def index_batches(count: int, batch: int) -> Iterator[Int64[Tensor, "image"]]:
    """Indices 0..count-1 in order, `batch` at a time; the last batch may be smaller.

    Raises:
        ValueError: if `batch` is below 1.
    """
    if batch < 1:
        raise ValueError(f"The batch size must be at least 1, not {batch}.")
    for start in range(0, count, batch):
        yield torch.arange(start, min(start + batch, count))


@torch.no_grad()
def pooled_features(
    encoder: FeatureEncoder,
    split: ImageSplit,
    view: View,
    batch: int = 250,
    device: torch.device | str = "cpu",
    progress: str | None = None,
) -> list[Float[Tensor, "image channel"]]:
    """Mean over the patch grid of every layer's features, in the order of the split.

    One encoder pass serves all layers. The result lies on `device`, where the encoder must be.
    `progress` is the name shown beside a progress bar (none: no bar).
    """
    parts: list[list[Tensor]] = []
    batches = list(index_batches(len(split), batch))
    for indices in tqdm(
        batches, desc=progress, unit="batch", disable=True if progress is None else None
    ):
        parts.append(grid_mean(encoder.features(view(split.read(indices).to(device)))))
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]


@torch.no_grad()
def pixel_features(
    split: ImageSplit, view: View, batch: int = 1000, device: torch.device | str = "cpu"
) -> Float[Tensor, "image pixel"]:
    """The flattened network input (4096 values for a grey 64x64 view): "layer 0" of every table."""
    views = [
        view(split.read(indices).to(device)).flatten(1)
        for indices in index_batches(len(split), batch)
    ]
    return torch.cat(views)


def standardise(
    train: Float[Tensor, "image channel"], *others: Float[Tensor, "other channel"]
) -> list[Float[Tensor, "any channel"]]:
    """Centre and scale every channel by the mean and standard deviation of `train`, in float64.

    A channel that is constant in `train` carries no information there and becomes 0 everywhere.
    """
    values = train.double()
    mean = values.mean(dim=0)
    deviation = values.std(dim=0, correction=0)
    constant = deviation <= 1e-12 * mean.abs().clamp(min=1e-30)
    scale = torch.where(constant, 0.0, 1.0 / torch.where(constant, 1.0, deviation))
    return [(part.double() - mean) * scale for part in (train, *others)]
