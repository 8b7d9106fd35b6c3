"""Protocols as objects: findings, tidy records, reproducible numbers."""

import math

import pytest

from clapp_snn.commands.reproduction_figures import PROTOCOLS
from clapp_snn.protocols.bac_firing import BACFiring
from clapp_snn.protocols.critical_frequency import CriticalFrequency
from clapp_snn.protocols.pairing import Pairing
from clapp_snn.protocols.protocol import Finding, Protocol, exactly
from clapp_snn.protocols.surprise_gate import SurpriseGate

SMALL: list[Protocol] = [
    BACFiring(dt=1.0),
    CriticalFrequency(dt=1.0),
    Pairing(cells=5, pairings=2, window=20),
    SurpriseGate(units=8, repeats=20),
]


@pytest.mark.parametrize(
    ("measured", "inside"),
    [(1.0, True), (2.0, True), (2.1, False), (0.9, False), (math.nan, False)],
)
def test_a_finding_knows_its_range(measured: float, inside: bool) -> None:
    assert Finding("x", measured, "ms", 1.5, 1.0, 2.0, "source").ok is inside


def test_exactly_accepts_one_value() -> None:
    assert exactly("count", 3, 3, "source").ok
    assert not exactly("count", 2, 3, "source").ok


@pytest.mark.parametrize("protocol", SMALL, ids=lambda protocol: protocol.name)
def test_records_are_tidy_and_the_seed_decides(protocol: Protocol) -> None:
    first, again = (protocol.records(protocol.measure(seed=3)) for _ in range(2))
    assert first == again
    assert len({tuple(row) for row in first}) == 1  # one set of columns
    assert all(isinstance(value, (str, int, float)) for row in first for value in row.values())


@pytest.mark.parametrize("protocol", SMALL, ids=lambda protocol: protocol.name)
def test_every_finding_names_its_source_and_contains_what_it_expects(protocol: Protocol) -> None:
    for finding in protocol.findings(protocol.measure()):
        assert finding.source
        assert finding.low <= finding.expected <= finding.high


def test_random_numbers_follow_the_seed() -> None:
    protocol = SurpriseGate(units=8, repeats=20)
    first, other = (protocol.measure(seed)[200.0].u_hat for seed in (0, 1))
    assert (first != other).any()


def test_settings_have_units_ranges_and_sources() -> None:
    for kind in PROTOCOLS.values():
        for entry in kind().quantities():
            assert entry.source
            assert entry.low is not None
            assert entry.meaning
    with pytest.raises(ValueError, match="apical_peak must lie between"):
        BACFiring(apical_peak=-1.0)


def test_names_and_titles_are_unique() -> None:
    assert set(PROTOCOLS) == {
        "bac", "critical-frequency", "multiplexing", "payeur", "aceituno", "urbanczik-senn",
        "score-calibration", "surprise-gate",
    }  # fmt: skip
    assert len({kind.title for kind in PROTOCOLS.values()}) == len(PROTOCOLS)
