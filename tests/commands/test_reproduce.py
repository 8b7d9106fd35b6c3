"""`clapp-snn reproduce` as a user meets it: table, files, exit status."""

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from clapp_snn.cli import main
from clapp_snn.commands import reproduce as command
from clapp_snn.commands.reproduction_figures import PROTOCOLS, draw
from clapp_snn.neurons.parameters import quantity
from clapp_snn.protocols.bac_firing import BACFiring
from clapp_snn.protocols.dendritic_prediction_learning import DendriticPredictionLearning
from clapp_snn.protocols.multiplexing import Multiplexing
from clapp_snn.protocols.pairing import Pairing
from clapp_snn.protocols.payeur_pairing import PayeurPairing
from clapp_snn.protocols.protocol import Protocol
from clapp_snn.protocols.score_calibration import ScoreCalibration
from clapp_snn.protocols.surprise_gate import SurpriseGate


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_reproduction_prints_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures"
    assert main(["reproduce", "bac", "--out", str(out), "--dt", "0.5"]) == 0
    printed = capsys.readouterr().out
    for expected in (
        "measured",
        "accepted",
        "2 to 4",
        "Larkum",
        "note: The experiment reports faster",
    ):
        assert expected in printed
    assert "OUT OF RANGE" not in printed
    assert sorted(path.name for path in out.iterdir()) == ["bac.csv", "bac.png", "bac_findings.csv"]
    with Image.open(out / "bac.png") as picture:
        assert picture.size[0] > 1000
    findings = rows(out / "bac_findings.csv")
    assert [row["in_range"] for row in findings] == ["true"] * len(findings)
    assert {"sweep", "value", "unit", "action_potentials", "times_ms"} == set(
        rows(out / "bac.csv")[0]
    )


def test_out_of_range_is_told_and_exits_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(frozen=True)
    class Weak(BACFiring):
        apical_peak: float = quantity(200.0, "pA", 0.0, 1e5, "too weak for the dendrite", "test")

    monkeypatch.setitem(command.PROTOCOLS, "bac", Weak)
    monkeypatch.setattr(
        command, "draw", lambda protocol, measured: draw(BACFiring(dt=1.0), measured)
    )
    assert main(["reproduce", "bac", "--out", str(tmp_path), "--dt", "1"]) == 1
    printed = capsys.readouterr()
    assert "OUT OF RANGE" in printed.out
    assert printed.err.count("\n") == 1
    assert "action potentials, both" in printed.err
    assert "false" in {row["in_range"] for row in rows(tmp_path / "bac_findings.csv")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["back"], "Unknown protocol 'back'; known: bac, critical-frequency"),
        (["payeur", "--dt", "1"], "no time step"),
        (["bac", "--dt", "2"], "dt must lie between 0.01 and 1 ms"),
        (["multiplexing", "--dt", "0.3"], "10 ms must be a whole number of steps"),
        (["surprise-gate", "--dt", "0.3"], "whole number of steps"),
    ],
)
def test_bad_requests_are_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", *arguments, "--out", str(tmp_path / "none")]) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "none").exists()


SMALL: list[Protocol] = [
    PROTOCOLS["critical-frequency"](dt=1.0),
    Multiplexing(dt=1.0, neurons=10, duration=100, population=50, switching=500),
    PayeurPairing(synapses=3, duration=5000),
    Pairing(cells=2, pairings=1, window=20),
    DendriticPredictionLearning(neurons=2, repetitions=20, dt=0.25, pattern=50),
    ScoreCalibration(units=8, repeats=10, window=50),
    SurpriseGate(units=8, repeats=20),
]


@pytest.mark.parametrize("protocol", SMALL, ids=lambda protocol: protocol.name)
def test_every_protocol_has_a_figure(protocol: Protocol, tmp_path: Path) -> None:
    figure = draw(protocol, protocol.measure())
    figure.savefig(tmp_path / "figure.png", dpi=40)
    with Image.open(tmp_path / "figure.png") as picture:
        assert len(picture.convert("L").getcolors(256) or []) > 10
    # SubFigures hold the panels of some figures.
    panels = [axes for part in (figure, *figure.subfigs) for axes in part.axes]
    assert all(axes.get_xlabel() or axes.get_ylabel() or axes.lines for axes in panels)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PROTOCOLS))
def test_every_reproduction_is_in_range(name: str, tmp_path: Path) -> None:
    assert main(["reproduce", name, "--out", str(tmp_path)]) == 0
