"""Which code stays nearer to double precision while it learns: the explicit rule, or autograd?

    python -m benchmarks.same_weights --steps 100 --seeds [1,2,3] --width 0.125

Three learners start from one network and see the same crops and saccades: autograd in float64, autograd in
float32 and the explicit rule on its fast float32 kernels. Printed is how far the weights of each area are
from those of float64, in percent of the distance that float64 has learned. Training amplifies rounding, so
both float32 codes part from float64; a code that computed something else would part faster.
"""

from typing import Any

import torch
from jsonargparse import auto_cli
from torch import Tensor

from clapp_snn.commands.train import data_of
from clapp_snn.training.batches import Batches, Plan
from clapp_snn.training.build import build_hierarchy
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.distributed import World
from clapp_snn.training.learner import BackpropLearner, Learner, LocalLearner

CODES = ("float64", "autograd", "explicit")


def area_weights(hierarchy: Any) -> list[Tensor]:
    """Weights of every area and its lateral connections in one float64 vector each, bottom up."""
    areas = zip(hierarchy.encoder.layers, hierarchy.areas, strict=True)
    return [
        torch.cat([p.detach().double().flatten() for part in both for p in part.parameters()])
        for both in areas
    ]


def make(code: str, config: TrainConfig, classes: int) -> Learner:
    """The learner of one code on a fresh network."""
    device = torch.device("cpu")
    hierarchy, _ = build_hierarchy(config, device, classes)
    world = World(0, 1, device)
    if code == "explicit":
        return LocalLearner(hierarchy, config.learning_rate, config.samples_in_group, world)
    if code == "float64":
        hierarchy.double()
        hierarchy.encoder.precision = torch.float64
    return BackpropLearner(hierarchy, config.learning_rate, config.samples_in_group, world)


def departures(
    config: TrainConfig, steps: int, looks: tuple[int, ...]
) -> dict[int, dict[str, list[float]]]:
    """Distance from float64 over the distance float64 has learned, by step, code and area."""
    dataset = data_of(config)
    learners = {code: make(code, config, len(dataset.class_names)) for code in CODES}
    start = area_weights(learners["float64"].network)
    plan = Plan(len(dataset.unlabeled), config.batch, config.samples_in_group, 0, 1, config.seed)
    batches = Batches(dataset.unlabeled, plan, 64, True, torch.device("cpu"))
    found = {}
    for step, images, labels in batches.between(0, steps):
        for code, learner in learners.items():
            seen = images.double() if code == "float64" else images
            learner.step(seen, labels, lambda m, k, s=step: plan.streams(s, "saccade", m, k))  # type: ignore[misc]
        if step + 1 in looks:
            exact = area_weights(learners["float64"].network)
            found[step + 1] = {
                code: [
                    float((w - e).norm() / (e - s).norm())
                    for w, e, s in zip(
                        area_weights(learners[code].network), exact, start, strict=True
                    )
                ]
                for code in CODES[1:]
            }
    return found


def compare(
    data: str = "photographs",
    methods: tuple[str, ...] = ("clapp-s", "clapp"),
    width: float = 0.125,
    batch: int = 16,
    steps: int = 100,
    looks: tuple[int, ...] = (1, 10, 30, 100),
    learning_rate: float = 1e-3,
    seeds: tuple[int, ...] = (1, 2, 3),
) -> None:
    """Train with all three and print how far they are apart.

    Args:
        data: as for training.
        methods: contrastive methods with one-layer modules.
        width: width multiplier.
        batch: images a step.
        steps: training steps.
        looks: steps after which the weights are compared.
        learning_rate: of Adam.
        seeds: master seeds; the codes share each.
    """
    print("Distance from float64, % of what float64 has learned, by area")
    print("method    seed  steps  code      " + "  ".join(f"area {i + 1}" for i in range(6)))
    for method in methods:
        for seed in seeds:
            config = TrainConfig(
                method=method,
                data=data,
                width=width,
                batch=batch,
                learning_rate=learning_rate,
                seed=seed,
            )
            for look, rows in departures(config, steps, looks).items():
                for code, shares in rows.items():
                    numbers = "  ".join(f"{100 * share:6.3f}" for share in shares)
                    print(f"{method:<9} {seed:4}  {look:5}  {code:<8}  {numbers}", flush=True)


if __name__ == "__main__":
    auto_cli(compare)
