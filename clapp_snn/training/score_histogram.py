"""Histograms of the scores of fixations and saccades, for the picture of the hinge."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from clapp_snn.files import atomic_path
from clapp_snn.run_files import SCORES
from clapp_snn.training.learner import AreaReport

EDGES = torch.linspace(-30, 30, 601, dtype=torch.float64)


class ScoreHistogram:
    """Counts of u on evaluated pairs, per module; scores beyond the edges fall into the outer bins."""

    def __init__(self, modules: int, grid: int) -> None:
        self.grid = grid
        bins = len(EDGES) - 1
        self.fixation = torch.zeros(modules, bins, dtype=torch.float64)
        self.saccade = torch.zeros(modules, bins, dtype=torch.float64)

    def add(self, reports: list[AreaReport]) -> None:
        """Count one step of contrastive modules."""
        for module, report in enumerate(reports):
            for u in report.scores:
                fixation, saccade = u[:, :, 0], u[:, :, 1:]
                if report.draw is not None and report.draw.fixation is not None:
                    drawn = report.draw.fixation
                    rows = u.shape[1] // (drawn.shape[1] * self.grid)
                    cell = drawn[:, None, :, None].expand(-1, rows, -1, self.grid).flatten(1)
                    fixation, saccade = fixation[cell], saccade[~cell]
                self.fixation[module] += _count(fixation)
                self.saccade[module] += _count(saccade)

    def state(self) -> dict[str, list[list[float]]]:
        """The counts as plain values, for a checkpoint."""
        return {"fixation": self.fixation.tolist(), "saccade": self.saccade.tolist()}

    def load(self, state: dict[str, list[list[float]]]) -> None:
        """Go on from the counts of a checkpoint; raises ValueError where its bins are of another version."""
        fixation, saccade = (
            torch.tensor(state[name], dtype=torch.float64) for name in ("fixation", "saccade")
        )
        if fixation.shape != self.fixation.shape or saccade.shape != self.saccade.shape:
            raise ValueError(
                "The checkpoint counts scores in other bins than this version of clapp_snn."
            )
        self.fixation, self.saccade = fixation, saccade

    def write(self, run: Path) -> None:
        """Write run/scores.npz: `edges`, `fixation_m` and `saccade_m` for m = 1, 2, ...; nothing if empty."""
        if not self.fixation.any() and not self.saccade.any():
            return
        arrays: dict[str, Any] = {"edges": EDGES.numpy()}
        for module in range(len(self.fixation)):
            arrays[f"fixation_{module + 1}"] = self.fixation[module].numpy()
            arrays[f"saccade_{module + 1}"] = self.saccade[module].numpy()
        with atomic_path(run / SCORES) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)


def _count(scores: Tensor) -> Float64[Tensor, "bin"]:
    low, high = float(EDGES[0]), float(EDGES[-1])
    values = scores.detach().double().flatten().cpu().clamp(low, high)
    return torch.histogram(values, EDGES).hist
