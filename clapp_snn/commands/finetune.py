"""`clapp-snn finetune`: learned weights as the start of supervised training, against a fresh start."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from clapp_snn.commands.train import images_of
from clapp_snn.evaluation.finetune import (
    FinetuneRow,
    FinetuneSettings,
    finetune_text,
    merged,
    read_finetune,
    write_finetune,
)
from clapp_snn.evaluation.finetune import finetune as run_finetune
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.run_files import FINETUNE
from clapp_snn.training.build import load_encoder, random_encoder, require_rectified
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.config import read_config
from clapp_snn.training.device import device_of


def finetune(
    run: str | Path,
    settings: FinetuneSettings | None = None,
    seed: int = 0,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> list[FinetuneRow]:
    """Train the whole network with labels, once from the run's weights and once from scratch.

    Back-propagation, for the transfer that the paper's discussion proposes. Adds to run/finetune.csv,
    start by start: an interruption loses the start that was being trained.
    """
    folder, config = Path(run), read_config(run)
    data = images_of(config, "finetune")
    require_rectified(config, "finetune")
    where = device_of(device)
    starts = {
        "learned": load_encoder(config, folder, where),
        "scratch": random_encoder(config, where),
    }
    views = standard_views(starts["scratch"].architecture.image, grey=not config.color)
    path = folder / FINETUNE
    step = load_checkpoint(folder).step

    def keep(rows: list[FinetuneRow]) -> None:
        known = read_finetune(path) if path.exists() else []
        learned = [replace(row, step=step if row.start == "learned" else None) for row in rows]
        write_finetune(path, merged(known, learned))

    rows = run_finetune(starts, data, views, seed, settings, where, progress=True, done=keep)
    say(finetune_text(rows))
    return rows
