"""`clapp-snn alignment`: cosine between what a method changes and what back-propagation would."""

import csv
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import torch

from clapp_snn.commands.figure_index import Entry, update_index
from clapp_snn.commands.train import images_of
from clapp_snn.figures import style
from clapp_snn.figures.update_alignment import update_alignment
from clapp_snn.files import write_text
from clapp_snn.modalities.images import IMAGES
from clapp_snn.recording.alignment import AlignmentMonitor
from clapp_snn.run_files import ALIGNMENT, CHECKPOINTS, FIGURES
from clapp_snn.stimuli.record import Dataset
from clapp_snn.training.batches import Plan
from clapp_snn.training.build import build_network
from clapp_snn.training.checkpoint import (
    CheckpointError,
    list_checkpoints,
    load_checkpoint,
    load_weights,
)
from clapp_snn.training.config import TrainConfig, read_config
from clapp_snn.training.device import device_of
from clapp_snn.training.encoder_weights import fill

FIGURE = "alignment.png"


def alignment(
    run: str | Path,
    batches: int = 8,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Measure every kept checkpoint on the first `batches` training batches, write table and figure.

    Raises CheckpointError for a run without checkpoints, ValueError for runs that did not learn from images
    by an explicit rule, or for no batches.
    """
    if batches < 1:
        raise ValueError(f"batches must be at least 1, not {batches}.")
    folder, config = Path(run), read_config(run)
    data, where = images_of(config, "alignment"), device_of(device)
    found: dict[int, list[float]] = {}
    checkpoints = list_checkpoints(folder / CHECKPOINTS)
    if not checkpoints:
        raise CheckpointError(f"{folder} has no checkpoints; train it first.")
    for checkpoint in checkpoints:
        step = load_checkpoint(checkpoint).step
        found[step] = _cosines(config, checkpoint, data, where, batches)
        values = "  ".join(f"{value:6.3f}" for value in found[step])
        say(f"step {step:>8}  {values}")
    table = StringIO()
    writer = csv.writer(table)
    layers = len(next(iter(found.values())))
    writer.writerow(["step", *(f"layer_{index + 1}" for index in range(layers))])
    writer.writerows([step, *values] for step, values in found.items())
    write_text(folder / ALIGNMENT, table.getvalue())
    lines = {f"step {step}": np.array(values) for step, values in found.items()}
    figure = update_alignment(lines, f"{config.method}: updates against back-propagation")
    paths = [folder / ALIGNMENT, style.save(figure, folder / FIGURES / FIGURE)]
    ends = "; ".join(
        f"step {step}: {', '.join(f'{value:.2f}' for value in values)}"
        for step, values in found.items()
    )
    entry = Entry(
        FIGURE,
        f"Line chart of the cosine between local update and gradient by layer. {ends}.",
        f"Cosine between the update of {config.method} and the gradient of the top area's objective by "
        f"back-propagation, layer by layer, mean of {batches} batches, for every kept checkpoint.",
    )
    update_index(folder, [entry], "alignment")
    return paths


def _cosines(
    config: TrainConfig, checkpoint: Path, data: Dataset, device: torch.device, batches: int
) -> list[float]:
    network, _ = build_network(config, device, len(data.class_names))
    fill(
        network, load_weights(checkpoint), checkpoint, f"{config.method} at width {config.width:g}"
    )
    network.requires_grad_(False)
    monitor = AlignmentMonitor(network)
    group = config.samples_in_group
    plan = Plan(len(data.unlabeled), config.batch, group, 0, 1, config.seed)
    stimuli = IMAGES.batches(config, data.unlabeled, plan, network, device)
    for step, stimulus, _ in stimuli.between(0, batches):

        def streams(module: int, loss: int, step: int = step) -> list[torch.Generator]:
            return plan.streams(step, "saccade", module, loss, device=device)

        monitor.record(stimulus, streams, group)
    return [float(value) for value in monitor.cosines()]
