"""Monitors of what happens once a window: the score, and the modulator with the saccade signal."""

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.recording.monitor import Monitor
from clapp_snn.recording.selection import axis_columns
from clapp_snn.recording.storage import Column, Table, WhenFull


class WindowMonitor(Monitor):
    """Base: two float64 numbers a sample and window.

    Args:
        memory_mb: cap on what is kept, in megabytes.
        when_full: "error" raises `MonitorFull` at the cap; "ring" keeps the latest.

    Windows are counted also while the monitor is stopped.
    """

    names: ClassVar[tuple[str, str]]

    def __init__(self, memory_mb: float = 1000.0, when_full: WhenFull = "error") -> None:
        super().__init__(memory_mb, when_full)
        self.shape: torch.Size | None = None
        self._window = 0
        indices = {"window": Column(torch.int64), "sample": Column(torch.int64)}
        values = {name: Column(torch.float64) for name in self.names}
        self._table = Table(indices | values, self.limit, type(self).__name__)

    def _append(self, first: Tensor, second: Tensor) -> None:
        if first.shape != second.shape:
            raise ValueError(
                f"{self.names[0]} {tuple(first.shape)} and {self.names[1]} {tuple(second.shape)} must "
                "have the same shape."
            )
        if self.shape is None:
            self.shape = first.shape
        elif first.shape != self.shape:
            raise ValueError(
                f"{type(self).__name__} records samples of shape {tuple(self.shape)}, not "
                f"{tuple(first.shape)}; use one monitor for each area."
            )
        if self.active:
            count = first.numel()
            self._table.append(
                {
                    "window": torch.full((count,), self._window),
                    "sample": torch.arange(count),
                    self.names[0]: first.detach().reshape(-1).cpu(),
                    self.names[1]: second.detach().reshape(-1).cpu(),
                }
            )
        self._window += 1

    def to_numpy(self) -> dict[str, np.ndarray]:
        """`window`, `sample` (flat index) and both numbers, one entry a sample and window."""
        return {name: values.numpy() for name, values in self._table.read().items()}

    def _tidy(self) -> dict[str, np.ndarray]:
        rows = self.to_numpy()
        return rows | axis_columns(rows["sample"], tuple(self.shape or ()))


class ScoreMonitor(WindowMonitor):
    """The score that an area reads from bursts, against the true one. See `WindowMonitor`."""

    names = ("u_hat", "u")

    def record(
        self, u_hat: Float[Tensor, "*sample"], u: Float[Tensor, "*sample"] | None = None
    ) -> None:
        """Keep the scores of one window; without `u` (unknown outside a simulation) it is recorded as NaN.

        Raises ValueError for shapes that differ from each other or from earlier windows, MonitorFull at the
        memory cap.
        """
        self._append(u_hat, torch.full_like(u_hat, torch.nan) if u is None else u)


class ModulatorMonitor(WindowMonitor):
    """The broadcast signal gamma with the saccade signal y. See `WindowMonitor`."""

    names = ("gamma", "y")

    def record(self, gamma: Float[Tensor, "*sample"], y: Float[Tensor, "*sample"]) -> None:
        """Keep the signals of one window, y = +1 for a fixation and -1 for a saccade.

        Raises ValueError for other values of y, or for shapes that differ from each other or from earlier
        windows; MonitorFull at the memory cap.
        """
        if not bool((y.abs() == 1).all()):
            raise ValueError("y must be +1 (fixation) or -1 (saccade) for every sample.")
        self._append(gamma, y)

    def open_fraction(self, y: int) -> float:
        """Share of the recorded fixations (y = 1) or saccades (y = -1) with gamma other than 0.

        Raises ValueError if there was none.
        """
        rows = self.to_numpy()
        gamma = rows["gamma"][rows["y"] == y]
        if gamma.size == 0:
            raise ValueError(f"No window with y = {y:+d} was recorded.")
        return float((gamma != 0).mean())
