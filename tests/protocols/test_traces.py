"""Pulses against their formulas, and the response that is recorded."""

import math

import pytest
import torch

from clapp_snn.neurons.naud_sprekeler import NaudSprekeler, NaudSprekelerParameters
from clapp_snn.protocols.traces import epsp, inject, square, step_times


@pytest.mark.parametrize("dt", [0.1, 0.25, 0.5, 1.0])
def test_a_square_pulse_keeps_its_charge(dt: float) -> None:
    t = step_times(50.0, dt)
    for onset in (0.0, 10.0, 17.0):
        pulse = square(t, onset, 5.0)
        assert float(dt * pulse.sum()) == pytest.approx(5.0)
        assert float(t[pulse > 0].min()) == pytest.approx(onset)


def test_an_epsp_has_peak_one_where_its_derivative_vanishes() -> None:
    t = step_times(60.0, 0.001)
    current = epsp(t, 5.0, 2.0, 10.0)[:, 0]
    assert float(current.max()) == pytest.approx(1.0, abs=1e-6)
    peak = 5.0 + 2.0 * math.log(1 + 10.0 / 2.0)
    assert float(t[current.argmax(), 0]) == pytest.approx(peak, abs=2e-3)
    assert (current[t[:, 0] < 5.0] == 0).all()
    # Far behind the peak the rise is over: e-fold decay within tau_decay.
    late = [float(current[round(1000 * time)]) for time in (40.0, 50.0)]
    assert late[0] / late[1] == pytest.approx(math.e, rel=1e-6)


def test_onsets_make_conditions() -> None:
    onsets = torch.tensor([5.0, 10.0], dtype=torch.float64)
    pulses = square(step_times(20.0, 1.0), onsets, 3.0)
    assert pulses.shape == (20, 2)
    assert pulses[:, 0].nonzero().flatten().tolist() == [5, 6, 7]
    assert pulses[:, 1].nonzero().flatten().tolist() == [10, 11, 12]


def test_traces_are_what_the_neuron_did() -> None:
    neuron = NaudSprekeler(NaudSprekelerParameters().quiet(), 0.5)
    t = step_times(60.0, 0.5)
    soma = torch.tensor([0.0, 3000.0]) * square(t, 10.0, 5.0)
    traces = inject(neuron, soma, torch.zeros_like(soma))
    assert traces.counts().tolist() == [0, 1]
    (time,) = traces.spike_times(1)
    assert 10.0 < time <= 15.0
    assert traces.spike_times(0) == []
    rest = neuron.params.e_leak
    assert float(traces.v_s[0, 0]) == pytest.approx(rest, abs=0.05)
    # The spike resets the soma, and the back-propagating current lifts the dendrite after it.
    index = round(time / 0.5) - 1
    assert float(traces.v_s[index, 1]) == neuron.params.v_reset
    assert float(traces.v_d[index + 6, 1]) > rest + 15
