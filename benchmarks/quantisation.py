"""Accuracy against the number of bits of weights: rounded after learning, fine-tuned, learned throughout.

    python -m benchmarks.quantisation --out runs/quantisation --seeds 1 2 3

Two dense areas of 128 learn the embedded digits from a stream, in rate code (the closed form of the spiking
rule). "inference" rounds the learned weights to the nearest level of a searched scale. "fine-tuning" goes on
from there with the local rule, "learning" starts from random weights; both hold quantised weights only and
round stochastically after every window. All conditions of a seed see the same digits, glances and initial
weights; read-outs are linear and 5-shot, of layer 2, in percent of test digits.
"""

import argparse
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.spiking_digits import look, probes
from benchmarks.study import run_cells, summary_table
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.stream_state import StreamAreaState
from clapp_snn.export.quantised_learning import Grid
from clapp_snn.randomness import generator
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_learner import AreaWindow, StreamLearner
from clapp_snn.training.stream_session import StreamSession

BITS = (8, 6, 4, 2)
ROOM = {8: 4.0, 6: 4.0, 4: 2.0, 2: 1.0}
"""Weights that learn from random ones grow; with few bits finer levels are worth more than room to grow."""
GENTLE = 0.03
"""Learning rate of fine-tuning, in units of that of learning."""


class QuantisedLearner(StreamLearner):
    """Puts all weights back on their grid after every window."""

    def __init__(self, hierarchy: StreamHierarchy, rate: float, grid: Grid, seed: int) -> None:
        super().__init__(hierarchy, rate)
        self.grid = grid
        self.random = generator(seed, "stochastic rounding")

    def learn(
        self, states: Sequence[StreamAreaState], y: Float[Tensor, "sample"]
    ) -> list[AreaWindow]:
        """As without a grid, then round."""
        seen = super().learn(states, y)
        self.grid.round(self.random)
        return seen


def configuration(seed: int) -> StreamConfig:
    """Of every condition."""
    return StreamConfig(seed=seed, neuron="rate")


@lru_cache(maxsize=1)
def learned(seed: int, windows: int) -> dict[str, Tensor]:
    """Weights in full precision after learning."""
    config = configuration(seed)
    network = build_network(config)
    watch(StreamLearner(network, config.learning_rate), config, windows)
    return {name: each.clone() for name, each in network.state_dict().items()}


def watch(learner: StreamLearner, config: StreamConfig, windows: int) -> None:
    """Learn from the first `windows` glances of the seed's stream."""
    _, stream = look(config.seed, config.batch, config.p_saccade)
    session = StreamSession(learner, stream, config.seed, config.drawn)
    while session.windows < windows:
        session.advance()


def measure(condition: str, seed: int, windows: int) -> dict[str, float]:
    """One cell: "untrained", "float", or inference, finetuning or learning with the bits, as "learning-4"."""
    config = configuration(seed)
    network = build_network(config)
    found = re.fullmatch(r"(\w+)-(\d)", condition)
    how, bits = (found[1], int(found[2])) if found else (condition, 0)
    if how in ("float", "inference", "finetuning"):
        network.load_state_dict(learned(seed, windows))
    if how == "inference":
        Grid(network, bits)
    elif how == "finetuning":
        rate = GENTLE * config.learning_rate
        watch(QuantisedLearner(network, rate, Grid(network, bits), seed), config, windows // 4)
    elif how == "learning":
        grid = Grid(network, bits, ROOM[bits])
        watch(QuantisedLearner(network, config.learning_rate, grid, seed), config, windows)
    digits, _ = look(seed, config.batch, config.p_saccade)
    return probes(network, digits, config)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder of the cells")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--windows", type=int, default=2000, help="glances of each of 32 samples")
    options = parser.parse_args()
    torch.set_num_threads(1)
    hows = [f"{how}-{bits}" for how in ("inference", "finetuning", "learning") for bits in BITS]
    cells = [(how, seed) for seed in options.seeds for how in ("float", "untrained", *hows)]
    rows = run_cells(
        options.out,
        cells,
        lambda condition, seed, _: measure(condition, seed, options.windows),
        settings={"windows": options.windows, "gentle": GENTLE, "room": str(ROOM)},
        command="benchmarks.quantisation",
    )
    print(summary_table(rows, ["linear1", "linear2", "few2"], reference="float"))


if __name__ == "__main__":
    main()
