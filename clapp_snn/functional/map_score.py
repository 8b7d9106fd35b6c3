"""CLAPP++: scores of whole feature maps, and what every synapse of an area needs of them.

Wu, Delrocq, Gerstner and Bellec 2026 (arXiv:2601.21683). Every image is seen twice, in two random views. The
map of an area is averaged in square windows and flattened, so the score knows where something is:

    u = flatten(windows(z))^T W_pred flatten(windows(c))

with `c` from one view and `z` from the other view of the same image (fixation) or from another image
(saccade). `c` comes from the same area, or from the top area (direct feedback). Either view predicts the
other. Only the target side of the feedforward weights learns (no weight transport):

    e = sum over pairs of gamma W_pred c        dW_pred = sum over pairs of gamma z c^T
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.functional.losses import hinge_signal, pair_weights
from clapp_snn.functional.score import pair_scores, sum_over_pairs

MapSampling = Literal["next", "random"]


@dataclass(frozen=True)
class MapObjective:
    """What is compared between maps.

    Attributes:
        windows: side of the averaging windows on the top map of every module, in positions; None averages
            the whole map ("no spatial dependence").
        sampling: where saccades land. "next": at the following target of the group, which is the default
            of the published code; "random": at any target, drawn with replacement.
        negatives: saccades a fixation.
    """

    windows: tuple[int | None, ...]
    sampling: MapSampling = "next"
    negatives: int = 1

    def __post_init__(self) -> None:
        problems = []
        if not self.windows or any(side is not None and side < 1 for side in self.windows):
            problems.append("windows must name a side of 1 or more, or None, for every module")
        if self.sampling not in ("next", "random"):
            problems.append(f"sampling must be 'next' or 'random', not {self.sampling!r}")
        if self.negatives < 1:
            problems.append(f"negatives must be at least 1, not {self.negatives}")
        if self.sampling == "next" and self.negatives != 1:
            problems.append("sampling='next' has exactly 1 negative")
        if problems:
            raise ValueError("Impossible objective: " + "; ".join(problems) + ".")


class MapSignals(NamedTuple):
    """What an area derives from one comparison of maps.

    Attributes:
        loss: mean over views of the hinge losses of fixation and saccades.
        gate: share of pairs with H = 1.
        target: (groups, view, z), sum of gamma W c of every view as target.
        W: (z, c), change of the matrix.
        scores: (groups, view, pair), pair 0 the fixation.
    """

    loss: Float[Tensor, ""]
    gate: Float[Tensor, ""]
    target: Float[Tensor, "groups view z"]
    W: Float[Tensor, "z c"]
    scores: Float[Tensor, "groups view pair"]


def group_views(
    windows: Float[Tensor, "view winrow wincol channel"], group: int
) -> Float[Tensor, "groups view z"]:
    """Flattened maps in groups of `group` images; in a group all first views come before all second views.

    `windows` holds the first views of all images, then their second views. Raises ValueError when the
    images do not split into groups.
    """
    views = windows.shape[0]
    if views % (2 * group):
        raise ValueError(
            f"A batch of {views // 2} images does not split into groups of {group}; choose a batch size "
            "that is a multiple of the group size."
        )
    flat = windows.reshape(2, views // (2 * group), group, -1)
    return flat.transpose(0, 1).reshape(views // (2 * group), 2 * group, -1)


def ungroup_views(
    flat: Float[Tensor, "groups view z"], shape: torch.Size
) -> Float[Tensor, "view winrow wincol channel"]:
    """Inverse of `group_views` for windows of this shape."""
    groups, views, _ = flat.shape
    return flat.view(groups, 2, views // 2, -1).transpose(0, 1).reshape(shape)


def draw_map_saccades(
    objective: MapObjective,
    generators: Sequence[torch.Generator],
    images: int,
    device: torch.device | str = "cpu",
) -> Int64[Tensor, "groups view negative"]:
    """Where the saccades of every view land, counted among the targets of its group (`other_view`).

    `images` is the number of images in a group. The published code may land on the fixation itself when
    `sampling` is "random"; so does this.
    """
    views = 2 * images
    if objective.sampling == "next":
        following = (torch.arange(views, device=device) + 1) % views
        return following.view(1, views, 1).expand(len(generators), -1, -1)
    size = (views, objective.negatives)
    drawn = [torch.randint(views, size, generator=g, device=g.device) for g in generators]
    return torch.stack(drawn).to(device)


def other_view(flat: Float[Tensor, "groups view z"]) -> Float[Tensor, "groups view z"]:
    """Every view's target: the other view of the same image."""
    return flat.roll(flat.shape[1] // 2, 1)


def map_signals(
    z: Float[Tensor, "groups view z"],
    c: Float[Tensor, "groups view c"],
    W: Float[Tensor, "z c"],
    landing: Int64[Tensor, "groups view negative"],
) -> MapSignals:
    """Compare fixations with saccades and derive all local signals in closed form."""
    groups, views, _ = z.shape
    target = other_view(z)
    apical = torch.matmul(c, W.transpose(0, 1))
    scores = pair_scores(apical, target, landing)
    weight = pair_weights(None, groups, views, landing.shape[2], z)
    loss, gamma = hinge_signal(scores.view(groups, 1, views, 1, -1), weight)
    gamma = gamma.view_as(scores)
    seen, felt = sum_over_pairs(gamma, landing, target, apical)
    assert seen is not None
    assert felt is not None
    change = seen.flatten(0, 1).transpose(0, 1) @ c.flatten(0, 1)
    return MapSignals(loss, gamma.abs().sum() / 2, other_view(felt), change, scores)
