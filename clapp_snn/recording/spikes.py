"""Monitors of spikes, events and bursts: they keep which neuron fired in which step, and nothing else."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.neurons.interface import Inputs, Outputs
from clapp_snn.recording.monitor import StepMonitor
from clapp_snn.recording.neo_trains import spike_trains
from clapp_snn.recording.selection import Index, axis_columns, flat_indices
from clapp_snn.recording.storage import Column, Table, WhenFull

if TYPE_CHECKING:
    import neo


class SpikeMonitor(StepMonitor):
    """All somatic spikes, 12 bytes each.

    Args:
        dt: time step of the neurons in ms.
        neurons: which ones, by flat index or by one number an axis; None for all.
        memory_mb: cap on what is kept, in megabytes.
        when_full: "error" raises `MonitorFull` at the cap; "ring" keeps the latest whole steps.

    Attributes:
        shape: of the neurons, known after the first step.

    Looking for spikes on a GPU waits for it in every step.
    """

    port: ClassVar[str] = "spike"

    def __init__(
        self,
        dt: float,
        neurons: Sequence[Index] | None = None,
        memory_mb: float = 1000.0,
        when_full: WhenFull = "error",
    ) -> None:
        super().__init__(dt, memory_mb, when_full)
        self.neurons = neurons
        self.shape: torch.Size | None = None
        self._indices: Tensor | None = None
        self._table = Table(
            {"step": Column(torch.int64), "neuron": Column(torch.int32)},
            self.limit,
            type(self).__name__,
        )

    def _record(self, step: int, inputs: Inputs, outputs: Outputs, state: Any) -> None:
        values: Tensor = getattr(outputs, self.port).detach()
        if self.shape is None:
            self._indices = flat_indices(self.neurons, tuple(values.shape))
            self.shape = values.shape
        elif values.shape != self.shape:
            raise ValueError(
                f"{type(self).__name__} watches neurons of shape {tuple(self.shape)}, not "
                f"{tuple(values.shape)}; use one monitor for each layer."
            )
        flat = values.reshape(-1)
        if self._indices is not None:
            flat = flat[self._indices.to(flat.device)]
        found = flat.nonzero()[:, 0]
        if not bool((flat[found] == 1).all()):
            raise ValueError(
                f"{type(self).__name__} needs outputs of 0 or 1; record the activity of rate neurons with "
                f"StateMonitor(dt, ['{self.port}'])."
            )
        places = found.cpu()
        neuron = places if self._indices is None else self._indices[places]
        self._table.append({"step": torch.full_like(neuron, step), "neuron": neuron})

    @property
    def watched(self) -> np.ndarray:
        """Flat indices of the neurons that are watched; raises ValueError before the first step."""
        if self.shape is None:
            raise ValueError(f"{type(self).__name__} has not seen any step yet.")
        if self._indices is None:
            return np.arange(self.shape.numel())
        return self._indices.numpy()

    def to_numpy(self) -> dict[str, np.ndarray]:
        """`time_ms` (end of the step), `neuron` (flat index) and `step` of every spike, in order of time."""
        rows = {name: values.numpy() for name, values in self._table.read().items()}
        if self._table.lost:
            whole = rows["step"] > rows["step"][0]
            rows = {name: values[whole] for name, values in rows.items()}
        neuron = rows["neuron"].astype(np.int64)
        return {"time_ms": self._times(rows["step"]), "neuron": neuron, "step": rows["step"]}

    def _tidy(self) -> dict[str, np.ndarray]:
        rows = self.to_numpy()
        return rows | axis_columns(rows["neuron"], tuple(self.shape or ()))

    @property
    def kept_spans(self) -> list[tuple[int, int]]:
        """As `spans`, but without the time that a full ring has forgotten."""
        if not self._table.lost:
            return self.spans
        first = int(self._table.read()["step"][0]) + 1
        return [(max(first, start), end) for start, end in self.spans if end > first]

    def rates(self) -> Float[np.ndarray, "neuron"]:
        """Mean rate of each watched neuron in Hz; raises ValueError if no time was recorded."""
        steps = sum(end - start for start, end in self.kept_spans)
        if not steps:
            raise ValueError(f"{type(self).__name__} has recorded no time, so there is no rate.")
        counts = np.bincount(self.to_numpy()["neuron"], minlength=int(self.watched.max()) + 1)
        return counts[self.watched] / (steps * self.dt * 1e-3)

    def to_neo(self) -> "list[neo.SpikeTrain]":
        """One Neo spike train in ms for each watched neuron, silent ones included, ready for Elephant.

        A train runs from the first to the last recorded moment. Its annotations are the `neuron`, the `kind`
        ("spike", "event" or "burst") and `recorded_ms`, the periods in which the monitor was recording.

        Raises ImportError without Neo (extra "neo"), ValueError if nothing was recorded.
        """
        spans = [(start * self.dt, end * self.dt) for start, end in self.kept_spans]
        if not spans:
            raise ValueError(f"{type(self).__name__} has recorded no time, so there is no train.")
        rows = self.to_numpy()
        return spike_trains(rows["time_ms"], rows["neuron"], self.watched, spans, self.port)


class EventMonitor(SpikeMonitor):
    """Events: isolated spikes and first spikes of bursts. As `SpikeMonitor` otherwise."""

    port = "event"


class BurstMonitor(SpikeMonitor):
    """Bursts, at the spike at which the neuron model labels them. As `SpikeMonitor` otherwise."""

    port = "burst"
