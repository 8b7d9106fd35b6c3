"""The dendritic gain of a running stream: what its delay costs the half-wave score."""

import numpy as np
import torch

from clapp_snn.circuit.drawn_window import drawn_window
from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.neurons.event_burst import EventBurst
from clapp_snn.neurons.noise import SampleStreams
from clapp_snn.randomness import generator
from clapp_snn.stimuli.digits import open_digits
from clapp_snn.stimuli.glances import GlanceStream

SAMPLES, WINDOWS, STEPS = 64, 20, 400


def test_the_running_kappa_saturates_few_units_and_the_score_is_what_they_leave() -> None:
    """E and Var of u_hat from binomial bursts with p = min(kappa |zhat|, 1); 4.5 standard errors of the mean.

    A kappa that never followed, or a read-out that were exact, would leave the ranges below.
    """
    area = StreamArea(64, 48, EventBurst(), float(STEPS))
    area.reset_parameters(generator(1, "gain"))
    with torch.no_grad():
        area.weight.mul_(2)
        area.W_pred.mul_(4)
    stream = GlanceStream(open_digits(0).train, range(SAMPLES), seed=2)
    source = SampleStreams(0, list(range(SAMPLES)), "gain")
    state, position = area.initial_state(SAMPLES), stream.start()
    true, expected, variance, measured, saturated = [], [], [], [], []
    for number in range(WINDOWS):
        glance, position = stream.next(position)
        x = glance.view.flatten(1)
        state = drawn_window(area, x, state, source)
        if number > 2:
            z = torch.relu(x @ area.weight.T + area.bias).detach().double().numpy()
            zhat = state.apical.detach().double().numpy()
            kappa = area.gain.kappa(state.size)[:, None].double().numpy()
            chance = 0.02 * z * np.minimum(kappa * np.abs(zhat), 1)
            weight = 1 / (0.02 * STEPS * kappa[:, 0])
            true.append((z * zhat).sum(1))
            expected.append(weight * STEPS * (np.sign(zhat) * chance).sum(1))
            variance.append(weight**2 * STEPS * (chance * (1 - chance)).sum(1))
            measured.append(state.detector.u.double().numpy())
            saturated.append((kappa * np.abs(zhat) > 1).mean())
        state = area.latch(state)
    u, mean, var, read = (np.concatenate(each) for each in (true, expected, variance, measured))
    assert abs((read - mean).mean()) < 4.5 * np.sqrt(var.sum()) / len(var)
    assert 0.005 < np.mean(saturated) < 0.06
    slope = np.polyfit(u, mean, 1)[0]
    assert 0.9 < slope < 0.999
