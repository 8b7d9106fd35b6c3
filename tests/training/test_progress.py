"""The progress display tells true speeds and keeps quiet where nobody watches."""

import io

import pytest
from rich.console import Console

from clapp_snn.methods import get_method
from clapp_snn.training.progress import TrainingProgress, format_duration


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def log_console() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=80)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_speed_and_time_left_at_a_constant_pace() -> None:
    clock = Clock()
    progress = TrainingProgress(1000, start=100, quiet=True, clock=clock)
    assert progress.samples_per_second == 0
    assert progress.seconds_left == float("inf")
    for step in range(101, 201):
        clock.now += 0.5
        progress.update(step, 16, [1.0], [0.5])
    assert progress.samples_per_second == pytest.approx(32)
    assert progress.seconds_left == pytest.approx(800 * 0.5)


def test_speed_follows_a_change_within_a_minute() -> None:
    clock = Clock()
    progress = TrainingProgress(10_000, quiet=True, clock=clock)
    for step in range(1, 1001):
        clock.now += 1.0 if step <= 900 else 2.0
        progress.update(step, 10, [], [])
    assert 5.0 < progress.samples_per_second < 5.1


def test_a_log_file_gets_one_line_an_interval_and_a_last_one() -> None:
    clock, console = Clock(), log_console()
    with TrainingProgress(100, interval=30, console=console, clock=clock) as progress:
        for step in range(1, 101):
            clock.now += 1
            progress.update(step, 32, [1.5, 0.25], [0.5, 0.061])
    written = text(console).splitlines()
    assert [line.split()[1] for line in written] == ["30/100", "60/100", "90/100", "100/100"]
    assert written[0] == "step 30/100  32 images/s  loss 1.500 0.250  gate 50 6 %  1:10 left"
    assert "\x1b" not in text(console)


def test_steps_between_losses_are_shown_with_the_last_ones() -> None:
    clock, console = Clock(), log_console()
    with TrainingProgress(100, interval=30, console=console, clock=clock, gate="error") as progress:
        for step in range(1, 71):
            clock.now += 1
            known = ([1.5], [0.5]) if step == 50 else ()
            progress.update(step, 4, *known)
    assert text(console).splitlines() == [
        "step 30/100  4 images/s  1:10 left",
        "step 60/100  4 images/s  loss 1.500  error 50 %  0:40 left",
    ]


def test_what_is_no_gate_is_not_shown() -> None:
    console = log_console()
    with TrainingProgress(1, console=console, gate=None) as progress:
        progress.update(1, 1, [1.0], [0.9])
    assert "gate" not in text(console)
    assert "90" not in text(console)
    names = {
        name: get_method(name).gate_name for name in ("clapp", "clapp-pp", "supervised", "cpc")
    }
    assert names == {"clapp": "gate", "clapp-pp": "gate", "supervised": "error", "cpc": None}


def test_a_long_line_is_not_broken() -> None:
    console = log_console()
    with TrainingProgress(1, console=console) as progress:
        progress.update(1, 1, [1.0] * 20, [1.0] * 20)
    assert len(text(console).splitlines()) == 1


def test_a_terminal_gets_a_live_bar() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with TrainingProgress(4, console=console) as progress:
        progress.update(4, 32, [1.5], [0.5])
        progress.message("saved [checkpoint]")
    assert "4/4" in text(console)
    assert "loss 1.500" in text(console)
    assert "saved [checkpoint]" in text(console)
    assert "\x1b[" in text(console)


@pytest.mark.parametrize("terminal", [False, True])
def test_quiet_prints_nothing(terminal: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal)
    with TrainingProgress(1, quiet=True, console=console) as progress:
        progress.update(1, 1, [1.0], [1.0])
        progress.message("hello")
    assert text(console) == ""


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3723, "1:02:03"), (float("inf"), "?")],
)
def test_durations(seconds: float, expected: str) -> None:
    assert format_duration(seconds) == expected
