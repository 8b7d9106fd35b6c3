"""The first signal asks for a stop, the second one enforces it, and nothing stays behind."""

import signal
import threading

import pytest

from clapp_snn.training.interrupt import stop_on_signal

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@BOTH
def test_the_first_signal_sets_the_flag_and_says_so(
    number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with stop_on_signal() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested
    assert "finishing this step and saving a checkpoint" in capfd.readouterr().err


@BOTH
def test_the_second_signal_stops_at_once(number: signal.Signals) -> None:
    with stop_on_signal():
        signal.raise_signal(number)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


@pytest.mark.parametrize("fails", [False, True])
def test_the_handlers_from_before_come_back(fails: bool) -> None:
    received = []
    original = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        try:
            with stop_on_signal() as stop:
                if fails:
                    raise ArithmeticError
        except ArithmeticError:
            assert fails
        signal.raise_signal(signal.SIGTERM)
        assert received == [signal.SIGTERM]
        assert not stop.requested
    finally:
        signal.signal(signal.SIGTERM, original)


def test_another_thread_leaves_the_handlers_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    inside = []

    def work() -> None:
        with stop_on_signal() as stop:
            inside.append((signal.getsignal(signal.SIGINT), stop.requested))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert inside == [(before, False)]
