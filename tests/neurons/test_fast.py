"""The compiled layers against the eager one: same bits where draws are shared, same law where not."""

import math
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn import native
from clapp_snn.neurons.event_burst import (
    EventBurst,
    EventBurstParameters,
    burst_probability,
    event_rate,
    fano_factor,
    hazard,
)
from clapp_snn.neurons.fast import FastLayer
from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.neurons.interface import Inputs, Layer, Outputs
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, NaudSprekelerParameters
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst, StrictBurstParameters
from clapp_snn.neurons.surrogate import fast_sigmoid
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF
from tests.threads import threads

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())

PAYEUR = NaudSprekelerParameters(refractory="moving_threshold", ou_sigma=0.0)
NEURONS = {
    "L0": TwoCompartmentLIF(),
    "L1": NaudSprekeler(),
    "L1 moving threshold, no noise": NaudSprekeler(PAYEUR),
    "L2": StrictBurst(),
    "L2 dt 0.5, no noise": StrictBurst(StrictBurstParameters().quiet(), dt=0.5),
    "L3": EventBurst(EventBurstParameters(readout="opponent")),
    "L3 refractory": EventBurst(EventBurstParameters(rho=40, t_ref=20)),
}
PA = ("L1", "L2")
C_FILES = {
    "two_compartment_lif": TwoCompartmentLIF(),
    "naud_sprekeler": NaudSprekeler(),
    "strict_burst": StrictBurst(),
    "event_burst": EventBurst(),
}


def drives(name, shape, seed=0):
    stream = torch.Generator().manual_seed(seed)
    soma, apical = (torch.randn(shape, generator=stream) for _ in range(2))
    if name.startswith(PA):
        return Inputs(500 + 300 * soma, 450 + 200 * apical)
    return Inputs(soma, apical) if name == "L0" else Inputs(3 * soma, apical)


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("size", [1, 64, 1031])
def test_given_draws_the_layer_says_the_same(name, size):
    neuron, inputs = NEURONS[name], drives(name, (150, 2, size))
    slow, slow_state = Layer(neuron)(inputs, source=Streams.from_seed(1))
    fast, fast_state = FastLayer(neuron)(inputs, source=Streams.from_seed(1))
    if size > 1:
        assert min(each.sum() for each in slow) > 0
    for expected, found in zip(slow, fast, strict=True):
        assert torch.equal(expected, found)
    for expected, found in zip(slow_state, fast_state, strict=True):
        if name.startswith("L1"):
            # mV and pA in single precision; the reference asks for 1e-3 mV.
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
        else:
            assert torch.equal(expected, found)


@pytest.mark.parametrize("name", [name for name in NEURONS if not name.startswith("L3")])
def test_given_counters_the_layer_says_the_same(name):
    neuron, inputs = NEURONS[name], drives(name, (150, 3, 70))
    sources = [CounterStreams(1, samples=[5, 0, 9]) for _ in range(2)]
    slow, _ = Layer(neuron)(inputs, source=sources[0])
    fast, _ = FastLayer(neuron)(inputs, source=sources[1])
    assert sources[0].step == sources[1].step
    for expected, found in zip(slow, fast, strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("name", NEURONS)
def test_neither_batch_nor_threads_nor_neighbours_change_anything(name):
    layer, inputs = FastLayer(NEURONS[name]), drives(name, (60, 3, 1100))
    whole, state = layer(inputs, source=CounterStreams(1, samples=[5, 0, 9]))
    with threads(3):
        again, _ = layer(inputs, source=CounterStreams(1, samples=[5, 0, 9]))
    part = Inputs(*(each[:, 2:, :40] for each in inputs))
    alone, alone_state = layer(part, source=CounterStreams(1, samples=[9]))
    for all_, threaded, one in zip(whole, again, alone, strict=True):
        assert torch.equal(all_, threaded)
        assert torch.equal(all_[:, 2:, :40], one)
    for all_, one in zip(state, alone_state, strict=True):
        assert torch.equal(all_[2:, :40], one)


@pytest.mark.parametrize("name", [name for name in NEURONS if not name.startswith("L3")])
def test_time_may_be_cut_anywhere(name):
    layer, inputs = FastLayer(NEURONS[name]), drives(name, (60, 2, 50))
    whole, state = layer(inputs, source=CounterStreams(1))
    source = CounterStreams(1)
    first, middle = layer(Inputs(*(each[:23] for each in inputs)), None, source)
    second, last = layer(Inputs(*(each[23:] for each in inputs)), middle, source)
    for all_, a, b in zip(whole, first, second, strict=True):
        assert torch.equal(all_, torch.cat([a, b]))
    for expected, found in zip(state, last, strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("name", NEURONS)
def test_counts_constant_drives_and_reused_outputs(name):
    layer = FastLayer(NEURONS[name])
    one = drives(name, (1, 2, 33))
    constant = Inputs(*(each.expand(80, 2, 33) for each in one))
    copied = Inputs(*(each.contiguous() for each in constant))
    outputs, state = layer(constant, source=CounterStreams(2))
    counts, counted_state = layer.count(constant, source=CounterStreams(2))
    into = Outputs(*(torch.full_like(each, 7.0) for each in outputs))
    if outputs.spike is outputs.event:
        into = into._replace(spike=into.event)
    written, _ = layer(copied, source=CounterStreams(2), into=into)
    for expected, number, found in zip(outputs, counts, written, strict=True):
        assert torch.equal(expected.sum(0), number)
        assert torch.equal(expected, found)
    for expected, found in zip(state, counted_state, strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("name", ["L0", "L2", "L3", "L3 refractory"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(-1e4, 1e4, width=32))
def test_events_are_identical_under_any_apical_drive(name, seed, scale):
    layer, inputs = FastLayer(NEURONS[name]), drives(name, (60, 1, 37))
    other = scale * torch.randn(60, 1, 37, generator=torch.Generator().manual_seed(seed))
    one, _ = layer(inputs, source=CounterStreams(seed))
    two, _ = layer(Inputs(inputs.soma, other), source=CounterStreams(seed))
    assert torch.equal(one.event, two.event)


@pytest.mark.parametrize("t_ref", [0.0, 20.0])
@pytest.mark.parametrize("window", [1, 50])
def test_event_counts_have_the_closed_form_mean_and_variance(t_ref, window):
    params = EventBurstParameters(rho=30, background=1, t_ref=t_ref, readout="opponent")
    neuron, units, steps = EventBurst(params), 40_000, 1000
    layer = FastLayer(neuron)
    soma, apical = torch.full((1, units), 0.8), torch.full((1, units), 0.4)
    uniform = torch.rand(1, units, generator=torch.Generator().manual_seed(0))
    state, source = neuron.stationary_state(soma, uniform), CounterStreams(4)
    events, bursts = torch.zeros(1, units), torch.zeros(1, units)
    for _ in range(steps // window if window > 1 else 100):
        inputs = Inputs(soma.expand(window, 1, units), apical.expand(window, 1, units))
        counts, state = layer.count(inputs, state, source)
        events, bursts = events + counts.event, bursts + counts.burst
    time = steps if window > 1 else 100
    rate = event_rate(soma[:, :1], params, 1.0)
    mean, fano = float(rate) * time / 1000, float(fano_factor(rate, 1.0, t_ref))
    # Binomial counts exactly, or a stationary renewal process: F of long windows, nearer 1 in short ones.
    largest = mean * (1.0 if t_ref else fano)
    assert abs(float(events.mean()) - mean) < 4.5 * math.sqrt(largest / units)
    if window > 1:
        # The relative standard error of a variance of nearly normal counts is sqrt(2 / n); F of a finite
        # window of a renewal process lies above its limit by at most 1 / mean.
        ratio = float(events.var()) / mean / fano
        assert (
            -4.5 * math.sqrt(2 / units)
            < ratio - 1
            < 4.5 * math.sqrt(2 / units) + (t_ref > 0) / mean
        )
    p, total = float(burst_probability(apical[:, :1], params)), float(events.sum())
    assert abs(float(bursts.sum()) / total - p) < 4.5 * math.sqrt(p * (1 - p) / total)


def test_events_follow_a_drive_that_changes_and_forget_the_past():
    neuron, units, steps = EventBurst(EventBurstParameters(rho=200)), 100_000, 60
    z = 1.5 + 1.5 * torch.sin(torch.arange(steps) * 0.7)
    soma = z[:, None].expand(steps, units).contiguous()
    event = FastLayer(neuron)(Inputs(soma, soma), source=CounterStreams(8))[0].event.double()
    q = hazard(200 * z, 1.0).double()
    error = torch.sqrt(q * (1 - q) / units).clamp(min=1e-9)
    assert ((event.mean(1) - q) / error).abs().max() < 4.9  # 60 steps
    # Independent of the step before: the covariance has variance q q' (1-q)(1-q') / n.
    scores = event - q[:, None]
    for lag in (1, 2, 7):
        covariance = (scores[lag:] * scores[:-lag]).mean(1)
        spread = torch.sqrt(q[lag:] * (1 - q[lag:]) * q[:-lag] * (1 - q[:-lag]) / units)
        assert (covariance / spread.clamp(min=1e-9)).abs().max() < 4.9


def test_certain_and_impossible_events():
    neuron = EventBurst(EventBurstParameters(rho=100))
    soma = torch.tensor([[-3.0, 0.0, 10.0, 50.0]]).expand(40, 1, 4)
    outputs, _ = FastLayer(neuron)(Inputs(soma, soma), source=CounterStreams(0))
    assert outputs.event.sum(0).tolist() == [[0, 0, 40, 40]]
    assert outputs.burst.sum(0).tolist() == [[0, 0, 40, 40]]
    refractory = EventBurst(EventBurstParameters(rho=40, t_ref=20))
    event = FastLayer(refractory)(Inputs(10 * soma, soma), source=CounterStreams(0))[0].event
    assert event[:, 0, 3].nonzero().squeeze(1).tolist() == [0, 21]


@pytest.mark.parametrize("name", C_FILES)
def test_constants_stand_in_the_same_order_on_both_sides(name):
    source = (Path(native.__file__).parent / f"{name}.c").read_text(encoding="utf-8")
    listed = re.search(r"enum \{(.*?)\};", source, re.S)[1]
    assert tuple(re.findall(r"\w+", listed.lower())) == C_FILES[name].constants._fields


def test_what_cannot_be_run_is_refused():
    with pytest.raises(ValueError, match="not Rate; use Layer"):
        FastLayer(Rate())
    with pytest.raises(TypeError, match="takes a neuron, not tuple"):
        FastLayer((1, 2))
    with pytest.raises(ValueError, match="no gradients"):
        FastLayer(TwoCompartmentLIF(surrogate=fast_sigmoid()))
    layer, inputs = FastLayer(StrictBurst()), drives("L2", (4, 2, 3))
    state = layer.neuron.initial_state((2, 3))
    source = CounterStreams(0)
    with pytest.raises(ValueError, match="pass a source"):
        layer(inputs)
    with pytest.raises(
        ValueError, match=r"float32 drives on the CPU, but the soma drive is .*float64"
    ):
        layer(Inputs(*(each.double() for each in inputs)), state, source)
    with pytest.raises(TypeError, match=r"takes Inputs\(soma, apical\), not Tensor"):
        layer(inputs.soma, state, source)
    with pytest.raises(ValueError, match="soma drive must be a tensor"):
        layer((1, 2), state, source)
    with pytest.raises(ValueError, match="do not fit"):
        layer(Inputs(inputs.soma, torch.zeros(4, 2, 5)), state, source)
    with pytest.raises(ValueError, match="first axis of at least one time step"):
        layer(Inputs(torch.zeros(0, 2), torch.zeros(0, 2)), None, source)
    with pytest.raises(ValueError, match="state does not fit"):
        layer(inputs, layer.neuron.initial_state((2, 4)), source)
    with pytest.raises(ValueError, match="spike in into has to have shape"):
        layer(inputs, state, source, Outputs(*(torch.zeros(4, 2, 4) for _ in range(3))))
    zeros = Outputs(*(torch.zeros(4, 2, 3) for _ in range(3)))
    with pytest.raises(ValueError, match=r"into\.spike has to be into\.event"):
        FastLayer(EventBurst())(inputs, None, source, zeros)


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("samples", [None, []])
def test_an_empty_batch_gives_empty_outputs(name, samples):
    layer, empty = FastLayer(NEURONS[name]), torch.zeros(4, 0, 3)
    source = CounterStreams(0, samples=samples)
    outputs, state = layer(Inputs(empty, empty), source=source)
    counts, _ = layer.count(Inputs(empty, empty), state, source)
    assert all(values.shape == (4, 0, 3) for values in outputs)
    assert all(values.shape == (0, 3) for values in (*counts, *state))


@pytest.mark.parametrize("port", [0, 1])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_drives_that_are_not_finite_are_refused(port, value):
    for name, neuron in NEURONS.items():
        inputs = drives(name, (4, 2, 3))
        inputs[port][3, 1, 2] = value
        with pytest.raises(ValueError, match="not finite"):
            FastLayer(neuron)(inputs, source=CounterStreams(0))


def test_without_a_compiler_it_says_so(monkeypatch, tmp_path):
    from clapp_snn.native import build

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    build.forget()
    try:
        with pytest.raises(native.NativeUnavailable, match="needs a C compiler"):
            FastLayer(TwoCompartmentLIF())(drives("L0", (2, 3)))
    finally:
        build.forget()
