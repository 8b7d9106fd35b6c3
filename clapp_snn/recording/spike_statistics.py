"""Numbers that plots of spike trains show, from spike times as monitors give them."""

import numpy as np
from jaxtyping import Bool, Float, Int

from clapp_snn.neurons.bursts import BURST_ISI, ROUNDING


def interspike_intervals(
    time_ms: Float[np.ndarray, "spikes"], neuron: Int[np.ndarray, "spikes"]
) -> Float[np.ndarray, "intervals"]:
    """Intervals in ms between successive spikes of the same neuron, pooled over neurons in their order."""
    order = np.lexsort((time_ms, neuron))
    same = np.diff(neuron[order]) == 0
    return np.diff(time_ms[order])[same]


def spikes_in_bursts(
    time_ms: Float[np.ndarray, "spikes"],
    neuron: Int[np.ndarray, "spikes"],
    burst_isi: float = BURST_ISI,
) -> Bool[np.ndarray, "spikes"]:
    """Which spikes have a neighbour of the same neuron within `burst_isi` ms, in the order given."""
    order = np.lexsort((time_ms, neuron))
    close = (np.diff(time_ms[order]) <= burst_isi * (1 + ROUNDING)) & (np.diff(neuron[order]) == 0)
    member = np.zeros(len(order), dtype=bool)
    member[order] = np.append(close, False) | np.append(False, close)
    return member


def histogram(
    values_ms: Float[np.ndarray, "values"], edges_ms: Float[np.ndarray, "bins+1"]
) -> Int[np.ndarray, "bins"]:
    """Counts of times or intervals in bins (start, end].

    A spike is stamped with the end of its time step, and an interval as long as the limit of bursts still
    belongs to a burst: so ends are included, starts are not. Values within a relative 1e-9 of an edge, as
    rounding leaves them, count as lying on it.

    Raises ValueError unless there are two edges or more that ascend.
    """
    if len(edges_ms) < 2 or (np.diff(edges_ms) <= 0).any():
        raise ValueError("Bins need at least two edges, in ascending order.")
    slack = ROUNDING * np.abs(edges_ms)
    upto = np.searchsorted(np.sort(values_ms), edges_ms + slack, side="right")
    return np.diff(upto)


def population_rate(
    time_ms: Float[np.ndarray, "spikes"], neurons: int, edges_ms: Float[np.ndarray, "bins+1"]
) -> Float[np.ndarray, "bins"]:
    """Spikes (or events, or bursts) per neuron and second in each bin (start, end], in Hz.

    Raises ValueError unless there is a neuron and the edges ascend.
    """
    if neurons < 1:
        raise ValueError(f"A rate needs at least one neuron, not {neurons}.")
    return histogram(time_ms, edges_ms) / (neurons * np.diff(edges_ms) * 1e-3)


def burst_onsets(
    event_ms: Float[np.ndarray, "events"],
    event_neuron: Int[np.ndarray, "events"],
    burst_ms: Float[np.ndarray, "bursts"],
    burst_neuron: Int[np.ndarray, "bursts"],
) -> tuple[Float[np.ndarray, "onsets"], Int[np.ndarray, "onsets"]]:
    """Time of the event with which each burst began, and its neuron; ordered by neuron, then time.

    Bursts are labelled at their second spike; moved to their onset they never outnumber the events of a bin.
    A burst whose event was not recorded is left out.
    """
    times = np.concatenate([event_ms, burst_ms])
    neurons = np.concatenate([event_neuron, burst_neuron])
    is_burst = np.arange(len(times)) >= len(event_ms)
    order = np.lexsort((is_burst, times, neurons))
    times, neurons, is_burst = times[order], neurons[order], is_burst[order]
    last_event = np.maximum.accumulate(np.where(is_burst, -1, np.arange(len(times))))
    begun = last_event[is_burst]
    known = (begun >= 0) & (neurons[begun] == neurons[is_burst])
    return times[begun[known]], neurons[begun[known]]


def burst_probability(
    event_rate: Float[np.ndarray, "bins"], burst_rate: Float[np.ndarray, "bins"]
) -> Float[np.ndarray, "bins"]:
    """Bursts per event in each bin; NaN where there was no event."""
    quiet = event_rate == 0
    return np.where(quiet, np.nan, burst_rate / np.where(quiet, 1.0, event_rate))
