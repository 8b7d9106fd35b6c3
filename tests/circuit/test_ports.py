"""Ports: from summed input and prediction to drives, checked against what the neurons then do."""

import math

import pytest
import torch
from torch import Tensor

from clapp_snn.circuit import soma_calibration
from clapp_snn.circuit.ports import (
    EventBurstPort,
    LIFPort,
    LinearLIFPort,
    NaudSprekelerPort,
    RatePort,
    StrictBurstPort,
    port_of,
)
from clapp_snn.circuit.soma_calibration import (
    NAUD_SPREKELER,
    STRICT_BURST,
    interpolate,
    measure_event_rates,
)
from clapp_snn.neurons import strict_burst
from clapp_snn.neurons.adex import AdEx
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Inputs, Layer
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, NaudSprekelerParameters
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst, StrictBurstParameters
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF, TwoCompartmentLIFParameters
from tests.circuit.test_coincidence import rows


def test_every_neuron_of_the_circuit_has_its_port() -> None:
    pairs = [
        (Rate(), RatePort),
        (EventBurst(), EventBurstPort),
        (StrictBurst(), StrictBurstPort),
        (NaudSprekeler(), NaudSprekelerPort),
        (TwoCompartmentLIF(), LIFPort),
    ]
    for neuron, port in pairs:
        assert type(port_of(neuron)) is port
    with pytest.raises(ValueError, match="No port is known for AdEx"):
        port_of(AdEx())


def test_the_dendrite_of_l2_needs_190_pa_for_the_default_baseline() -> None:
    port = StrictBurstPort(StrictBurst())
    assert port.offset == pytest.approx(190, abs=1)
    assert port.width == pytest.approx(6 / 0.02682, rel=1e-3)


def test_burst_probability_of_l2_is_the_opponent_sigmoid() -> None:
    """sigmoid(logit p0 + s zhat), from the neuron's own closed form."""
    port = StrictBurstPort(StrictBurst(), p0=0.25).double()
    zhat = torch.linspace(-2, 2, 9, dtype=torch.float64)
    s = 1.3
    current = port.apical(zhat, torch.tensor(s * 0.25 * 0.75, dtype=torch.float64))
    p = strict_burst.burst_probability(current, StrictBurstParameters())
    expected = torch.sigmoid(math.log(0.25 / 0.75) + s * zhat)
    torch.testing.assert_close(p, expected, rtol=1e-6, atol=0)


def standard_error(rate: float, seconds: float, measured: float) -> float:
    """Of the difference of two measured rates; intervals of these neurons are more regular than Poisson's."""
    return math.sqrt(rate / seconds + rate / measured)


@pytest.mark.parametrize(
    ("neuron", "table", "apical"),
    [(StrictBurst(), STRICT_BURST, 190.0), (NaudSprekeler(), NAUD_SPREKELER, 224.0)],
)
def test_the_stored_curves_are_those_of_the_neurons(neuron, table, apical) -> None:
    """A fresh measurement of 600 s a point agrees within 4.5 standard errors (stored: 16 000 s)."""
    points = [6, 10, 16, 22, 25]
    currents = tuple(table.current[i] for i in points)
    fresh = measure_event_rates(neuron, currents, apical, neurons=400, seconds=1.5, seed=8)
    for i, rate in zip(points, fresh.rate, strict=True):
        error = standard_error(table.rate[i], 600, 16_000)
        assert abs(rate - table.rate[i]) < 4.5 * error, table.current[i]


def test_the_stored_curve_of_l2_agrees_with_an_independent_measurement() -> None:
    """Golden event rates at dt 1 ms and any apical current: 5 %, because there bursts reset the clock, and 3
    standard errors of 2000 neuron-seconds."""
    compared = 0
    for row in rows("hybrid_neuron.csv"):
        current, rate = row["I_s_pA"], row["event_rate_Hz"]
        if row["dt_ms"] == 1 and current > 0:
            ours = STRICT_BURST.rate[STRICT_BURST.current.index(current)]
            assert abs(ours / rate - 1) < 0.05 + 3 / math.sqrt(rate * 2000)
            compared += 1
    assert compared >= 5


@pytest.mark.parametrize(
    "port", [StrictBurstPort(StrictBurst()), NaudSprekelerPort(NaudSprekeler())]
)
def test_somatic_current_inverts_the_curve(port) -> None:
    port = port.double()
    a = torch.linspace(0.05, 3, 20, dtype=torch.float64)
    rate = interpolate(port.soma(a), port.currents, port.rates)
    torch.testing.assert_close(rate, port.rho * a, rtol=1e-6, atol=1e-6)
    assert float(port.soma(torch.tensor(-5.0))) == float(port.currents[0])
    assert float(port.soma(torch.tensor(1e3))) == float(port.currents[-1])


def test_other_parameters_need_their_own_curve() -> None:
    params = StrictBurstParameters(tau_soma=20.0)
    with pytest.raises(ValueError, match="measure_event_rates"):
        StrictBurstPort(StrictBurst(params))
    neuron = StrictBurst(params)
    curve = measure_event_rates(neuron, (0.0, 300.0, 600.0), neurons=20, seconds=0.5)
    assert StrictBurstPort(neuron, calibration=curve).rates.tolist() == pytest.approx(curve.rate)
    with pytest.raises(ValueError, match="measure_event_rates"):
        NaudSprekelerPort(NaudSprekeler(NaudSprekelerParameters(c_soma=300.0)))


def test_rho_must_be_positive() -> None:
    with pytest.raises(ValueError, match="rho must be a positive"):
        LIFPort(TwoCompartmentLIF(), rho=0.0)


def events_and_bursts(neuron: TwoCompartmentLIF, soma: Tensor, apical: Tensor, steps: int):
    inputs = Inputs(soma.expand(steps, -1), apical.expand(steps, -1))
    outputs, _ = Layer(neuron)(inputs)
    return outputs.event, outputs.burst


def test_l0_fires_with_the_period_of_its_rate_to_the_nearest_step() -> None:
    """The first event comes after one period; silence at and below 0."""
    neuron = TwoCompartmentLIF()
    port = LIFPort(neuron)
    a = torch.tensor([-1.0, 0.0, 0.31, 0.77, 1.3, 2.9, 17.0], dtype=torch.float64)
    event, _ = events_and_bursts(neuron, port.soma(a), torch.zeros_like(a), 400)
    assert event[:, :2].sum() == 0
    for j in range(2, 7):
        times = event[:, j].nonzero().flatten() + 1
        period = 1 / (20 * float(a[j]) * 0.001)
        assert float(times[0]) == round(period)
        assert set(times.diff().tolist()) <= {round(period)}


def test_linear_l0_is_charged_by_events_times_weights() -> None:
    """W x + b at x = events / (rho dt) is W times the events of the step, and a constant."""
    neuron = TwoCompartmentLIF(TwoCompartmentLIFParameters(threshold=1.7))
    port, beta = LinearLIFPort(neuron, rho=100.0), neuron.constants.beta
    stream = torch.Generator().manual_seed(0)
    W, b = (torch.randn(shape, generator=stream, dtype=torch.float64) for shape in ((5, 9), (5,)))
    events = (torch.rand(9, generator=stream) < 0.3).double()
    charge = port.soma(W @ port.activity(events) + b)
    torch.testing.assert_close(charge, 1.7 * (W @ events + 0.1 * b + 1 - beta))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_linear_l0_fires_iff_a_is_positive_with_the_period_of_its_membrane(dtype) -> None:
    neuron = TwoCompartmentLIF()
    port = LinearLIFPort(neuron, rho=100.0)
    a = torch.tensor([-1.0, -0.01, 0.0, 0.011, 0.21, 0.52, 1.03, 2.3], dtype=dtype)
    event, _ = events_and_bursts(neuron, port.soma(a), torch.zeros_like(a), 400)
    assert event[:, :3].sum() == 0
    leak = 1 - neuron.constants.beta
    for j in range(3, len(a)):
        times = event[:, j].nonzero().flatten() + 1
        period = math.ceil(-16 * math.log(1 - leak / (0.1 * float(a[j]) + leak)))
        assert set(times.diff(prepend=torch.zeros(1)).tolist()) == {period}


def test_l0_bursts_beyond_the_best_threshold_of_a_staircase() -> None:
    """Threshold at 0.612 rms, and kappa the regression slope 2 phi(0.612) / rms of ON minus OFF bursts."""
    neuron = TwoCompartmentLIF()
    port, rms = LIFPort(neuron), 0.4
    kappa = torch.tensor(port.gain().slope / rms, dtype=torch.float64)
    zhat = torch.tensor([-1.0, 0.0, 0.6 * rms, 0.62 * rms, 3.0], dtype=torch.float64)
    soma = port.soma(torch.full_like(zhat, 2.0))
    event, burst = events_and_bursts(neuron, soma, port.apical(zhat, kappa), 600)
    assert (burst[200:].sum(0) > 0).tolist() == [False, False, False, True, True]
    assert torch.equal(burst[200:, 3:], event[200:, 3:])
    x = torch.randn(400_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    stairs = (x > 0.612).double() - (x < -0.612).double()
    # Standard error of the slope: below sqrt(E x^2 stairs^2 / n) = 1.6e-3.
    assert float((x * stairs).mean()) == pytest.approx(port.gain().slope, abs=4.5 * 1.6e-3)


@pytest.mark.parametrize("readout", ["half_wave", "opponent"])
def test_l3_sees_scaled_predictions(readout: str) -> None:
    port = EventBurstPort(EventBurst(EventBurstParameters(readout=readout, p0=0.25)))
    kappa, zhat = torch.tensor(0.3), torch.tensor([-1.0, 2.0])
    factor = 0.3 if readout == "half_wave" else 0.3 / (0.25 * 0.75)
    torch.testing.assert_close(port.apical(zhat, kappa), factor * zhat)
    assert port.gain().statistic == ("q99" if readout == "half_wave" else "rms")


@pytest.mark.parametrize("p0", [0.0, 1.0, 2.0, -0.1, math.nan])
def test_baselines_are_probabilities(p0: float) -> None:
    with pytest.raises(ValueError, match="p0 must lie between 0 and 1"):
        StrictBurstPort(StrictBurst(), p0=p0)
    with pytest.raises(ValueError, match="p0 must lie between 0 and 1"):
        NaudSprekelerPort(NaudSprekeler(), p0=p0)


@pytest.mark.parametrize("width", [0.0, -1.0, math.nan])
def test_the_width_of_a_dendrite_is_positive(width: float) -> None:
    with pytest.raises(ValueError, match="positive width"):
        NaudSprekelerPort(NaudSprekeler(), width=width)


def test_curves_of_another_time_step_are_refused() -> None:
    """Event rates at dt 0.1 ms are a tenth lower; a curve of that step is accepted."""
    with pytest.raises(ValueError, match=r"steps of 1 ms, but the neuron has steps of 0.1 ms"):
        StrictBurstPort(StrictBurst(dt=0.1), calibration=STRICT_BURST)
    with pytest.raises(ValueError, match="measured in steps of 1 ms"):
        NaudSprekelerPort(NaudSprekeler(dt=0.5), calibration=NAUD_SPREKELER)
    neuron = StrictBurst(dt=0.5)
    curve = measure_event_rates(neuron, (0.0, 300.0, 600.0), neurons=20, seconds=0.2)
    assert curve.dt == 0.5
    assert StrictBurstPort(neuron, calibration=curve).dt == 0.5


@pytest.mark.parametrize("tau", [5.0, 16.0])
def test_l0_is_silent_below_its_least_activity_and_says_so(tau: float) -> None:
    """The float32 membrane stalls below the threshold where the period is long; float64 goes on."""
    neuron = TwoCompartmentLIF(TwoCompartmentLIFParameters(tau_soma=tau), 1.0)
    port = LIFPort(neuron)
    least = port.least_activity()
    assert port.least_activity(torch.float64) < least / 2
    for dtype, silent in ((torch.float32, True), (torch.float64, False)):
        drive = port.soma(least * torch.tensor([0.9, 0.97, 1.03, 1.1], dtype=dtype))
        outputs, _ = Layer(neuron)(
            Inputs(drive.expand(2000, 1, 4), torch.zeros(2000, 1, 4, dtype=dtype))
        )
        fires = outputs.event.sum((0, 1)) > 0
        assert fires.tolist() == [not silent, not silent, True, True]
    assert LinearLIFPort(neuron).least_activity() == 0


def test_l2_is_calibrated_again_at_another_time_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within sqrt(rate x time) events, counted twice; the curve is measured once."""
    neuron = StrictBurst(dt=0.5)
    port = StrictBurstPort(neuron)
    with monkeypatch.context() as patch:
        patch.setattr(
            soma_calibration, "measure_event_rates", lambda *_, **__: pytest.fail("again")
        )
        assert StrictBurstPort(neuron).rates.equal(port.rates)
    a = torch.tensor([0.5, 1.0, 2.0])
    wanted = port.rho * a
    found = measure_event_rates(neuron, tuple(port.soma(a).tolist()), neurons=500, seed=2).rate
    error = (wanted / 1000 + wanted / 2000).sqrt()
    assert ((torch.tensor(found) - wanted).abs() < 4.5 * error + 0.01 * wanted).all()
