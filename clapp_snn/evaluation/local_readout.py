"""Accuracy of a read-out that learns by a local three-factor rule, beside the linear probe.

Both read the same activities. The linear probe is the optimum of a convex problem; this one sees a few
windows at a time, learns from them at once, and forgets them.
"""

import torch

from clapp_snn.circuit.local_readout import LocalReadout
from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.scores import LayerScore, require_finite, score_logits
from clapp_snn.randomness import generator

PRESENTATIONS, LEARNING_RATE, SIDE_BY_SIDE = 20, 0.3, 10
"""Rates of 0.1 and 0.03 did no better on held-out training digits (seed 0, 1500 windows of spiking CLAPP)."""


def read_out_locally(
    cache: CachedFeatures,
    seed: int = 0,
    presentations: int = PRESENTATIONS,
    learning_rate: float = LEARNING_RATE,
    events: int | None = None,
    side_by_side: int = SIDE_BY_SIDE,
) -> list[LayerScore]:
    """Teach a fresh read-out of every layer, then score it on all test samples.

    Args:
        cache: activities.
        seed: of the order, another in every round, and of the events.
        presentations: rounds through the training samples.
        learning_rate: of the rule.
        events: of the read-out's population in a window; None for mean activity.
        side_by_side: samples that learn at once; their changes add up, so few are nearly one at a time.

    Raises ValueError for features that are not finite, and as `LocalReadout` does.
    """
    scores = []
    for layer, features in sorted(cache.train.items()):
        require_finite(features, f"The training features of layer {layer}")
        require_finite(cache.test[layer], f"The test features of layer {layer}")
        readout = LocalReadout(features.shape[1], cache.classes, learning_rate, events)
        readout.to(features.device, features.dtype)
        race = None if events is None else generator(seed, "read-out events", layer)
        for number in range(presentations):
            shuffle = generator(seed, "read-out order", number)
            for index in torch.randperm(len(features), generator=shuffle).split(side_by_side):
                readout.learn(features[index], cache.train_labels[index], race)
        note = f"three-factor rule, {presentations} presentations, rate {learning_rate:g}"
        scores.append(score_logits(layer, readout(cache.test[layer]), cache.test_labels, note))
    return scores
