"""Rows of numbers that arrive one after another, kept within a fixed amount of memory."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

WhenFull = Literal["error", "ring"]

CHUNK_BYTES = 1_000_000


class MonitorFull(RuntimeError):
    """A monitor reached its memory cap; what it has recorded so far can still be read."""


@dataclass(frozen=True)
class Limit:
    """How much a monitor may keep, and what happens then.

    Args:
        memory_mb: cap in megabytes (10^6 bytes).
        when_full: "error" raises `MonitorFull`; "ring" overwrites the oldest rows.

    Raises ValueError unless memory_mb > 0 and when_full is one of the two.
    """

    memory_mb: float = 1000.0
    when_full: WhenFull = "error"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.memory_mb) and self.memory_mb > 0):
            raise ValueError(f"memory_mb must be a positive number, not {self.memory_mb}.")
        if self.when_full not in ("error", "ring"):
            raise ValueError(f"when_full must be 'error' or 'ring', not {self.when_full!r}.")


class Column(NamedTuple):
    """Precision and shape of one entry of a row."""

    dtype: torch.dtype
    shape: tuple[int, ...] = ()


class Table:
    """Columns of equal length in chunks of about a megabyte, allocated when they are needed.

    Args:
        columns: by name.
        limit: memory cap; the chunks never exceed it.
        owner: who is named in the error.
        device: where the rows live.

    Raises ValueError if not even one row fits.
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        limit: Limit,
        owner: str,
        device: torch.device | str = "cpu",
    ) -> None:
        self.columns = dict(columns)
        self.limit = limit
        self.owner = owner
        self.device = device
        self.row_bytes = sum(
            math.prod(column.shape) * column.dtype.itemsize for column in self.columns.values()
        )
        self.capacity = int(limit.memory_mb * 1e6 // self.row_bytes)
        if self.capacity == 0:
            raise ValueError(
                f"{owner}: one row takes {self.row_bytes / 1e6:g} MB, more than memory_mb = "
                f"{limit.memory_mb:g}. Select less or raise memory_mb."
            )
        self.chunk_rows = max(1, min(self.capacity, CHUNK_BYTES // self.row_bytes))
        self.chunks: list[dict[str, Tensor]] = []
        self.written = 0

    def __len__(self) -> int:
        return min(self.written, self.capacity)

    @property
    def lost(self) -> int:
        """How many rows the ring has overwritten."""
        return self.written - len(self)

    @property
    def allocated_bytes(self) -> int:
        """Size of all chunks."""
        return sum(
            values.numel() * values.element_size()
            for chunk in self.chunks
            for values in chunk.values()
        )

    def append(self, rows: Mapping[str, Tensor]) -> None:
        """Add rows, (count, *shape) in every column.

        Raises MonitorFull, and adds nothing, if they do not fit and the limit says "error".
        """
        count = len(next(iter(rows.values())))
        if self.limit.when_full == "error" and self.written + count > self.capacity:
            raise MonitorFull(
                f"{self.owner} is full: memory_mb = {self.limit.memory_mb:g} holds {self.capacity} "
                "rows. Record less or for a shorter time, raise memory_mb, or keep only the latest "
                "with when_full='ring'."
            )
        done = 0
        while done < count:
            number, start = divmod(self.written % self.capacity, self.chunk_rows)
            if number == len(self.chunks):
                self.chunks.append(self._chunk(number))
            chunk = self.chunks[number]
            room = len(next(iter(chunk.values()))) - start
            taken = min(count - done, room)
            for name, values in rows.items():
                chunk[name][start : start + taken] = values[done : done + taken].detach()
            done += taken
            self.written += taken

    def _chunk(self, number: int) -> dict[str, Tensor]:
        rows = min(self.chunk_rows, self.capacity - number * self.chunk_rows)
        return {
            name: torch.empty((rows, *column.shape), dtype=column.dtype, device=self.device)
            for name, column in self.columns.items()
        }

    def read(self) -> dict[str, Tensor]:
        """All rows kept, oldest first, on the CPU."""
        oldest = self.written % self.capacity if self.lost else 0
        columns = {}
        for name, column in self.columns.items():
            parts = [chunk[name].cpu() for chunk in self.chunks]
            empty = torch.empty((0, *column.shape), dtype=column.dtype)
            kept = torch.cat([empty, *parts])[: len(self)]
            columns[name] = torch.cat([kept[oldest:], kept[:oldest]]) if oldest else kept
        return columns
