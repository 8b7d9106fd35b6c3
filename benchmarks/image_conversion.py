"""What averages instead of largest values cost, and spikes on top: linear read-out of a run on images.

    python -m benchmarks.image_conversion RUN [--train 400] [--test 300] [--steps 8 16 32 64]

The encoder of a run of `clapp-snn train` is read out layer by layer on the same images and patches (every
third of the grid) with the max-pooling that it was trained with, with averages in its place (`--pool sum`),
and as converted spiking network after a number of steps. Accuracies in percent of test images, by the fast
probe.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from clapp_snn.commands.export_source import open_source
from clapp_snn.commands.spike_probe import Looks, rate_accuracy, spike_accuracy
from clapp_snn.commands.train import images_of
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.evaluation.interfaces import ImageSplit, standard_views
from clapp_snn.export.convert import Conversion
from clapp_snn.export.interpreter import run as judge
from clapp_snn.training.build import load_encoder
from clapp_snn.training.config import read_config

EVERY = 3
"""Of the patches of a row and a column."""
BATCH = 128
"""Patches side by side."""


def image_looks(run: Path, train: int, test: int) -> Looks:
    """Patches of the first images of both splits, in the order of the data set."""
    config = read_config(run)
    encoder = load_encoder(config, run, torch.device("cpu"))
    data = images_of(config, "read-out")
    parts = [
        _patches(encoder, split, count, config.color)
        for split, count in ((data.train, train), (data.test, test))
    ]
    return Looks(parts[0][0], parts[1][0], parts[0][1], parts[1][1])


def _patches(
    encoder: Encoder, split: ImageSplit, count: int, color: bool
) -> tuple[np.ndarray, Tensor]:
    if split.labels is None:
        raise ValueError("A read-out needs labels.")
    indices = torch.linspace(0, len(split) - 1, min(count, len(split))).long()
    view = standard_views(encoder.architecture.image, grey=not color).centre
    table, found = encoder.architecture, []
    for some in indices.split(100):
        patches = encoder.patches(view(split.read(some))).permute(0, 3, 1, 2).numpy()
        grid = patches.reshape(len(some), table.grid, table.grid, *patches.shape[1:])
        found.append(grid[:, ::EVERY, ::EVERY].reshape(len(some), -1, *patches.shape[1:]))
    return np.concatenate(found), split.labels[indices]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--train", type=int, default=400)
    parser.add_argument("--test", type=int, default=300)
    parser.add_argument("--steps", type=int, nargs="*", default=[8, 16, 32, 64])
    parser.add_argument("--peak", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    looks = image_looks(options.run, options.train, options.test)
    source = open_source(options.run, Conversion(pool="sum", peak=options.peak), 1)
    print(f"{source.origin}: {looks.train.shape[:2]} training, {looks.test.shape[:2]} test patches")
    print("| features | " + " | ".join(f"layer {k + 1}" for k in range(len(source.layers))) + " |")
    print("|---" * (len(source.layers) + 1) + "|")

    def row(name: str, values: Sequence[float]) -> None:
        print(f"| {name} | " + " | ".join(f"{each:.1f}" for each in values) + " |", flush=True)

    row("rates, max-pooling", rate_accuracy(source.layers, looks, options.seed))
    row("rates, averages", rate_accuracy(source.layers, looks, options.seed, average=True))
    if not options.steps:
        return
    network = source.converted.network
    found = spike_accuracy(
        source.converted,
        lambda x: judge(network, x, "float32"),
        looks,
        options.steps,
        options.seed,
        batch=BATCH,
    )
    for steps, values in found.items():
        row(f"spikes, {steps} steps", values)


if __name__ == "__main__":
    main()
