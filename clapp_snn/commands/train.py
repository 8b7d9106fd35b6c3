"""`clapp-snn train`: learn from images and leave everything in the run's folder."""

import torch

from clapp_snn.commands.options import DataOptions
from clapp_snn.stimuli.dataset import open_dataset
from clapp_snn.stimuli.record import Dataset
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.distributed import World
from clapp_snn.training.loop import TrainResult
from clapp_snn.training.loop import train as run_training


def data_of(config: TrainConfig, options: DataOptions | None = None) -> Dataset:
    """The data a configuration names."""
    options = options or DataOptions()
    return open_dataset(
        config.data,
        download=options.download,
        seed=config.seed,
        unlabeled_from_train=config.unlabeled_from_train,
        skip_unreadable=options.skip_unreadable,
    )


def device_of(name: str) -> torch.device:
    """The device called "auto", "cpu" or "cuda"; raises ValueError for CUDA where there is none."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but PyTorch finds no CUDA device; use device='cpu'.")
    return torch.device(name)


def train(
    config: TrainConfig,
    data: DataOptions | None = None,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> TrainResult:
    """Open the data, join the other processes if there are any, and train."""
    device = None if config.device == "auto" else config.device
    with World.from_environment(device) as world:
        dataset = data_of(config, data)
        if world.is_main and not quiet:
            print(f"{dataset.name}: {dataset.note}", flush=True)
        return run_training(config, dataset, world, resume=resume, quiet=quiet)
