"""Drawing fixations and saccades: which image is which, and where the eyes land.

Every draw happens inside one group of images with that group's own generator, so the samples of a group
do not depend on the batch it travels in or on the process that computes it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from clapp_snn.functional.objective import Objective


class Draw(NamedTuple):
    """The saccades of one loss.

    Attributes:
        landing: one tensor (groups, cell, negative) per prediction step: the target cell a saccade
            from the context cell lands on.
        fixation: (groups, image), True where the image is a fixation (y = +1), False where it is a
            saccade (y = -1); None when every image is evaluated as both.
    """

    landing: list[Int64[Tensor, "groups cell negative"]]
    fixation: Bool[Tensor, "groups image"] | None


def _same_place(
    partner: Int64[Tensor, "row image col"], rows: int, images: int, cols: int
) -> Int64[Tensor, "cell 1"]:
    row = torch.arange(rows, device=partner.device).view(rows, 1, 1)
    col = torch.arange(cols, device=partner.device).view(1, 1, cols)
    return ((row * images + partner) * cols + col).reshape(-1, 1)


def draw_saccades(
    objective: Objective,
    generators: Sequence[torch.Generator],
    images: int,
    grid: int,
    device: torch.device | str = "cpu",
) -> Draw:
    """Draw the saccades of every prediction step for `len(generators)` groups of `images` images.

    Generators may live on the CPU or on `device`; the numbers depend on where they live. Source: paper
    Appendix B and the published sampling (with replacement; a saccade may land on the image it left
    with probability 1/images). Raises ValueError for sampling="all", which draws nothing.
    """
    if objective.sampling == "all":
        raise ValueError(
            "sampling='all' draws no saccades: every other target of the group is one."
        )
    landing: list[list[Tensor]] = [[] for _ in objective.distances]
    fixation = []
    for stream in generators:

        def randint(high: int, *size: int, stream: torch.Generator = stream) -> Tensor:
            return torch.randint(0, high, size, generator=stream, device=stream.device)

        if objective.time_local:
            fixation.append(randint(2, images).bool())
        shared = None
        if objective.sharing == "paper":
            shared = randint(images, 1, images, 1)
        for step, distance in enumerate(objective.distances):
            rows = grid - distance
            cells = rows * images * grid
            if objective.sampling == "random":
                drawn = randint(cells, cells, objective.negatives)
            elif objective.sampling == "local":
                partner = randint(images, rows, images, grid)
                drawn = _same_place(partner, rows, images, grid)
            else:
                one = randint(images, 1, images, 1) if shared is None else shared
                drawn = _same_place(one, rows, images, grid)
            landing[step].append(drawn)
    stacked = [torch.stack(groups).to(device) for groups in landing]
    return Draw(stacked, torch.stack(fixation).to(device) if fixation else None)
