"""Configurations: refused when impossible, the same after a round trip."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clapp_snn.methods import METHODS
from clapp_snn.training.config import (
    TrainConfig,
    from_mapping,
    read_config,
    require_same,
    to_yaml,
    write_config,
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "clap"}, "Unknown method 'clap'"),
        ({"width": 0.0}, "width must be positive"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"batch": 48}, "does not split into groups of 32"),
        ({"group": 1}, "needs another image"),
        ({"epochs": -1}, "epochs must not be negative"),
        ({"checkpoint_every": 0}, "checkpoint_every"),
        ({"milestones": -5}, "milestones"),
        ({"engine": "native", "precision": "bfloat16"}, "float32 only"),
        ({"engine": "native", "device": "cuda"}, "CPU only"),
        ({"sharing": "paper"}, "one partner image per image"),
        ({"sharing": "paper", "method": "cpc"}, "one partner image per image"),
        ({"width": -1, "keep": 0}, "width must be positive and finite, not -1; keep"),
        ({"width": float("inf")}, "width must be positive and finite, not inf"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive and finite, not nan"),
    ],
)
def test_impossible_configurations_name_every_problem(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options)  # type: ignore[arg-type]


@given(
    method=st.sampled_from(sorted(METHODS)),
    width=st.floats(0.01, 4),
    batch=st.sampled_from([2, 8, 32, 128]),
    epochs=st.none() | st.integers(0, 1000),
    out=st.none() | st.just(Path("runs/x y")),
    seed=st.integers(0, 2**31),
)
def test_yaml_round_trip(tmp_path_factory: pytest.TempPathFactory, **values: object) -> None:
    config = TrainConfig(**values)  # type: ignore[arg-type]
    folder = tmp_path_factory.mktemp("run")
    write_config(folder, config)
    assert read_config(folder) == config
    assert (folder / "config.yaml").read_text() == to_yaml(config)


def test_unknown_keys_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown options \['lr'\]"):
        from_mapping({"lr": 1}, "a.yaml")
    with pytest.raises(ValueError, match="mapping"):
        from_mapping([1], "a.yaml")
    with pytest.raises(FileNotFoundError, match="not the folder of a run"):
        read_config(tmp_path)
    (tmp_path / "config.yaml").write_text("a: [")
    with pytest.raises(ValueError, match="not valid YAML"):
        read_config(tmp_path)


def test_only_bookkeeping_may_change_on_resume() -> None:
    saved = TrainConfig(steps=10)
    require_same(saved, TrainConfig(steps=20, log_every=1, keep=5, milestones=3))
    with pytest.raises(ValueError, match=r"seed: 2 -> 3"):
        require_same(saved, TrainConfig(steps=10, seed=3))


def test_a_decay_fixes_the_length_of_the_run() -> None:
    saved = TrainConfig(steps=10, decay=0.5)
    require_same(saved, TrainConfig(steps=10, decay=0.5, keep=5))
    with pytest.raises(ValueError, match=r"steps: 10 -> 20"):
        require_same(saved, TrainConfig(steps=20, decay=0.5))
    with pytest.raises(ValueError, match="between 0 and 1"):
        TrainConfig(decay=1.5)


def test_paper_sharing_is_for_clapp() -> None:
    assert TrainConfig(method="clapp", sharing="paper").sharing == "paper"
    assert TrainConfig(batch=8).samples_in_group == 8
    assert TrainConfig(batch=128).samples_in_group == 32
    assert TrainConfig(data="stl10:a/b").folder() == Path("runs/clapp-s-b-w1-s2")
