"""The biophysical read-out: plastic synapses, un-mixing, interneurons, against the ideal counter."""

import math

import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from clapp_snn.circuit.coincidence import CoincidenceDetector
from clapp_snn.circuit.interneurons import LeakyInterneuron, SpikingInterneuron
from clapp_snn.circuit.ports import StrictBurstPort
from clapp_snn.circuit.readout_synapses import (
    SynapticReadout,
    Transmission,
    Unmixing,
    fit_transmission,
    isolated_transmission,
    unmix,
)
from clapp_snn.neurons.adex import PV, SOM, AdEx, AdExParameters
from clapp_snn.neurons.interface import Inputs, Outputs
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.tsodyks_markram import (
    DEPRESSING,
    FACILITATING,
    at_rest,
    transmission,
    tsodyks_markram_step,
)
from clapp_snn.randomness import generator


def relative(params, intervals: tuple[float, ...]) -> float:
    return transmission(params, intervals) / transmission(params, ())


def test_a_burst_of_two_spikes_is_transmitted_as_reported() -> None:
    assert relative(FACILITATING, (10.0,)) == pytest.approx(6.33, abs=0.01)
    assert relative(DEPRESSING, (10.0,)) == pytest.approx(1.46, abs=0.005)


def test_a_burst_of_three_spikes_is_transmitted_as_reported() -> None:
    """The reference gives 14.0 and 2.05 (measured), which a last interval of 16 ms yields within 0.5 %."""
    assert relative(FACILITATING, (10.0, 16.0)) == pytest.approx(14.0, rel=0.005)
    assert relative(DEPRESSING, (10.0, 16.0)) == pytest.approx(2.05, rel=0.005)


@pytest.mark.parametrize("params", [FACILITATING, DEPRESSING])
@pytest.mark.parametrize("dt", [0.5, 1.0])
def test_steps_transmit_what_the_closed_form_says(params, dt: float) -> None:
    """Between spikes the equations are linear, so that steps of any length are exact."""
    times, total = {3.0, 13.0, 20.0, 55.0}, 0.0
    state = at_rest(torch.zeros(1, dtype=torch.float64), params)
    constants = params.at(dt)
    for index in range(round(80 / dt)):
        spike = torch.full((1,), float(index * dt in times), dtype=torch.float64)
        transmitted, state = tsodyks_markram_step(spike, state, constants)
        total += float(transmitted)
    assert total == pytest.approx(transmission(params, (10.0, 7.0, 35.0)), rel=1e-12)


@pytest.mark.parametrize("p0", [0.0, 0.2113, 0.6])
def test_unmixing_returns_bursts_minus_baseline(p0: float) -> None:
    facilitating, depressing = (
        isolated_transmission(FACILITATING),
        isolated_transmission(DEPRESSING),
    )
    alpha, beta = unmix(facilitating, depressing, p0)
    for events, bursts in ((1, 0), (1, 1), (30, 7)):
        F = facilitating.event * events + facilitating.burst * bursts
        D = depressing.event * events + depressing.burst * bursts
        assert alpha * F - beta * D == pytest.approx(bursts - p0 * events, abs=1e-12)


def test_equal_synapses_cannot_be_unmixed() -> None:
    with pytest.raises(ValueError, match="cannot be told apart"):
        unmix(Transmission(0.2, 0.1), Transmission(0.4, 0.2))


def test_fit_recovers_what_was_transmitted() -> None:
    events = torch.arange(1.0, 30.0).double()
    bursts = (events * 0.3).round()
    fitted = fit_transmission(events, bursts, 0.05 * events + 0.12 * bursts)
    assert fitted == pytest.approx((0.05, 0.12), rel=1e-9)


def spikes(params: AdExParameters, current: float, dt: float, ms: float, after: float = 0) -> int:
    neuron = AdEx(params, dt)
    inputs = Inputs(torch.tensor([current]).double(), torch.zeros(1).double())
    state = neuron.initial_state((1,), dtype=torch.float64)
    count = 0
    for index in range(round(ms / dt)):
        outputs, state = neuron.step(inputs, state)
        count += int(outputs.spike) if index * dt >= after else 0
    return count


@pytest.mark.parametrize("params", [PV, SOM])
def test_adex_fires_on_above_its_rheobase_only(params: AdExParameters) -> None:
    """Adaptation lags behind a sudden current, which may cause one spike at its onset."""
    assert spikes(params, 0.98 * params.rheobase, 1.0, 3000, after=1000) == 0
    assert spikes(params, 1.05 * params.rheobase, 1.0, 3000, after=1000) > 0


def test_an_onset_beyond_the_range_of_floats_is_a_spike() -> None:
    """At a step as long as the membrane and a sharp onset, exp((V_peak - V_T) / Delta_T) overflows."""
    neuron = AdEx(AdExParameters(g_leak=100.0, slope=0.5), 1.0)
    current = torch.tensor([3000.0, 7000.0, 8000.0, 9000.0, 12000.0])
    inputs, state = Inputs(current, torch.zeros(5)), neuron.initial_state((5,))
    count = torch.zeros(5)
    for _ in range(100):
        outputs, state = neuron.step(inputs, state)
        count += outputs.spike
    assert torch.isfinite(state.v).all()
    assert (count > 20).all()


def test_threshold_of_pv_follows_from_its_rheobase() -> None:
    assert PV.v_threshold == -48.0


@pytest.mark.parametrize("params", [PV, SOM])
def test_adex_first_spike_agrees_with_an_ode_solver(params: AdExParameters) -> None:
    """Time of the first spike, dt 0.01 ms: an error of first order, below 10 dt."""
    current = 2 * params.rheobase

    def slope(_: float, y: list[float]) -> list[float]:
        v, w = y
        onset = params.g_leak * params.slope * math.exp((v - params.v_threshold) / params.slope)
        leak = -params.g_leak * (v - params.e_leak)
        return [
            (leak + onset - w + current) / params.capacitance,
            (params.a * (v - params.e_leak) - w) / params.tau_w,
        ]

    def peak(_: float, y: list[float]) -> float:
        return y[0] - params.v_peak

    peak.terminal = True  # type: ignore[attr-defined]
    rest = [params.e_leak, 0.0]
    solved = solve_ivp(slope, (0, 500), rest, events=peak, rtol=1e-9, atol=1e-9)
    expected = solved.t_events[0][0]
    assert spikes(params, current, 0.01, expected - 0.1) == 0
    assert spikes(params, current, 0.01, expected + 0.1) == 1


def test_adex_steps_longer_than_its_membrane_are_refused() -> None:
    with pytest.raises(ValueError, match="membrane time constant"):
        AdEx(AdExParameters(t_ref=0.0), dt=11.0)
    with pytest.raises(ValueError, match="v_peak must lie above"):
        AdExParameters(v_peak=-40.0, rheobase=500.0)


def test_a_leaky_interneuron_keeps_sums() -> None:
    cell = LeakyInterneuron(10.0)
    received = torch.rand(300, 4, generator=generator(0), dtype=torch.float64)
    received[100:] = 0
    state, passed = cell.initial_state(received[0]), torch.zeros(4).double()
    for each in received:
        out, state = cell.step(each, state)
        passed += out
    torch.testing.assert_close(passed, received.sum(0), rtol=1e-8, atol=0)


@pytest.mark.parametrize(("params", "low", "high"), [(PV, 210.0, 800.0), (SOM, 25.0, 500.0)])
def test_a_spiking_interneuron_passes_on_what_it_receives(
    params: AdExParameters, low: float, high: float
) -> None:
    """Inside its range an AdEx cell's f-I curve bends: within 20 % of the range, and rising."""
    cell = SpikingInterneuron(AdEx(params), 0.5, low, high, seconds=1.5)
    received = torch.tensor([0.1, 0.25, 0.4], dtype=torch.float64)
    state, passed = cell.initial_state(received), torch.zeros(3).double()
    for index in range(3000):
        out, state = cell.step(received, state)
        passed += out if index >= 1500 else 0
    assert bool(((passed / 1500 - received).abs() < 0.2 * 0.5).all())
    assert bool((passed.diff() > 0).all())


@pytest.mark.parametrize(
    ("most", "low", "high"), [(0.0, 1.0, 2.0), (1.0, 2.0, 1.0), (1.0, 0.0, 9.0)]
)
def test_impossible_interneurons_are_refused(most: float, low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"needs most|no faster"):
        SpikingInterneuron(AdEx(), most, low, high, seconds=0.2)
    with pytest.raises(ValueError, match="must be positive"):
        LeakyInterneuron(0.0)


def simulate(readouts: list, zhat: Tensor, z: Tensor, steps: int) -> list[Tensor]:
    """Scores that several read-outs make of the same ON and OFF populations of L2 (settling 200 ms)."""
    neuron = StrictBurst()
    port = StrictBurstPort(neuron)
    signs = torch.tensor([1.0, -1.0])[:, None, None]
    shape = (len(z), 2, 1, z.shape[1])
    kappa = torch.full((), port.p0 * (1 - port.p0))
    soma = port.soma(z)[:, None, None].expand(shape)
    inputs = Inputs(soma, port.apical(signs * zhat[:, None, None], kappa))
    state, source = neuron.initial_state(shape), Streams.from_seed(2)
    states = [readout.initial_state(z) for readout in readouts]
    weight = torch.ones(len(z))
    for index in range(steps + 200):
        draws = neuron.draw(source, inputs.soma.shape, torch.float32, torch.device("cpu"))
        outputs, state = neuron.step(inputs, state, draws)
        states = [r.step(outputs, s, weight)[1] for r, s in zip(readouts, states, strict=True)]
        if index == 199:
            states = [r.reset(s) for r, s in zip(readouts, states, strict=True)]
    return [s.u for s in states]


def test_the_synaptic_readout_follows_the_ideal_counter() -> None:
    """ON minus OFF over windows of 1 s, 40 units: correlation above 0.9 and slope 1 from nothing but spikes.

    Tolerance of slopes: 4.5 heteroscedastic standard errors of these windows and of the calibration (0.006).
    Synapses calibrated at rest are too strong by a factor of 1.56 +- 0.01: facilitation outlasts an event.
    """
    stream = generator(5, "read-out")
    z = 2 * torch.rand(120, 40, generator=stream)
    zhat = torch.randn(120, 1, generator=stream) * torch.rand(120, 40, generator=stream)
    ideal = CoincidenceDetector("opponent", rho=5.0, window=1000.0, p0=0.2113)
    readouts = [ideal, SynapticReadout(ideal, (1, 40)), SynapticReadout(ideal, (1, 40), "rest")]
    counted, read, from_rest = simulate(readouts, zhat, z, 1000)
    assert float(torch.corrcoef(torch.stack((counted, read)))[0, 1]) > 0.9
    for score, expected in ((read, 1.0), (from_rest, 1.56)):
        power = counted.square().sum()
        slope = (counted * score).sum() / power
        error = float(((score - slope * counted) * counted).square().sum().sqrt() / power)
        allowed = 4.5 * math.hypot(error, 0.006 if expected == 1 else 0.01)
        assert allowed < 0.15 * expected
        assert abs(float(slope) - expected) < allowed
    clear = counted.abs() > 10
    assert int(clear.sum()) > 10
    assert torch.equal(counted[clear].sign(), read[clear].sign())


def test_synapses_that_were_not_calibrated_are_refused() -> None:
    detector = CoincidenceDetector("opponent", p0=0.2)
    with pytest.raises(ValueError, match="not calibrated"):
        SynapticReadout(detector, (1, 3), facilitating=DEPRESSING)
    with pytest.raises(ValueError, match="'work' or 'rest', not 'sleep'"):
        SynapticReadout(detector, (1, 3), "sleep")
    given = Unmixing(9.0, 0.3)
    assert SynapticReadout(detector, (1, 3), given, facilitating=DEPRESSING).unmixing == given


def test_rare_events_are_unmixed_exactly() -> None:
    """One isolated spike and two pairs (10 ms) through leaky interneurons give B - p0 N to 1e-5."""
    detector = CoincidenceDetector("single", rho=5.0, window=330.0, p0=0.3)
    readout = SynapticReadout(detector, (1, 3), "rest")
    trains = torch.zeros(330, 1, 1, 1, 3, dtype=torch.float64)
    trains[10] = 1
    trains[20, ..., 1:] = 1
    state = readout.initial_state(torch.zeros(1, 3, dtype=torch.float64))
    for each in trains:
        outputs = Outputs(each, each, each)
        _, state = readout.step(outputs, state, torch.ones(1, dtype=torch.float64))
    assert float(state.u) == pytest.approx(2 - 0.3 * 3, abs=1e-5)
