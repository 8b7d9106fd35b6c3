"""Few-shot probe: nearest class mean of k labelled images a class, over many random episodes."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.features import standardise
from clapp_snn.evaluation.scores import LayerScore, require_finite
from clapp_snn.randomness import generator


def draw_episodes(
    labels: Int64[Tensor, "image"],
    classes: int,
    shots: int,
    episodes: int,
    stream: torch.Generator,
) -> Int64[Tensor, "episode class shot"]:
    """Indices of `shots` different images of every class, for every episode.

    Raises:
        ValueError: if `shots` or `episodes` is below 1 or a class has fewer images than `shots`.
    """
    if shots < 1 or episodes < 1:
        raise ValueError(f"A few-shot probe of {shots} shots and {episodes} episodes has no sense.")
    counts = torch.bincount(labels, minlength=classes)
    if int(counts.min()) < shots:
        poorest = int(counts.argmin())
        raise ValueError(
            f"{shots} shots need {shots} training images of every class, but class {poorest} has "
            f"{int(counts[poorest])}. Use fewer shots or more images."
        )
    members = [torch.nonzero(labels == number).flatten() for number in range(classes)]
    return torch.stack(
        [
            torch.stack([m[torch.randperm(len(m), generator=stream)[:shots]] for m in members])
            for _ in range(episodes)
        ]
    )


def episode_accuracies(
    train: Float[Tensor, "image channel"],
    episodes: Int64[Tensor, "episode class shot"],
    test: Float[Tensor, "test channel"],
    test_labels: Int64[Tensor, "test"],
    chunk: int = 20,
) -> Float[Tensor, "episode"]:
    """Share of all test images whose nearest class mean (Euclidean) is their own, in percent."""
    target = test_labels.to(test.device)
    accuracies = []
    for part in episodes.to(train.device).split(chunk):
        count, classes, _ = part.shape
        means = train[part].mean(dim=2).flatten(0, 1)
        # |x - m|^2 without the term |x|^2, which is the same for every class.
        distance = torch.addmm(means.square().sum(dim=1), test, means.t(), alpha=-2.0)
        nearest = distance.view(len(test), count, classes).argmin(dim=2)
        accuracies.append((nearest == target[:, None]).double().mean(dim=0))
    return 100 * torch.cat(accuracies)


def few_shot_probe(
    cache: CachedFeatures, seed: int, shots: int = 5, episodes: int = 200
) -> list[LayerScore]:
    """Mean accuracy over the episodes of every cached layer.

    Features are centre crops, standardised with the statistics of all training images (which uses no
    label). The episodes depend on the seed only, so encoders and layers are compared on the same draws.
    The 95 % interval is that of the mean over episodes, for this test set.
    """
    count = cache.centre_count
    labels = cache.train_labels[:count]
    stream = generator(seed, "few-shot episodes")
    drawn = draw_episodes(labels, cache.classes, shots, episodes, stream)
    scores = []
    for layer in sorted(cache.train):
        require_finite(cache.test[layer], f"The test features of layer {layer}")
        train, test = standardise(cache.train[layer][:count], cache.test[layer])
        accuracies = episode_accuracies(train.float(), drawn, test.float(), cache.test_labels)
        mean = float(accuracies.mean())
        half = (
            1.959964 * float(accuracies.std()) / math.sqrt(episodes) if episodes > 1 else math.inf
        )
        scores.append(
            LayerScore(
                layer=layer,
                accuracy=mean,
                low=max(0.0, mean - half),
                high=min(100.0, mean + half),
                n_test=len(test),
                note=f"{shots} shots, {episodes} episodes",
            )
        )
    return scores
