"""Spike times as objects of Neo, the data format of Elephant."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from clapp_snn.recording.optional import optional

if TYPE_CHECKING:
    import neo


def spike_trains(
    time_ms: Float[np.ndarray, "spikes"],
    neuron: Int[np.ndarray, "spikes"],
    watched: Int[np.ndarray, "neurons"],
    spans: Sequence[tuple[float, float]],
    kind: str = "spike",
) -> "list[neo.SpikeTrain]":
    """One train for each neuron of `watched`, also for those without spikes.

    Args:
        time_ms: of every spike.
        neuron: that fired it.
        watched: neurons that get a train, in this order.
        spans: periods of recording in ms; a train lasts from the first start to the last end.
        kind: goes into the annotations, with `neuron` and `recorded_ms` (the spans).

    Raises ImportError without Neo (extra "neo").
    """
    train = optional("neo", "neo").SpikeTrain
    order = np.lexsort((time_ms, neuron))
    time_ms, neuron = time_ms[order], neuron[order]
    starts = np.searchsorted(neuron, watched, side="left")
    ends = np.searchsorted(neuron, watched, side="right")
    return [
        train(
            time_ms[start:end],
            units="ms",
            t_start=spans[0][0],
            t_stop=spans[-1][1],
            name=f"{kind}s of neuron {index}",
            neuron=int(index),
            kind=kind,
            recorded_ms=[list(span) for span in spans],
        )
        for index, start, end in zip(watched, starts, ends, strict=True)
    ]
