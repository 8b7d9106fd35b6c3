"""`clapp-snn train`: learn from images, speech or clips and leave everything in the run's folder."""

import os
from datetime import timedelta

import torch

from clapp_snn.files import require_folder
from clapp_snn.modalities import modality_of
from clapp_snn.modalities.images import IMAGES
from clapp_snn.run_files import CONFIG
from clapp_snn.stimuli.record import Dataset
from clapp_snn.training.config import TrainConfig, read_config, require_same
from clapp_snn.training.distributed import World
from clapp_snn.training.loop import TrainResult
from clapp_snn.training.loop import train as run_training
from clapp_snn.training.modality import Stimuli
from clapp_snn.training.run_folder import require_run_folder

PATIENCE = timedelta(hours=2)
"""Longest wait of one process for another: a download on a slow line."""


def data_of(config: TrainConfig, *, download: bool = False) -> Stimuli:
    """The data a configuration names; `download` fetches them first if they are not there."""
    return modality_of(config).open(config, download=download)


def images_of(config: TrainConfig, command: str) -> Dataset:
    """The images a configuration names; raises ValueError for other data, which `command` cannot use."""
    if config.modality != IMAGES.name:
        raise ValueError(
            f"`{command}` needs a run that learned from images; this one learned from {config.modality}."
        )
    return IMAGES.open(config)


def train(
    config: TrainConfig,
    *,
    download: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> TrainResult:
    """Open the data, join the other processes if there are any, and train.

    The first process of all looks at the run's folder before any data arrive. The first process of a machine
    opens the data first: it downloads or decodes what the others then find.

    Raises, besides what data and training raise:
        FileExistsError: the folder holds a run and `resume` is off.
        FileNotFoundError: `resume` is on and there is no run.
        NotADirectoryError, OSError: the folder cannot be made or written to.
        ValueError: the configuration differs from that of the run that is resumed.
    """
    device = None if config.device == "auto" else config.device
    with World.from_environment(device, timeout=PATIENCE) as world:
        # Shapes never change, so let cuDNN time its algorithms once.
        torch.backends.cudnn.benchmark = world.device.type == "cuda"
        first = int(os.environ.get("LOCAL_RANK", "0")) == 0

        def look() -> Stimuli | None:
            if world.is_main:
                _require_place(config, world, resume=resume)
            return data_of(config, download=download) if first else None

        found = world.together(look)
        dataset = data_of(config) if found is None else found
        if world.is_main and not quiet:
            print(f"{dataset.name}: {dataset.note}", flush=True)
            print(unpublished_settings(config, dataset.name), end="", flush=True)
        modality = modality_of(config)
        return run_training(config, dataset, world, modality, resume=resume, quiet=quiet)


def _require_place(config: TrainConfig, world: World, *, resume: bool) -> None:
    folder = require_folder(config.folder())
    require_run_folder(folder, CONFIG, resume=resume, alone=world.size == 1)
    if resume:
        require_same(read_config(folder), config)


def unpublished_settings(config: TrainConfig, data: str) -> str:
    """A line for options that are not those of the paper, on the paper's data; nothing elsewhere.

    Defaults are those of images, so that a first run on speech or video would have them unawares.
    """
    modality = modality_of(config)
    unlike = [(name, value) for name, value in modality.settings if getattr(config, name) != value]
    if data != modality.published or not unlike:
        return ""
    paper = ", ".join(f"--{name} {value:g}" for name, value in unlike)
    here = ", ".join(f"{getattr(config, name):g}" for name, _ in unlike)
    return f"The paper's settings for {data} are {paper}; this run has {here}.\n"
