"""Six pictures of neurons: f-I curve, burst probability, intervals, events and bursts, raster, gate.

    python examples/neuron_figures.py --out docs/images

All options: --help. The pictures of docs/howto/recording.md.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jsonargparse import auto_cli
from matplotlib.figure import Figure

from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.reproduction_figures import draw
from clapp_snn.figures import isi_histogram, psth, response_curves, spike_raster, style
from clapp_snn.files import require_folder
from clapp_snn.neurons.interface import Inputs, simulate
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.strict_burst import StrictBurst, burst_probability
from clapp_snn.protocols.surprise_gate import SurpriseGate
from clapp_snn.recording import spike_statistics as statistics
from clapp_snn.recording.monitor import together
from clapp_snn.recording.spikes import BurstMonitor, EventMonitor, SpikeMonitor
from clapp_snn.recording.steady_rates import measure_steady_rates

L1 = "Naud-Sprekeler neuron (L1)"
L2 = "Strict burst neuron (L2)"
ROWS = 30


def main(out: Path = Path("runs/neuron_figures"), neurons: int = 200, seed: int = 0) -> None:
    """Simulate and draw.

    Args:
        out: folder to write to.
        neurons: simulated side by side under one condition.
        seed: of the noise.
    """
    require_folder(out)
    for pictures in (responses(neurons, seed), trains(neurons, seed), gate(seed)):
        for name, figure in pictures:
            print(style.save(figure, out / f"neuron_{name}.png", dpi=100))


def responses(neurons: int, seed: int) -> Iterator[tuple[str, Figure]]:
    """Steady answers to constant currents."""
    current = torch.arange(-200.0, 801.0, 100)
    curves = []
    for apical in (0.0, 200.0, 400.0):
        found = measure_steady_rates(NaudSprekeler(), current, apical, neurons, seed=seed)
        points = (each.numpy() for each in (current, found.spike, found.spike_error))
        curves.append(response_curves.ResponseCurve(f"{apical:g} pA", *points))
    yield "f_i_curve", response_curves.f_i_curve(curves, legend="dendritic current", title=L1)
    neuron, curves = StrictBurst(), []
    law = burst_probability(current, neuron.params)
    for soma in (200.0, 500.0):
        found = measure_steady_rates(neuron, torch.tensor(soma), current, neurons, seed=seed)
        values = (current, found.burst_probability, found.burst_error, current, law)
        points = (each.numpy() for each in values)
        curves.append(response_curves.ResponseCurve(f"{soma:g} pA", *points))
    figure = response_curves.burst_probability_curve(curves, "closed form", "somatic current", L2)
    yield "burst_probability", figure


def trains(neurons: int, seed: int) -> Iterator[tuple[str, Figure]]:
    """Two seconds under square waves of current into soma and dendrite."""
    neuron, time = NaudSprekeler(), np.arange(2000)
    edges = np.arange(0.0, 2001.0, 25.0)
    soma, apical = 100.0 + 200.0 * (time % 1000 < 500), 400.0 * (time % 500 < 250)
    monitors = SpikeMonitor(neuron.dt), EventMonitor(neuron.dt), BurstMonitor(neuron.dt)
    simulate(
        neuron,
        lambda step: Inputs(*(torch.full((neurons,), drive[step]) for drive in (soma, apical))),
        len(time),
        source=Streams.from_seed(seed, "neuron figures"),
        observe=together(*monitors),
    )
    tables = [monitor.to_numpy() for monitor in monitors]
    spike, event, burst = ((table["time_ms"], table["neuron"]) for table in tables)
    bins = np.arange(0.0, 121.0, 2.0)
    counts = statistics.histogram(statistics.interspike_intervals(*spike), bins)
    yield "intervals", isi_histogram.isi_histogram(bins, counts, logarithmic=False, title=L1)
    onsets = statistics.burst_onsets(*event, *burst)
    event_rate, burst_rate = (
        statistics.population_rate(each[0], neurons, edges) for each in (event, onsets)
    )
    share = statistics.burst_probability(event_rate, burst_rate)
    drives = {"soma": soma.reshape(-1, 25).mean(1), "apical": apical.reshape(-1, 25).mean(1)}
    yield "psth", psth.psth(edges, event_rate, burst_rate, share, drives, title=L1)
    shown = spike[1] < ROWS
    marked = shown & statistics.spikes_in_bursts(*spike)
    figure = spike_raster.spike_raster(
        spike[0][shown], spike[1][shown], spike[0][marked], spike[1][marked], ROWS,
        (0.0, float(len(time))), "spikes in bursts", title=L1,
    )  # fmt: skip
    yield "raster", figure


def gate(seed: int) -> Iterator[tuple[str, Figure]]:
    """How often the surprise nucleus answers."""
    protocol = SurpriseGate(repeats=200)
    yield "gate", draw(protocol, protocol.measure(seed))


if __name__ == "__main__":
    sys.exit(run_plainly("neuron_figures.py", lambda: auto_cli(main)))
