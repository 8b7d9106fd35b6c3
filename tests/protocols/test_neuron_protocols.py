"""BAC firing, critical frequency and multiplexing against the numbers of independent simulations."""

import pytest
import torch

from clapp_snn.protocols.bac_firing import BACFiring, BACMeasurement
from clapp_snn.protocols.critical_frequency import CriticalFrequency, critical_frequency
from clapp_snn.protocols.multiplexing import BIN, LAGS, Multiplexing, following
from clapp_snn.protocols.multiplexing_reference import APICAL, GRID


@pytest.fixture(scope="module")
def bac() -> BACMeasurement:
    return BACFiring().measure()


def test_bac_firing_at_the_reference_step(bac: BACMeasurement) -> None:
    """Spike times of Brian2 2.9 at dt = 0.1 ms, to the step."""
    traces = bac.traces
    assert traces.spike_times(0) == pytest.approx([54.2])
    assert traces.spike_times(1) == []
    assert traces.spike_times(2) == pytest.approx([54.2, 67.5, 81.6])
    assert traces.spike_times(3) == pytest.approx([66.0, 77.6])
    assert len(traces.spike_times(4)) == 1
    assert all(finding.ok for finding in BACFiring().findings(bac))


def test_thresholds_and_window(bac: BACMeasurement) -> None:
    """Thresholds 950 / 425 / 1725 pA, windows -13..9 and -5..9 ms: the same simulation."""
    assert float(bac.apical_pA[bac.alone >= 1].min()) == 950
    assert float(bac.apical_pA[bac.paired >= 2].min()) == 425
    assert float(bac.soma_pA[bac.soma_alone >= 1].min()) == 1725
    for count, ends in ((2, (-13, 9)), (3, (-5, 9))):
        lags = bac.lags[bac.at_lag >= count]
        assert (float(lags.min()), float(lags.max())) == ends


def test_without_plateau_current_there_is_no_burst_to_find() -> None:
    """A pulse too weak for the dendrite is out of range: the protocol can fail."""
    protocol = BACFiring(dt=1.0, apical_peak=200.0)
    findings = {finding.name: finding for finding in protocol.findings(protocol.measure())}
    assert not findings["action potentials, both"].ok
    assert not findings["shortest interval in the burst"].ok
    assert findings["action potentials, soma only"].ok


def test_critical_frequency() -> None:
    protocol = CriticalFrequency(dt=0.2)
    measured = protocol.measure()
    assert all(finding.ok for finding in protocol.findings(measured))
    assert critical_frequency(measured) == pytest.approx(85, abs=5)
    never = measured._replace(above=torch.zeros_like(measured.above))
    assert critical_frequency(never) != critical_frequency(never)
    ok = {finding.name: finding.ok for finding in protocol.findings(never)}
    assert not ok["critical frequency"]
    assert not ok["dendrite above E_d at 90 Hz"]
    # Every range can be left: a cell that always answered, with a plateau of 50 ms.
    always = measured._replace(above=torch.full_like(measured.above, 50.0))
    failed = [finding.name for finding in protocol.findings(always) if not finding.ok]
    assert {"critical frequency", "dendrite above E_d at 80 Hz", "dendrite above E_d at 90 Hz"} <= {
        *failed
    }


def test_reference_grid_is_whole() -> None:
    assert len(GRID) == 5 * len(APICAL)
    by_current = {(point.soma, point.apical): point for point in GRID}
    assert by_current[300.0, 200.0][2:] == (6.775, 0.1812)


def test_following_finds_a_delayed_copy() -> None:
    torch.manual_seed(0)
    current = (torch.rand(300) < 0.5).float()
    for lag in range(LAGS):
        delayed = torch.cat([torch.zeros(lag), current[: len(current) - lag]])
        assert following(delayed, current) == pytest.approx(1, abs=1e-5)
        assert following(-delayed, current) == pytest.approx(-1, abs=1e-5)
    # Independent series: |r| of 6 lags stays under 4.5 standard errors, 1 / sqrt(300 - 5) each.
    assert abs(following(torch.rand(300), current)) < 4.5 / 295**0.5


def test_multiplexing_small() -> None:
    """The strict models are invariant at any size; rates and probabilities at the scale of the reference."""
    protocol = Multiplexing(dt=1.0, neurons=30, duration=1000, population=400, switching=500)
    measured = protocol.measure(seed=1)
    assert measured.channels["L2"].changed == 0
    assert measured.channels["L3"].changed == 0
    for channels in measured.channels.values():
        assert len(channels.events) == 500 / BIN
        assert (channels.bursts <= channels.events).all()
        high, low = (channels.events[measured.soma == level].mean() for level in (1.0, 0.0))
        assert high > 2 * low
        on, off = (channels.probability[measured.apical == level].mean() for level in (1.0, 0.0))
        assert on > 1.3 * off
    for point, reference in zip(measured.grid, GRID, strict=True):
        # Counts of 30 neurons in 1 s: 4.5 Poisson standard errors (events are more regular), 5 % for dt.
        error = 4.5 * (reference.event_rate / 30) ** 0.5 + 0.05 * reference.event_rate
        assert point.event_rate == pytest.approx(reference.event_rate, abs=error)
    findings = protocol.findings(measured)
    assert [finding.ok for finding in findings[-2:]] == [True, True]
    assert len(protocol.records(measured)) == len(GRID)
