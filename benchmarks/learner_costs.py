"""What one step of learning costs: wall and CPU time, and the memory it needs at once."""

import torch

from benchmarks.local_memory import MIB, backward, layer_by_layer, peak
from benchmarks.machine import synchronise
from benchmarks.timing import fastest
from clapp_snn.modalities.images import IMAGES
from clapp_snn.stimuli.record import Dataset
from clapp_snn.training.batches import Plan
from clapp_snn.training.build import build_network, method_of
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.critical_periods import choose_learner
from clapp_snn.training.distributed import World


def step_time(
    config: TrainConfig, data: Dataset, device: torch.device, seconds: float, period: int = 0
) -> dict[str, float]:
    """Images a second and CPU milliseconds an image of the quickest step within `seconds`.

    A step is response, update and optimiser on one batch; reading and random views are not counted. With
    critical periods it is a step of the period of area `period`, counted from 0.
    """
    network, _ = build_network(config, device, len(data.class_names))
    learner = choose_learner(config, network, World(0, 1, device))
    split = data.train if network.method.task == "supervised" else data.unlabeled
    plan = Plan(len(split), config.batch, config.samples_in_group, 0, 1, config.seed)
    batches = IMAGES.batches(config, split, plan, network, device)
    ((_, stimulus, labels),) = batches.between(0, 1)

    def streams(module: int, loss: int) -> list[torch.Generator]:
        return plan.streams(0, "saccade", module, loss, device=device)

    def step() -> None:
        learner.step(stimulus, labels, streams)
        synchronise(device)

    learner.begin(period, len(learner.optimizers))
    step()
    best = fastest(step, seconds)
    return {
        "images/s": config.batch / best.wall,
        "CPU ms/image": 1e3 * best.cpu / config.batch,
    }


def step_memory(config: TrainConfig) -> dict[str, float]:
    """MiB of the weights, and the most that a step holds besides them (bytes of live tensors, counted)."""
    way = layer_by_layer if method_of(config).explicit else backward
    weights, held = peak(config.method, config.width, config.batch, way, fake=False)
    return {"weights MiB": weights / MIB, "step MiB": held / MIB}
