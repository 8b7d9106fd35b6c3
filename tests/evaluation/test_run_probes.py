from pathlib import Path

import pytest

from clapp_snn.evaluation.linear_probe import LinearProbeSettings
from clapp_snn.evaluation.probe_table import ProbeRow
from clapp_snn.evaluation.run_probes import ProbeSettings, run_probes
from tests.evaluation.fakes import MatrixEncoder, dataset

SETTINGS = ProbeSettings(shots=3, episodes=5, paper=LinearProbeSettings(epochs=2))
ENCODERS = {"trained": MatrixEncoder(seed=1), "random": MatrixEncoder()}


def test_every_protocol_has_trained_random_and_pixels(tmp_path: Path) -> None:
    seen: list[ProbeRow] = []
    table = run_probes(
        ENCODERS, dataset(), ("fast", "few-shot", "paper"), 4, settings=SETTINGS,
        state_folder=tmp_path, on_row=seen.append,
    )  # fmt: skip
    assert seen == table.rows
    for protocol in ("fast", "few-shot", "paper"):
        found = {(r.encoder, r.layer) for r in table.rows if r.protocol == protocol}
        assert found == {
            ("trained", 1), ("trained", 2), ("random", 1), ("random", 2), ("pixels", 0)
        }  # fmt: skip
    assert {row.seed for row in table.rows} == {4}
    assert {path.name for path in tmp_path.iterdir()} == {
        "probe_trained_4.safetensors", "probe_random_4.safetensors"
    }  # fmt: skip


def test_without_baselines_the_others_stay_what_they_are() -> None:
    protocols = ("fast", "few-shot", "paper")
    whole = run_probes(ENCODERS, dataset(), protocols, settings=SETTINGS)
    trained = {"trained": ENCODERS["trained"]}
    alone = run_probes(trained, dataset(), protocols, settings=SETTINGS, baselines=False)
    assert alone.rows == [row for row in whole.rows if row.encoder == "trained"]


def test_a_probe_without_random_init_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an encoder named 'random'"):
        run_probes({"trained": MatrixEncoder()}, dataset())
    with pytest.raises(ValueError, match="Unknown probe protocol fastest"):
        run_probes(ENCODERS, dataset(), ("fastest",))
    with pytest.raises(ValueError, match="none given"):
        run_probes(ENCODERS, dataset(), ())
    with pytest.raises(ValueError, match="No encoder may be named 'pixels'"):
        run_probes({**ENCODERS, "pixels": MatrixEncoder()}, dataset())
