"""Stopping between two steps when the user or the scheduler asks for it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDERR = 2


@dataclass
class StopFlag:
    """`requested` turns true with the first signal."""

    requested: bool = False


@contextmanager
def stop_on_signal() -> Iterator[StopFlag]:
    """Yield a flag that the first Ctrl-C (SIGINT) or SIGTERM sets; the second raises KeyboardInterrupt.

    The training loop looks at the flag after every step, saves a checkpoint and leaves. The handlers
    from before are put back at the end. Signals reach only Python's main thread, so in any other
    thread the flag stays false.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if flag.requested:
            raise KeyboardInterrupt
        flag.requested = True
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        # Not `print`: the signal may have come in the middle of one, which must not be entered twice.
        text = f"\n{name}: finishing this step and saving a checkpoint (once more: stop at once)\n"
        os.write(_STDERR, text.encode())

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
