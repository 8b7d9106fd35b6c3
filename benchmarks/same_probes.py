"""Does the explicit rule on fast kernels learn as well as autograd? Final probes over several seeds.

    python -m benchmarks.same_probes --steps 600 --seeds [1,2,3] --width 0.125

Same data order, crops and saccades for both; they part only by rounding, which training amplifies, so
equal quality means equal within the spread over seeds.
"""

import statistics

from jsonargparse import auto_cli

from benchmarks.short_run import SINGLE, learn
from clapp_snn.commands.train import data_of
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.evaluation.run_probes import probe_encoder
from clapp_snn.training.build import build_hierarchy
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.learner import BackpropLearner, Learner, LocalLearner

LAYERS = 6


def accuracies(config: TrainConfig, steps: int, explicit: bool) -> list[float]:
    """Fast-probe accuracy (percent) of every layer after training."""
    device = SINGLE.device
    dataset = data_of(config)
    hierarchy, _ = build_hierarchy(config, device, len(dataset.class_names))
    kind: type[LocalLearner] | type[BackpropLearner] = LocalLearner if explicit else BackpropLearner
    learner: Learner = kind(hierarchy, config.learning_rate, config.samples_in_group, SINGLE)
    for _ in learn(config, dataset.unlabeled, learner, steps):
        pass
    hierarchy.requires_grad_(False)
    scores = probe_encoder(hierarchy.encoder, dataset, ["fast"], 0, device, None, standard_views())
    found = {score.layer: score.accuracy for score in scores["fast"]}
    return [found[layer] for layer in range(1, LAYERS + 1)]


def compare(
    data: str = "photographs",
    method: str = "clapp-s",
    width: float = 0.125,
    batch: int = 16,
    steps: int = 600,
    learning_rate: float = 1e-3,
    seeds: tuple[int, ...] = (1, 2, 3),
) -> None:
    """Train with both and print the accuracy of every layer.

    Args:
        data: as for training.
        method: a contrastive method with one-layer modules.
        width: width multiplier.
        batch: images a step.
        steps: training steps.
        learning_rate: of Adam.
        seeds: master seeds; the two codes share each.
    """
    found: dict[str, list[list[float]]] = {"explicit": [], "autograd": []}
    print("code      seed  " + "  ".join(f"layer {i + 1}" for i in range(LAYERS)))
    for seed in seeds:
        config = TrainConfig(
            method=method,
            data=data,
            width=width,
            batch=batch,
            learning_rate=learning_rate,
            seed=seed,
        )
        for name, rows in found.items():
            rows.append(accuracies(config, steps, explicit=name == "explicit"))
            print(f"{name:<9} {seed:4}  " + "  ".join(f"{a:7.2f}" for a in rows[-1]), flush=True)
    means = {
        name: [statistics.mean(c) for c in zip(*rows, strict=True)] for name, rows in found.items()
    }
    for name, mean in means.items():
        print(f"{name:<9} mean  " + "  ".join(f"{a:7.2f}" for a in mean))
    gaps = [a - b for a, b in zip(means["explicit"], means["autograd"], strict=True)]
    print("difference      " + "  ".join(f"{gap:7.2f}" for gap in gaps))


if __name__ == "__main__":
    auto_cli(compare)
