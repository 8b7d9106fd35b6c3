"""Spiking CLAPP on jittered digits: accuracy beside untrained and rate mode, and a raster of two glances.

    python examples/spiking_stream.py --out runs/spiking_stream

All options: --help.
"""

from dataclasses import replace
from pathlib import Path

import torch
from jsonargparse import auto_cli
from torch import Tensor

from clapp_snn.circuit.stream_area import Step, StreamAreaState
from clapp_snn.commands.stream import probe_run, table
from clapp_snn.figures.one_area import Glance, one_area
from clapp_snn.figures.style import save
from clapp_snn.neurons.noise import Streams
from clapp_snn.randomness import generator
from clapp_snn.stimuli.digits import DigitSet, open_digits
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_loop import train_stream

SHOWN = 24
INPUT_RATE = 100.0
SETTLE = 200.0


def main(out: Path = Path("runs/spiking_stream"), windows: int = 6000, seed: int = 0) -> None:
    """Train in both codes, print what can be read out, and draw.

    Args:
        out: folder for both runs and raster.png.
        windows: glances of each of 32 samples.
        seed: of everything.
    """
    spiking = StreamConfig(out=out / "spiking", windows=windows, seed=seed)
    for config in (replace(spiking, out=out / "rate", neuron="rate"), spiking):
        train_stream(config)
        print(f"\n{config.neuron}\n{table(probe_run(config))}")
    print(raster(spiking, out / "raster.png"))


def raster(config: StreamConfig, path: Path) -> Path:
    """First glance, fixation and saccade of the trained first area, simulated step by step."""
    config = replace(config, simulation="stepped", window=1000.0, settle=SETTLE, tau_basal=50.0)
    network = build_network(config)
    network.load_state_dict(load_checkpoint(config.folder()).model)
    area, digits = network.area(0), open_digits(config.seed).test
    source, events = Streams.from_seed(config.seed, "raster"), generator(config.seed, "raster")
    state, glances, columns = area.initial_state(1), [], []
    chance = INPUT_RATE * config.dt / 1000
    shown = (("first glance", 0, -1), ("fixation", 0, 1), ("saccade", other_digit(digits), -1))
    for number, (name, digit, y) in enumerate(shown):
        x = digits.views(torch.tensor([digit]), [generator(config.seed, "view", number)]).flatten(1)
        true = float((torch.relu(x @ area.weight.T + area.bias) * state.apical).sum())
        for _ in range(area.steps):
            arrived = (torch.rand(x.shape, generator=events) < chance * x).float()
            step, state = area.step(arrived / chance, state, source)
            columns.append(observed(arrived, step, state))
        gamma = float(area.read(state, torch.tensor([float(y)])).gamma)
        start = number * area.steps * config.dt
        end = start + area.steps * config.dt
        glances.append(Glance(name, start, start + SETTLE, end, y, true, gamma))
        state = area.latch(state)
    inputs, spikes, bursts, score, fixation, saccade = (
        torch.stack(column).numpy() for column in zip(*columns, strict=True)
    )
    time = config.dt * torch.arange(1, len(score) + 1).numpy()
    title = f"Area 1 after {config.windows} glances: {SHOWN} of {config.units[0]} units"
    figure = one_area(
        time, glances, inputs > 0, spikes > 0, bursts > 0, score, fixation, saccade, title
    )
    return save(figure, path)


def other_digit(digits: DigitSet) -> int:
    """The first object of another class than object 0."""
    return int((digits.labels != digits.labels[0]).nonzero()[0])


def observed(arrived: Tensor, step: Step, state: StreamAreaState) -> tuple[Tensor, ...]:
    """Inputs, spikes and bursts (ON, then OFF), score and both margin neurons after one step."""
    spikes, bursts = (
        each[0, :, 0, :SHOWN].flatten() for each in (step.outputs.spike, step.outputs.burst)
    )
    nucleus = state.nucleus
    margins = (1 + nucleus.fixation[0], 1 + nucleus.saccade[0])
    return arrived[0], spikes, bursts, state.detector.u[0], *margins


if __name__ == "__main__":
    auto_cli(main)
