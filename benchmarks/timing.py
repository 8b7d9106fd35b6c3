"""Wall and CPU time of a run."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Time(NamedTuple):
    """Seconds of one run."""

    wall: float
    cpu: float


def fastest(run: Callable[[], object], seconds: float) -> Time:
    """Shortest wall and shortest CPU time of a run within `seconds`; at least one run."""
    best, end = Time(float("inf"), float("inf")), time.perf_counter() + seconds
    while best.wall == float("inf") or time.perf_counter() < end:
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        now = Time(time.perf_counter() - wall, time.process_time() - cpu)
        best = Time(min(best.wall, now.wall), min(best.cpu, now.cpu))
    return best
