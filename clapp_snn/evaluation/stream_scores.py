"""Scores of a frozen network on a stream: what its nuclei read after fixations and after saccades."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_input import stream_input
from clapp_snn.neurons.noise import SampleStreams
from clapp_snn.stimuli.glances import GlanceStream

WARM_UP = 5
"""Windows before the first one that counts: contexts and dendritic gains have to form."""


class StreamScores(NamedTuple):
    """What every area read, window by window.

    Attributes:
        score: u_hat.
        gamma: broadcast factor.
        y: +1 after a fixation, -1 after a saccade.
    """

    score: Float[Tensor, "area window sample"]
    gamma: Float[Tensor, "area window sample"]
    y: Float[Tensor, "window sample"]


@torch.no_grad()
def stream_scores(
    network: StreamHierarchy,
    stream: GlanceStream,
    windows: int,
    seed: int,
    *,
    drawn: bool = False,
    warm_up: int = WARM_UP,
) -> StreamScores:
    """Follow a stream without learning.

    Args:
        network: as it is.
        stream: of glances.
        windows: that are kept, after `warm_up` others.
        seed: of the neurons' random numbers.
        drawn: True draws the counts of a window at once.

    Raises ValueError unless there is a window to keep.
    """
    if windows < 1:
        raise ValueError(f"Scores need at least one window, not {windows}.")
    samples, position = stream.samples, stream.start()
    states = network.initial_state(len(samples))
    sources = [
        SampleStreams(seed, list(samples), "scores", area) for area in range(len(network.areas))
    ]
    kept: list[tuple[Tensor, Tensor, Tensor]] = []
    for number in range(warm_up + windows):
        glance, position = stream.next(position)
        x = stream_input(network, glance.view)
        if drawn:
            states = drawn_windows(network, x, states, sources)
        else:
            states = network.window(x, states, sources)
        y = glance.y.to(x.dtype)
        if number >= warm_up:
            readings = [update.reading for update in network.learn(states, y)]
            score = torch.stack([reading.score for reading in readings])
            gamma = torch.stack([reading.gamma for reading in readings])
            kept.append((score, gamma, y))
        states = network.latch(states)
    scores, gammas, ys = zip(*kept, strict=True)
    return StreamScores(torch.stack(scores, dim=1), torch.stack(gammas, dim=1), torch.stack(ys))
