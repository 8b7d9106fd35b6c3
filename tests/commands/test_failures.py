"""What ends a command in one line, and what must not."""

import numpy as np
import pytest
import torch

from clapp_snn.commands.failures import run_plainly

TOO_MANY = 1 << 58
"""Bytes: more than any machine can address."""


def on_the_gpu() -> None:
    raise torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has\nless."
    )


@pytest.mark.parametrize(
    ("job", "amount"),
    [
        (lambda: torch.empty(TOO_MANY, dtype=torch.uint8), f"{TOO_MANY} bytes"),
        (lambda: np.empty(TOO_MANY, np.uint8), "256. PiB"),
        (on_the_gpu, "20.00 GiB"),
    ],
)
def test_missing_memory_is_one_line(job, amount, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_plainly("clapp-snn train", job) == 1
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert f"({amount} asked for at once); choose a smaller --batch or --width" in printed


def test_other_errors_of_torch_are_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"):
        run_plainly("clapp-snn train", lambda: torch.ones(2) + torch.ones(3))
