"""The benchmark of learning quality, cut short."""

import pytest
import torch

from benchmarks import same_probes
from tests.training import tiny


def test_both_codes_are_probed_on_every_layer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(same_probes, "data_of", lambda config: tiny.dataset(images=30))
    same_probes.compare(width=1 / 32, batch=4, steps=2, seeds=(1,))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == [
        "code", "explicit", "autograd", "explicit", "autograd", "difference",
    ]  # fmt: skip
    values = {line[0]: [float(value) for value in line[2:]] for line in lines[1:3]}
    assert all(len(row) == 6 and all(0 <= value <= 100 for value in row) for row in values.values())
    gaps = [float(value) for value in lines[-1][1:]]
    expected = [a - b for a, b in zip(values["explicit"], values["autograd"], strict=True)]
    torch.testing.assert_close(torch.tensor(gaps), torch.tensor(expected), rtol=0, atol=0.011)
