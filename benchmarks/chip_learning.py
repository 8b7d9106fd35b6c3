"""Learning digits one glance at a time in Loihi's integers, against the float rule on the same glances.

    python -m benchmarks.chip_learning --seeds 1 2 3 --windows 12000

One dense area of 96, batch 1, windows of 64 steps. "float" is the local rule in rate code with Adam.
"engine" is the learning engine as the area on the chip uses it: x1 y1 loses 3 bits, rounded down. "whole"
writes y1 in steps of 8 (y2 in steps of 32, c in steps of 4), so that no product loses bits, and lets each
soma add a sign of (target - spikes) to y1, which keeps it active. Weights have 9 bits and are rounded
stochastically in both. All gains are the smallest exponents with which the engine still moves weights.
Read-outs are linear, of z with the weights that were learned, in percent of test digits.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64

from benchmarks.spiking_digits import look, probes
from clapp_snn.circuit.stream_input import stream_input
from clapp_snn.export.convert import Conversion, convert
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.loihi2.arithmetic import ALIGNMENT
from clapp_snn.export.loihi2.learning_area import QUIET
from clapp_snn.export.loihi2.learning_export import area_settings
from clapp_snn.export.loihi2.network import integer_stage
from clapp_snn.export.rate_layers import layers_of_stream
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_learner import StreamLearner
from clapp_snn.training.stream_session import StreamSession

UNITS, STEPS = 96, 64
TAU = 32.0
"""Steps of the trace of input spikes; a spike adds 1."""
ROOM = 4
"""Weights begin at a quarter of their range."""
HOMEOSTASIS, TARGET = 0.3, 6
"""Probability that y1 gets a step towards the target, and spikes of a window that are wanted."""
ADAM_RATE = 3e-4

Products = Literal["engine", "whole"]
Matrix = Int64[np.ndarray, "post pre"]


def configuration(seed: int) -> StreamConfig:
    """One area, one sample."""
    return StreamConfig(seed=seed, neuron="rate", units=(UNITS,), batch=1)


class Glances(NamedTuple):
    """Input activity of every glance, and whether it is a fixation."""

    x: Float64[np.ndarray, "window input"]
    fixation: list[bool]


def glances(seed: int, count: int) -> Glances:
    """The first glances of the seed's stream."""
    config = configuration(seed)
    network = build_network(config)
    _, stream = look(seed, 1, config.p_saccade)
    position = stream.start()
    x, fixation = [], []
    for _ in range(count):
        glance, position = stream.next(position)
        x.append(stream_input(network, glance.view)[0].double().numpy().ravel())
        fixation.append(bool(glance.y[0] > 0))
    return Glances(np.array(x), fixation)


def accuracy(seed: int, weight: np.ndarray | None, bias: np.ndarray | None) -> float:
    """Linear read-out with these weights, or the initial ones."""
    config = configuration(seed)
    network = build_network(config)
    if weight is not None and bias is not None:
        with torch.no_grad():
            network.area(0).weight.copy_(torch.from_numpy(weight))
            network.area(0).bias.copy_(torch.from_numpy(bias))
    return probes(network, look(seed, 1, config.p_saccade)[0], config)["linear1"]


def float_accuracy(seed: int, windows: int) -> float:
    """The local rule in rate code."""
    config = configuration(seed)
    network = build_network(config)
    digits, stream = look(seed, 1, config.p_saccade)
    session = StreamSession(StreamLearner(network, ADAM_RATE), stream, seed, config.drawn)
    while session.windows < windows:
        session.advance()
    return probes(network, digits, config)["linear1"]


@dataclass
class ChipArea:
    """An area in integers, a window at a time: traces decay in one go, everything else as in `LoihiArea`.

    Args:
        seed: of weights, rounding and glances.
        calibration: input activity that scales are chosen on.
        products: see the top of this file.
    """

    seed: int
    calibration: Float64[np.ndarray, "window input"]
    products: Products

    def __post_init__(self) -> None:
        network = build_network(configuration(self.seed))
        found = convert(layers_of_stream(network), self.calibration, Conversion(), name="area")
        stage = found.network.stages[0]
        self.scale, self.spike = found.scales[0], found.input_scale
        self.encode = found.spikes
        self.unit = integer_stage(stage, 0).unit / ROOM
        self.weight: Matrix = 2 * np.round(stage.synapse.weight * self.unit / 2).astype(np.int64)
        self.bias = np.round(stage.synapse.bias * self.unit * 2**ALIGNMENT).astype(np.int64)
        self.threshold = round(stage.neurons.threshold * self.unit) << ALIGNMENT
        lateral = network.area(0).W_pred.detach().double().numpy()
        learning = Learning((), "tied", "adam", ADAM_RATE, STEPS)
        arrays, settings = area_settings(AreaLearning(lateral, None, self.scale), learning)
        self.pred: Matrix = (arrays["W_pred"] // (2 * ROOM)) * 2
        self.retro: Matrix = self.pred.T.copy()
        self.shift = max(0, settings.apical_shift - (2 if self.products == "whole" else 1))
        self.margin = settings.margin / ROOM * 2 ** (settings.apical_shift - self.shift)
        self.counts = np.zeros(UNITS, np.int64)
        self.tag = np.zeros_like(self.weight)
        self.random = np.random.default_rng(self.seed)
        self.gate = 0.0

    def window(self, x: Float64[np.ndarray, "input"], fixation: bool) -> None:
        """One glance: spikes, score, gamma, weights."""
        spikes = self.encode(x[None], STEPS)[:, 0].astype(np.int64)
        c, z = self.counts, self._spike(spikes)
        self.counts = z
        apical = (self.pred @ (2 * c)) >> self.shift
        back = (self.retro @ (2 * z)) >> self.shift
        y = 1 if fixation else -1
        gamma = y if y * int(z @ apical) < self.margin else 0
        self.gate += abs(gamma)
        ages = np.exp(-np.arange(STEPS - 1, -1, -1) / TAU)
        x1, d = np.minimum(127, self._rounded(ages @ spikes)), (z > 0).astype(np.int64)
        if self.products == "engine":
            y1, y2 = (np.clip(gamma * each, -128, 127) for each in (apical * d, back))
            changes = (np.outer(y1, x1) >> 3) + (self.tag * y2[:, None] >> 3)
            lateral = (gamma * np.outer(z, c) >> 3) * 2.0**-5
            lateral_back = (gamma * np.outer(c, z) >> 3) * 2.0**-5
        else:
            home = HOMEOSTASIS * np.sign(TARGET - z)
            k1 = np.clip(self._rounded(gamma * apical * d / 8 + home), -15, 15)
            k2 = np.clip(self._rounded(gamma * back / 8), -4, 3)
            changes = np.outer(k1, x1) + self.tag * k2[:, None]
            few_c, few_z = (np.minimum(15, self._rounded(each / 4)) for each in (c, z))
            lateral = gamma * np.outer(z, few_c) * 2.0**-4
            lateral_back = gamma * np.outer(c, few_z) * 2.0**-4
        self.weight = self._learned(self.weight, changes * 2.0**-7)
        self.tag = np.outer(d, x1)
        if gamma:
            self.pred = self._learned(self.pred, lateral)
            self.retro = self._learned(self.retro, lateral_back)

    @property
    def floats(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights and biases in units of the area."""
        weight = self.weight / self.unit * self.scale / self.spike
        return weight, self.bias / 2**ALIGNMENT / self.unit * self.scale

    def _spike(self, spikes: Int64[np.ndarray, "time input"]) -> Int64[np.ndarray, "post"]:
        drive = (spikes @ self.weight.T) << ALIGNMENT
        v, counts = np.zeros(UNITS, np.int64), np.zeros(UNITS, np.int64)
        for now in np.concatenate([np.zeros_like(drive[:1]), drive[: STEPS - QUIET - 1]]):
            v = v + self.bias + now
            fired = v > self.threshold
            counts += fired
            v[fired] = 0
        return counts

    def _rounded(self, values: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.floor(values + self.random.random(values.shape)).astype(np.int64)
        return found

    def _learned(self, weight: Matrix, change: np.ndarray) -> Matrix:
        return np.clip(self._rounded(weight + np.clip(change, -256, 255)), -256, 255)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--windows", type=int, default=12000)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(
        "| seed | condition | glances | linear, % | open gates | active units |\n|---|---|---|---|---|---|"
    )
    for seed in options.seeds:
        print(f"| {seed} | untrained | 0 | {accuracy(seed, None, None):.1f} | | |")
        value = float_accuracy(seed, options.windows)
        print(
            f"| {seed} | float, Adam {ADAM_RATE:g} | {options.windows} | {value:.1f} | | |",
            flush=True,
        )
        seen = glances(seed, options.windows)
        kinds: tuple[Products, ...] = ("engine", "whole")
        for products in kinds:
            area = ChipArea(seed, seen.x[:100], products)
            points = {math.ceil(options.windows * part / 3) for part in (1, 2, 3)}
            before = 0
            for index, (x, fixation) in enumerate(zip(*seen, strict=True), start=1):
                area.window(x, fixation)
                if index in points:
                    value, gate = accuracy(seed, *area.floats), area.gate / (index - before)
                    active = float((area.counts > 0).mean())
                    print(
                        f"| {seed} | {products} | {index} | {value:.1f} | {gate:.2f} | {active:.2f} |",
                        flush=True,
                    )
                    area.gate, before = 0.0, index


if __name__ == "__main__":
    main()
