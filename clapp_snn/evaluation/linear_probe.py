"""The paper's linear probe, for all layers in one pass over the data.

Frozen encoder, mean over the patch grid, one linear classifier a layer, cross entropy, Adam with learning
rate 1e-3, batches of 32 augmented crops computed anew every epoch, 300 epochs; the result is the accuracy
of the last epoch over all centre-cropped test images (Illing et al. 2021,
appendix, arXiv:2010.08262).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from tqdm import tqdm

from clapp_snn.evaluation.features import grid_mean, pixel_features, pooled_features
from clapp_snn.evaluation.interfaces import FeatureEncoder, ImageDataset, Views, labels_of
from clapp_snn.evaluation.probe_state import load_state, save_state
from clapp_snn.evaluation.scores import LayerScore, require_finite, score_logits
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.randomness import generator


@dataclass(frozen=True)
class LinearProbeSettings:
    """The paper's protocol; `encode` images go through the frozen encoder at a time (speed only)."""

    epochs: int = 300
    batch: int = 32
    learning_rate: float = 1e-3
    encode: int = 256
    pixels: bool = False

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch, self.encode) < 1 or not self.learning_rate > 0:
            raise ValueError(
                f"Epochs, batch, encode and learning rate of a probe must be positive: {self}."
            )


class LinearHeads:
    """One linear classifier a layer and one Adam over all of them (the same as one Adam each)."""

    def __init__(
        self,
        sizes: dict[int, int],
        classes: int,
        learning_rate: float,
        seed: int,
        device: torch.device | str,
    ) -> None:
        self.weights: dict[str, Tensor] = {}
        for layer, size in sizes.items():
            # PyTorch's default for Linear: uniform within 1/sqrt(inputs), weight and bias.
            bound = 1 / math.sqrt(size)
            stream = generator(seed, "probe head", layer)
            for name, shape in (("weight", (classes, size)), ("bias", (classes,))):
                value = torch.empty(shape).uniform_(-bound, bound, generator=stream)
                self.weights[f"{name}_{layer}"] = value.to(device).requires_grad_()
        self.layers = sorted(sizes)
        self.optimiser = torch.optim.Adam(list(self.weights.values()), lr=learning_rate)

    def logits(self, layer: int, features: Float[Tensor, "image channel"]) -> Tensor:
        """Class scores of one layer."""
        return torch.nn.functional.linear(
            features, self.weights[f"weight_{layer}"], self.weights[f"bias_{layer}"]
        )

    def step(self, features: dict[int, Tensor], labels: Int64[Tensor, "image"]) -> Tensor:
        """One Adam step on the summed cross entropies (gradients of the heads do not mix)."""
        loss = torch.stack(
            [
                torch.nn.functional.cross_entropy(self.logits(i, features[i]), labels)
                for i in self.layers
            ]
        ).sum()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.detach()


def augmented_chunks(
    encoder: FeatureEncoder,
    dataset: ImageDataset,
    views: Views,
    settings: LinearProbeSettings,
    seed: int,
    epoch: int,
    device: torch.device | str,
) -> Iterator[list[tuple[dict[int, Tensor], Tensor]]]:
    """Batches (features by layer, labels) of one epoch, several of them for each encoder call.

    The crops of a batch depend on seed, epoch and batch number only, not on how many batches are encoded
    together.
    """
    labels = labels_of(dataset.train, "train")
    order = torch.randperm(len(labels), generator=generator(seed, "probe order", epoch))
    batches = list(order.split(settings.batch))
    group = max(1, settings.encode // settings.batch)
    for first in range(0, len(batches), group):
        part = batches[first : first + group]
        crops = [
            views.training(
                dataset.train.read(indices).to(device),
                generator(seed, "probe crop", epoch, first + offset),
            )
            for offset, indices in enumerate(part)
        ]
        images = torch.cat(crops)
        with torch.no_grad():
            layers = dict(enumerate(grid_mean(encoder.features(images)), start=1))
        if settings.pixels:
            layers[0] = images.flatten(1)
        sizes = [len(indices) for indices in part]
        split = {layer: values.split(sizes) for layer, values in layers.items()}
        yield [
            ({layer: split[layer][i] for layer in split}, labels[indices].to(device))
            for i, indices in enumerate(part)
        ]


def linear_probe(
    encoder: FeatureEncoder,
    dataset: ImageDataset,
    views: Views,
    seed: int,
    settings: LinearProbeSettings | None = None,
    device: torch.device | str = "cpu",
    state: Path | None = None,
    progress: str | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> list[LayerScore]:
    """Accuracy after the last epoch of every layer (and of pixels, layer 0, if asked for).

    With `state` the heads are saved there after every epoch, and an interrupted probe goes on where it
    stopped, with the same result. `on_epoch` receives the epoch number (from 1) and the mean loss a head.

    Raises:
        ValueError: if a split is empty or unlabelled, the features are not finite, or `state` belongs to
            another encoder, data set or setting.
        DivergenceError: if a loss becomes NaN or infinite, naming the epoch.
    """
    settings = settings or LinearProbeSettings()
    labels = labels_of(dataset.train, "train")
    test_labels = labels_of(dataset.test, "test")
    test = dict(
        enumerate(
            pooled_features(encoder, dataset.test, views.centre, settings.encode, device), start=1
        )
    )
    for layer, values in test.items():
        require_finite(values, f"The test features of layer {layer}")
    if settings.pixels:
        test[0] = pixel_features(dataset.test, views.centre, device=device)
    sizes = {layer: values.shape[1] for layer, values in test.items()}
    heads = LinearHeads(sizes, len(dataset.class_names), settings.learning_rate, seed, device)
    identity = (
        f"seed={seed} batch={settings.batch} lr={settings.learning_rate} "
        f"data={dataset.name} train={len(labels)} test={len(test_labels)} sizes={sizes}"
    )
    done = 0
    if state is not None and state.exists():
        done = load_state(state, heads.weights, heads.optimiser, identity, test)
        if done > settings.epochs:
            raise ValueError(
                f"{state} holds a probe of {done} epochs already, more than the {settings.epochs} asked for; "
                "ask for more, or delete it to start afresh."
            )
    bar = tqdm(
        range(done, settings.epochs),
        initial=done,
        total=settings.epochs,
        desc=progress,
        unit="epoch",
        disable=progress is None,
    )
    for epoch in bar:
        total = torch.zeros((), device=device)
        for chunk in augmented_chunks(encoder, dataset, views, settings, seed, epoch, device):
            for features, target in chunk:
                total += heads.step(features, target) * len(target)
        mean = float(total) / (len(labels) * len(sizes))
        if not math.isfinite(mean):
            raise DivergenceError(
                f"The loss of the probe is {mean} in epoch {epoch + 1}: features of training samples are not "
                "finite, or a learning rate is too high."
            )
        bar.set_postfix(loss=f"{mean:.3f}")
        if on_epoch is not None:
            on_epoch(epoch + 1, mean)
        if state is not None:
            save_state(state, heads.weights, heads.optimiser, identity, test, epoch + 1)
    note = f"epoch {settings.epochs}, fresh crops"
    with torch.no_grad():
        return [
            score_logits(layer, heads.logits(layer, test[layer]), test_labels, note)
            for layer in heads.layers
        ]
