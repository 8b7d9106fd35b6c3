"""Monitor of synaptic weights."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.recording.monitor import Monitor
from clapp_snn.recording.selection import Index, flat_indices
from clapp_snn.recording.states import interval_steps
from clapp_snn.recording.storage import Column, Table, WhenFull


class WeightMonitor(Monitor):
    """Copies of weights, or of some synapses of them, taken at regular calls of `record`.

    Args:
        synapses: for the matrices named here, which entries, by flat index or by one number an axis; all
            entries of the others.
        every: record only each `every`-th call (its own count starts with the first call).
        memory_mb: cap on what is kept, in megabytes; it lies on the device of the weights.
        when_full: "error" raises `MonitorFull` at the cap; "ring" keeps the latest.

    Raises ValueError for an interval below 1.
    """

    def __init__(
        self,
        synapses: Mapping[str, Sequence[Index]] | None = None,
        every: int = 1,
        memory_mb: float = 1000.0,
        when_full: WhenFull = "error",
    ) -> None:
        super().__init__(memory_mb, when_full)
        self.synapses = dict(synapses or {})
        self.every = interval_steps(every, None, 1.0)
        self.shapes: dict[str, torch.Size] = {}
        self._indices: dict[str, Tensor | None] = {}
        self._table: Table | None = None
        self._window = 0

    def record(self, **weights: Float[Tensor, "..."]) -> None:
        """Keep the weights as they are now, one keyword a matrix: `record(W=..., W_pred=...)`.

        Raises ValueError for no weights, other names or shapes than before, or a selection that does not fit;
        MonitorFull at the memory cap.
        """
        if self._table is None:
            self._open(weights)
        assert self._table is not None
        shapes = {name: values.shape for name, values in weights.items()}
        if shapes != self.shapes:
            raise ValueError(
                f"WeightMonitor records {_listed(self.shapes)}, but was given {_listed(shapes)}."
            )
        if self.active and self._window % self.every == 0:
            rows = {name: self._selected(name, values)[None] for name, values in weights.items()}
            self._table.append(rows | {"window": torch.tensor([self._window])})
        self._window += 1

    def _open(self, weights: Mapping[str, Tensor]) -> None:
        unknown = sorted(self.synapses.keys() - weights.keys())
        if not weights or unknown:
            raise ValueError(
                f"WeightMonitor has a selection for {', '.join(unknown)}, but was given no such weights."
                if unknown
                else "WeightMonitor was given no weights."
            )
        columns = {}
        for name, values in weights.items():
            chosen = flat_indices(self.synapses.get(name), tuple(values.shape), "synapse")
            self._indices[name] = None if chosen is None else chosen.to(values.device)
            count = values.numel() if chosen is None else len(chosen)
            columns[name] = Column(values.dtype, (count,))
        self.shapes = {name: values.shape for name, values in weights.items()}
        device = next(iter(weights.values())).device
        self._table = Table(
            columns | {"window": Column(torch.int64)}, self.limit, "WeightMonitor", device
        )

    def _selected(self, name: str, values: Tensor) -> Tensor:
        flat, chosen = values.detach().reshape(-1), self._indices[name]
        return flat if chosen is None else flat[chosen]

    def to_numpy(self) -> dict[str, np.ndarray]:
        """`window` (index of the call) and each matrix: (windows, *shape), if selected (windows, synapses).

        Raises ValueError if nothing was recorded.
        """
        if self._table is None:
            raise ValueError("WeightMonitor has recorded nothing yet.")
        rows = {name: values.numpy() for name, values in self._table.read().items()}
        for name, shape in self.shapes.items():
            if self._indices[name] is None:
                rows[name] = rows[name].reshape(-1, *shape)
        return rows

    def _tidy(self) -> dict[str, np.ndarray]:
        rows = self.to_numpy()
        window = rows.pop("window")
        parts: dict[str, list[np.ndarray]] = {
            "window": [],
            "weights": [],
            "synapse": [],
            "value": [],
        }
        for name, values in rows.items():
            flat = values.reshape(len(window), -1)
            chosen = self._indices[name]
            synapse = np.arange(flat.shape[1]) if chosen is None else chosen.cpu().numpy()
            parts["window"].append(np.repeat(window, flat.shape[1]))
            parts["weights"].append(np.full(flat.size, name))
            parts["synapse"].append(np.tile(synapse, len(window)))
            parts["value"].append(flat.reshape(-1))
        return {name: np.concatenate(each) for name, each in parts.items()}


def _listed(shapes: Mapping[str, torch.Size]) -> str:
    return ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items()) or "nothing"
