"""The benchmark that compares both float32 codes with double precision, cut short."""

import pytest

from benchmarks import same_weights
from clapp_snn.training.config import TrainConfig
from tests.training import tiny


@pytest.mark.parametrize("method", ["clapp", "clapp-s"])
def test_after_one_step_both_codes_are_where_double_precision_is(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(same_weights, "data_of", lambda config: tiny.dataset(images=30))
    config = TrainConfig(method=method, width=1 / 32, batch=4, learning_rate=1e-3, seed=1)
    found = same_weights.departures(config, 1, (1,))
    assert set(found[1]) == {"autograd", "explicit"}
    for shares in found[1].values():
        assert len(shares) == 6
        # Adam's first step divides every update by its own size, so rounding of tiny ones counts.
        assert max(shares) < 0.02


def test_a_wrong_update_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_weights, "data_of", lambda config: tiny.dataset(images=30))
    right = same_weights.make

    def wrong(code: str, config: TrainConfig, classes: int):  # type: ignore[no-untyped-def]
        learner = right(code, config, classes)
        if code == "explicit":
            learner.set_learning_rate(0.9 * config.learning_rate)
        return learner

    monkeypatch.setattr(same_weights, "make", wrong)
    config = TrainConfig(method="clapp-s", width=1 / 32, batch=4, learning_rate=1e-3, seed=1)
    found = same_weights.departures(config, 1, (1,))[1]
    assert max(found["autograd"]) < 0.02
    assert min(found["explicit"]) > 0.05


def test_a_row_for_every_look_and_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(same_weights, "data_of", lambda config: tiny.dataset(images=30))
    same_weights.compare(
        methods=("clapp-s",), width=1 / 32, batch=4, steps=2, looks=(1, 2), seeds=(1,)
    )
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[2:4] for row in rows] == [
        ["1", "autograd"], ["1", "explicit"], ["2", "autograd"], ["2", "explicit"],
    ]  # fmt: skip
