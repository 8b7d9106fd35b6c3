"""Learning digits one glance at a time on Loihi 2: the integer model of an export, against the float rule.

    python -m benchmarks.chip_learning --out runs/chip_learning --seeds 1 2 3 --glances 10000

One dense area of 96, batch 1, windows of 64 steps; every step of every glance is computed by
`clapp_snn.export.loihi2.learning_area`, with the weights and settings that an export writes. Read-outs are
linear, of z with the weights that were learned, in percent of test digits.

    untrained         float weights at the start
    start             the same in the area's 6 bits
    float             the local rule in rate code with Adam, as many glances
    chip              the exported area, every synapse rounded by its own random number
    lava              the same with one random number for all synapses of a step, as Lava draws them
    no-homeostasis    chip without the pull towards a number of spikes
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from benchmarks.spiking_digits import look, probes
from benchmarks.study import run_cells, summary_table
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_input import stream_input
from clapp_snn.export.convert import Conversion, Converted, convert
from clapp_snn.export.learning import AreaLearning
from clapp_snn.export.loihi2.arithmetic import ALIGNMENT
from clapp_snn.export.loihi2.learning_area import LoihiArea
from clapp_snn.export.loihi2.learning_export import IntegerArea, integer_area
from clapp_snn.export.loihi2.traces import Independent, Rounding, Shared
from clapp_snn.export.rate_layers import layers_of_stream
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_learner import StreamLearner
from clapp_snn.training.stream_session import StreamSession

UNITS, STEPS = 96, 64
CALIBRATION = 100
"""Glances that scales are chosen on."""
ADAM_RATE = 3e-4
PARTS = 4
"""Read-outs while an area learns, at equal distances."""
CONDITIONS = ("untrained", "start", "float", "chip", "lava", "no-homeostasis")
COLUMNS = ("linear", "gates", "active", "mean weight")

Values = dict[str, float]


def configuration(seed: int) -> StreamConfig:
    """One area, one sample."""
    return StreamConfig(seed=seed, neuron="rate", units=(UNITS,), batch=1)


@cache
def glances(seed: int, count: int) -> list[tuple[np.ndarray, bool]]:
    """Input activity of the first glances of the seed's stream, and whether each is a fixation."""
    config = configuration(seed)
    network = build_network(config)
    _, stream = look(seed, 1, config.p_saccade)
    position = stream.start()
    found = []
    for _ in range(count):
        glance, position = stream.next(position)
        x = stream_input(network, glance.view)[0].double().numpy().ravel()
        found.append((x, bool(glance.y[0] > 0)))
    return found


def accuracy(network: StreamHierarchy, seed: int) -> Values:
    """Linear read-out of z."""
    config = configuration(seed)
    return {"linear": probes(network, look(seed, 1, config.p_saccade)[0], config)["linear1"]}


def exported(seed: int) -> tuple[IntegerArea, Converted]:
    """The untrained area as an export writes it."""
    network = build_network(configuration(seed))
    calibration = np.stack([x for x, _ in glances(seed, CALIBRATION)])
    found = convert(layers_of_stream(network), calibration, Conversion(), name="area")
    lateral = network.area(0).W_pred.detach().double().numpy()
    learning = AreaLearning(lateral, None, found.scales[0])
    return integer_area(found.network.stages[0], learning, STEPS), found


def chip_accuracy(area: LoihiArea, start: IntegerArea, found: Converted, seed: int) -> Values:
    """Read-out of z with the area's weights and biases, in units of the float area."""
    network = build_network(configuration(seed))
    bias = start.neurons.bias << start.neurons.bias_exponent
    unit = start.unit / found.scales[0]
    with torch.no_grad():
        weight = area.basal.weight / unit / found.input_scale
        network.area(0).weight.copy_(torch.from_numpy(weight))
        network.area(0).bias.copy_(torch.from_numpy(bias / 2**ALIGNMENT / unit))
    return accuracy(network, seed) | {"mean weight": float(area.basal.weight.mean())}


def learn_on_chip(condition: str, seed: int, count: int) -> Values:
    """Glances in the chip's integers; open gates and active units are those of the last part, in percent."""
    start, found = exported(seed)
    if condition == "no-homeostasis":
        quiet = replace(start.settings.soma, homeostasis=0)
        start = replace(start, settings=replace(start.settings, soma=quiet))
    rounding: dict[str, Callable[[int], Rounding]] = {
        "lava": lambda index: Shared(10 * seed + index, 100 * seed + index)
    }
    draw = rounding.get(condition, lambda index: Independent(np.random.default_rng([seed, index])))
    area = start.area(draw)
    values: Values = {}
    gates = active = 0.0
    points = [round(count * part / PARTS) for part in range(PARTS + 1)]
    for index, (x, fixation) in enumerate(glances(seed, count), start=1):
        seen = area.window(found.spikes(x[None], STEPS)[:, 0].astype(np.int64), fixation)
        gates += abs(seen.gamma)
        active += float((seen.counts > 0).mean())
        if index in points:
            past = index - points[points.index(index) - 1]
            values |= chip_accuracy(area, start, found, seed)
            values |= {"gates": 100 * gates / past, "active": 100 * active / past}
            values[f"linear@{index}"] = values["linear"]
            gates = active = 0.0
    return values


def learn_in_float(seed: int, count: int) -> Values:
    """The local rule in rate code."""
    config = configuration(seed)
    network = build_network(config)
    _, stream = look(seed, 1, config.p_saccade)
    session = StreamSession(StreamLearner(network, ADAM_RATE), stream, seed, config.drawn)
    while session.windows < count:
        session.advance()
    return accuracy(network, seed)


def measure(condition: str, seed: int, count: int) -> Values:
    """One cell."""
    if condition == "untrained":
        return accuracy(build_network(configuration(seed)), seed)
    if condition == "start":
        start, found = exported(seed)
        area = start.area(lambda index: Shared(index))
        return chip_accuracy(area, start, found, seed)
    if condition == "float":
        return learn_in_float(seed, count)
    return learn_on_chip(condition, seed, count)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--glances", type=int, default=10_000)
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = run_cells(
        options.out,
        [(condition, seed) for condition in options.conditions for seed in options.seeds],
        lambda condition, seed, _: measure(condition, seed, options.glances),
        {"glances": options.glances, "units": UNITS, "steps": STEPS},
        "benchmarks.chip_learning",
    )
    print(summary_table(rows, COLUMNS, reference="untrained"))


if __name__ == "__main__":
    main()
