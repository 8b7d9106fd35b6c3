"""L3 by intervals against single steps: the same law of events, bursts, scores and their covariances."""

import pytest
import torch

from clapp_snn import native
from clapp_snn.circuit.fast_window import FastHierarchy
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from tests.circuit.fast_stacks import counters, glance, maps, stack, two_windows

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())

LAWS = {
    "half-wave": ({}, {}),
    "opponent, settling": ({"readout": "opponent"}, {"settle": 10.0}),
    "5 copies, bursts": ({}, {"copies": 5, "post_factor": "burst"}),
    "2 copies, opponent": ({"readout": "opponent"}, {"copies": 2, "post_factor": "burst"}),
    "single": ({"readout": "opponent"}, {"single": True, "post_factor": "burst"}),
    "single, 3 copies, background": (
        {"readout": "opponent", "background": 20.0},
        {"single": True, "copies": 3},
    ),
    "saturated": ({"rho": 900.0}, {"copies": 2, "post_factor": "burst"}),
}


@pytest.mark.parametrize("name", LAWS)
def test_by_intervals_the_law_is_that_of_single_steps(name: str) -> None:
    """Of 1200 samples each: means, variances and covariances of activity, score and share of bursts.

    Means within 4.5 standard errors taken from the samples; log variances within 4.5 standard errors
    sqrt((kurtosis - 1) / R), kurtosis taken from the samples.
    """
    parameters, options = LAWS[name]
    neuron = EventBurst(EventBurstParameters(**{"rho": 60.0, **parameters}))
    hierarchy = stack(neuron, **options)
    many = 1200
    x = glance(hierarchy, in_time=True, samples=1).expand(-1, many, -1)
    found = []
    for run, key in ((hierarchy.window, "slow"), (FastHierarchy(hierarchy).window, "fast")):
        states = two_windows(hierarchy, run, x, counters(2, many, key), many)
        parts = []
        for index, state in enumerate(states):
            u = hierarchy.area(index).read(state, torch.ones(many)).score[:, None]
            z = state.sums.z
            both = (z - z.mean(0)) * (u - u.mean())
            chain = (z[:, 1:] - z[:, 1:].mean(0)) * (z[:, :1] - z[:, :1].mean())
            parts += [z, u, state.nucleus.fixation[:, None], state.share, both, chain]
        found.append(torch.cat(parts, 1))
    a, b = found
    error = ((a.var(0) + b.var(0)) / many).sqrt()
    active = error > 1e-6
    assert int(active.sum()) > 12
    assert bool(((a.mean(0) - b.mean(0)).abs() <= 4.5 * error)[active].all())
    torch.testing.assert_close(a[:, ~active], b[:, ~active], rtol=1e-4, atol=1e-4)
    a, b = a[:, active], b[:, active]
    noise = sum((v - v.mean(0)).pow(4).mean(0) / v.var(0).square() - 1 for v in (a, b)) / many
    assert bool(((a.var(0) / b.var(0)).log().abs() <= 4.5 * noise.sqrt()).all())


def test_intervals_of_maps_have_the_law_of_their_drive() -> None:
    """Mean activity of 600 windows within 4.5 standard errors of [drive]_+, position by position."""
    hierarchy = maps(False)
    x = glance(hierarchy, True, 1).expand(-1, 600, -1, -1, -1)
    area = hierarchy.area(0)
    state = FastHierarchy(hierarchy).window(x, hierarchy.initial_state(600), counters(1, 600))[0]
    a = area.basal.drive(x[:, 0], area.weight, area.bias).detach().relu().mean(0)
    z = state.sums.z / area.detector.steps
    error = (z.var(0) / 600).sqrt()
    assert bool(((z.mean(0) - a).abs() <= 4.5 * error + 1e-6).all())
