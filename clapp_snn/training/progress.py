"""What the user sees while a network trains: a live display, or a line now and then in a log file."""

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

# Seconds after which a measured speed counts half.
_HALF_LIFE = 20.0


class TrainingProgress:
    """Shows step, speed, loss and gate fraction of every area, and the time left.

    In a terminal one live bar; elsewhere a plain line every `interval` seconds; nothing with `quiet`.
    `start`: steps done by earlier sessions. `unit`: what speed counts. `gate`: what the fractions are called;
    None does not show them. `clock`: seconds, monotonic.
    """

    def __init__(
        self,
        total: int,
        *,
        start: int = 0,
        quiet: bool = False,
        unit: str = "images",
        gate: str | None = "gate",
        interval: float = 30.0,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._interval = interval
        self._quiet = quiet
        self._unit = unit
        self._gate = gate
        self._losses: Sequence[float] = ()
        self._gates: Sequence[float] = ()
        self._console = console or Console(stderr=True)
        self._clock = clock
        self._step = start
        self._time = self._line_time = clock()
        self._samples_rate = 0.0
        self._steps_rate = 0.0
        self._weight = 0.0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    @property
    def samples_per_second(self) -> float:
        """Recent speed of this session."""
        return self._samples_rate / self._weight if self._weight else 0.0

    @property
    def seconds_left(self) -> float:
        """At the recent speed; infinite before the first update."""
        remaining = self._total - self._step
        return remaining * self._weight / self._steps_rate if self._steps_rate else float("inf")

    def update(
        self,
        step: int,
        samples: int,
        losses: Sequence[float] | None = None,
        gates: Sequence[float] = (),
    ) -> None:
        """Report that `step` steps are done, with `samples` samples since the last report.

        `losses` and `gates` (fraction of samples that learn, 0 to 1) have one entry an area; without them the
        last ones stay.
        """
        if losses is not None:
            self._losses, self._gates = losses, gates
        now = self._clock()
        self._measure(now - self._time, step - self._step, samples)
        self._step, self._time = step, now
        if self._quiet:
            return
        status = self._status()
        if self._bar is not None:
            self._bar.update(self._task, completed=step, status=status)
        elif step >= self._total or now - self._line_time >= self._interval:
            self._line_time = now
            self._console.print(
                f"step {step}/{self._total}  {status}",
                soft_wrap=True,
                highlight=False,
                markup=False,
            )

    def message(self, text: str) -> None:
        """Print a line above the display, also where there is none; nothing with `quiet`."""
        if not self._quiet:
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._bar = Progress(
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TextColumn("{task.fields[status]}", markup=False),
                console=self._console,
            )
            self._task = self._bar.add_task("", total=self._total, completed=self._step, status="")
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _status(self) -> str:
        parts = [f"{self.samples_per_second:.0f} {self._unit}/s"]
        if self._losses:
            parts.append("loss " + " ".join(_number(loss, ".3f") for loss in self._losses))
        if self._gates and self._gate:
            shares = " ".join(_number(100 * gate, ".0f") for gate in self._gates)
            parts.append(f"{self._gate} {shares} %")
        parts.append(f"{format_duration(self.seconds_left)} left")
        return "  ".join(parts)

    def _measure(self, seconds: float, steps: int, samples: int) -> None:
        """Means over the recent past: sums that decay with time, divided by their summed weight."""
        decay = 0.5 ** (seconds / _HALF_LIFE)
        self._samples_rate = self._samples_rate * decay + samples
        self._steps_rate = self._steps_rate * decay + steps
        self._weight = self._weight * decay + seconds


def _number(value: float, form: str) -> str:
    """A dash for what was not measured."""
    return "-" if math.isnan(value) else format(value, form)


def format_duration(seconds: float) -> str:
    """`1:02:03`, with hours only if there are any; `?` for an unknown time."""
    if seconds == float("inf"):
        return "?"
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02d}:{second:02d}" if hour else f"{minute}:{second:02d}"
