"""What all monitors share: switching on and off, a memory cap, tables; and the clock of step monitors."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from clapp_snn.neurons.interface import Inputs, Outputs
from clapp_snn.recording.optional import optional
from clapp_snn.recording.storage import Limit, WhenFull

if TYPE_CHECKING:
    import pandas

Seen = ParamSpec("Seen")


class Monitor(ABC):
    """Base of all monitors; a new one records at once.

    Args:
        memory_mb: cap on what is kept, in megabytes.
        when_full: "error" raises `MonitorFull` at the cap; "ring" keeps the latest.

    Raises ValueError for a cap that is not positive or another word.
    """

    def __init__(self, memory_mb: float = 1000.0, when_full: WhenFull = "error") -> None:
        self.limit = Limit(memory_mb, when_full)
        self.active = True

    def start(self) -> None:
        """Record from now on."""
        self.active = True

    def stop(self) -> None:
        """Keep what there is and record nothing until `start`."""
        self.active = False

    @abstractmethod
    def to_numpy(self) -> dict[str, np.ndarray]:
        """Everything recorded, by name."""

    @abstractmethod
    def _tidy(self) -> dict[str, np.ndarray]:
        """Columns of equal length, one observation a row."""

    def to_pandas(self) -> "pandas.DataFrame":
        """Everything recorded as a tidy table: one observation a row, one variable a column.

        Raises ImportError without pandas (extra "pandas").
        """
        frame: pandas.DataFrame = optional("pandas", "pandas").DataFrame(self._tidy())
        return frame


class StepMonitor(Monitor):
    """A monitor that watches neurons step by step: pass it as `observe` to `simulate` or to a `Layer`.

    Its clock runs on through several simulations, whether it records or not. What happens in step k is
    stamped with the end of that step, (k + 1) dt.

    Args:
        dt: time step of the neurons in ms.
        memory_mb, when_full: see `Monitor`.

    Attributes:
        spans: first and last step (exclusive) of every period in which it recorded.

    Raises ValueError unless dt > 0.
    """

    def __init__(self, dt: float, memory_mb: float = 1000.0, when_full: WhenFull = "error") -> None:
        super().__init__(memory_mb, when_full)
        if not (math.isfinite(dt) and dt > 0):
            raise ValueError(f"dt must be a positive number of milliseconds, not {dt}.")
        self.dt = dt
        self.spans: list[tuple[int, int]] = []
        self._clock: int | None = None
        self._index = 0

    def __call__(self, step: int, inputs: Inputs, outputs: Outputs, state: Any) -> None:
        """Same as `observe`, so that a monitor is an observer itself."""
        self.observe(step, inputs, outputs, state)

    def observe(self, step: int, inputs: Inputs, outputs: Outputs, state: Any) -> None:
        """Look at one step.

        Args:
            step: index as the simulation counts; the next one, or 0 where another simulation begins.
            inputs, outputs, state: of that step, as neurons give them.

        Raises ValueError for a step that is neither, or neurons of another shape than before; MonitorFull
        at the memory cap.
        """
        if self._clock is None:
            self._clock = step
        elif step in (self._index + 1, 0):
            self._clock += 1
        else:
            raise ValueError(
                f"{type(self).__name__} saw step {self._index} and then step {step}: it must see every step."
            )
        self._index = step
        if not self.active:
            return
        self._record(self._clock, inputs, outputs, state)
        if self.spans and self.spans[-1][1] == self._clock:
            self.spans[-1] = (self.spans[-1][0], self._clock + 1)
        else:
            self.spans.append((self._clock, self._clock + 1))

    @abstractmethod
    def _record(self, step: int, inputs: Inputs, outputs: Outputs, state: Any) -> None:
        """Keep what this monitor is for."""

    @property
    def duration_ms(self) -> float:
        """Time recorded, pauses left out."""
        return sum(last - first for first, last in self.spans) * self.dt

    def _times(self, steps: np.ndarray) -> np.ndarray:
        return (steps + 1) * self.dt


def together(*observers: Callable[Seen, None]) -> Callable[Seen, None]:
    """One observer (or watcher of areas) that hands every step to all of them, in this order."""

    def observe(*args: Seen.args, **kwargs: Seen.kwargs) -> None:
        for each in observers:
            each(*args, **kwargs)

    return observe
