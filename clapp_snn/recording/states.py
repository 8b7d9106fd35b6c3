"""Monitor of state variables, drives and outputs over time."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clapp_snn.neurons.interface import Inputs, Outputs
from clapp_snn.recording.monitor import StepMonitor
from clapp_snn.recording.selection import Index, axis_columns, flat_indices
from clapp_snn.recording.storage import Column, Table, WhenFull


class StateMonitor(StepMonitor):
    """Values of some variables of some neurons at regular times.

    Args:
        dt: time step of the neurons in ms.
        variables: names of state variables (after the step), drives ("soma", "apical") or outputs ("spike",
            "event", "burst"); a state variable of such a name goes first.
        neurons: which ones, by flat index or by one number an axis; None for all.
        every: interval between samples in steps (1 if neither is given).
        every_ms: the same in ms, a whole multiple of dt. Samples lie at whole multiples of the interval.
        memory_mb: cap on what is kept, in megabytes; it lies on the device of the neurons.
        when_full: "error" raises `MonitorFull` at the cap; "ring" keeps the latest samples.

    Attributes:
        shape: of the neurons, known after the first step.

    Raises ValueError for no or repeated variables or an interval that is no whole number of steps.
    """

    def __init__(
        self,
        dt: float,
        variables: Sequence[str],
        neurons: Sequence[Index] | None = None,
        every: int | None = None,
        every_ms: float | None = None,
        memory_mb: float = 1000.0,
        when_full: WhenFull = "error",
    ) -> None:
        super().__init__(dt, memory_mb, when_full)
        if isinstance(variables, str) or not variables or len(set(variables)) < len(variables):
            raise ValueError(
                "StateMonitor needs a list of different variables, such as ['v_soma']."
            )
        self.variables = tuple(variables)
        self.neurons = neurons
        self.every = interval_steps(every, every_ms, dt)
        self.shape: torch.Size | None = None
        self._indices: Tensor | None = None
        self._table: Table | None = None

    def _record(self, step: int, inputs: Inputs, outputs: Outputs, state: Any) -> None:
        if (step + 1) % self.every:
            return
        values = {
            name: find_variable(name, inputs, outputs, state).detach() for name in self.variables
        }
        if self._table is None:
            self._open(values)
        assert self._table is not None
        for name, value in values.items():
            if value.shape != self.shape:
                raise ValueError(
                    f"StateMonitor watches neurons of shape {tuple(self.shape or ())}, but {name} is "
                    f"{tuple(value.shape)}; use one monitor for each layer."
                )
        rows = {name: self._selected(value)[None] for name, value in values.items()}
        self._table.append(rows | {"step": torch.tensor([step])})

    def _open(self, values: dict[str, Tensor]) -> None:
        first = values[self.variables[0]]
        self._indices = flat_indices(self.neurons, tuple(first.shape))
        if self._indices is not None:
            self._indices = self._indices.to(first.device)
        self.shape = first.shape
        count = first.numel() if self._indices is None else len(self._indices)
        columns = {name: Column(value.dtype, (count,)) for name, value in values.items()}
        self._table = Table(
            columns | {"step": Column(torch.int64)}, self.limit, "StateMonitor", first.device
        )

    def _selected(self, value: Tensor) -> Tensor:
        flat = value.reshape(-1)
        return flat if self._indices is None else flat[self._indices]

    def to_numpy(self) -> dict[str, np.ndarray]:
        """`time_ms` (samples), `neuron` (flat indices) and each variable as (samples, neurons).

        Raises ValueError if nothing was recorded.
        """
        if self._table is None or self.shape is None:
            raise ValueError("StateMonitor has recorded nothing yet.")
        rows = {name: values.numpy() for name, values in self._table.read().items()}
        if self._indices is None:
            neuron = np.arange(self.shape.numel())
        else:
            neuron = self._indices.cpu().numpy()
        return {"time_ms": self._times(rows.pop("step")), "neuron": neuron} | rows

    def _tidy(self) -> dict[str, np.ndarray]:
        rows = self.to_numpy()
        time, neuron = rows.pop("time_ms"), rows.pop("neuron")
        neurons = np.tile(neuron, len(time))
        return (
            {"time_ms": np.repeat(time, len(neuron)), "neuron": neurons}
            | axis_columns(neurons, tuple(self.shape or ()))
            | {name: values.reshape(-1) for name, values in rows.items()}
        )


def interval_steps(every: int | None, every_ms: float | None, dt: float) -> int:
    """An interval given in steps or in ms (or not at all: 1), in steps of `dt` ms.

    Raises ValueError if both are given, or if it is not a whole, positive number of steps.
    """
    if every is not None and every_ms is not None:
        raise ValueError("Give the interval in steps (every) or in ms (every_ms), not both.")
    if every_ms is None:
        steps = 1 if every is None else every
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"every must be a whole number of steps from 1 on, not {steps}.")
        return steps
    if not (math.isfinite(every_ms) and every_ms > 0):
        raise ValueError(f"every_ms must be a positive number of milliseconds, not {every_ms}.")
    steps = round(every_ms / dt)
    if steps < 1 or not math.isclose(steps * dt, every_ms, rel_tol=1e-6):
        raise ValueError(f"every_ms = {every_ms:g} is no whole multiple of dt = {dt:g} ms.")
    return steps


def find_variable(name: str, inputs: Inputs, outputs: Outputs, state: Any) -> Tensor:
    """The tensor of that name in the state, the drives or the outputs.

    Raises ValueError with the known names for an unknown one.
    """
    for place in (state, inputs, outputs):
        if name in place._fields:
            found: Tensor = getattr(place, name)
            return found
    known = [*state._fields, *inputs._fields, *outputs._fields]
    raise ValueError(f"There is no variable {name!r}; known: {', '.join(dict.fromkeys(known))}.")
