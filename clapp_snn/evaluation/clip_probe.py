"""The published classifier on frozen video encoders, one for every layer, trained side by side.

Output of the layer, averaged over time and flattened; batch normalisation, dropout 1/2, a linear classifier;
cross entropy. 200 epochs of augmented clips of 72 frames in batches of 8, Adam with learning rate 1e-4, times
0.1 from epoch 60 and 0.01 from epoch 80, weight decay 1e-5. Result: accuracy of the last epoch over all test
recordings. An incomplete last batch of an epoch is left out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from clapp_snn.encoders.video import VideoEncoder
from clapp_snn.evaluation.clip_features import (
    ClipSettings,
    augmented_clips,
    features_of,
    require_labels,
    test_clips,
)
from clapp_snn.evaluation.probe_state import load_state, save_state
from clapp_snn.evaluation.scores import LayerScore, require_finite, score_logits
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.randomness import generator
from clapp_snn.stimuli.clips import ClipDataset, without_short

DROPOUT = 0.5
MOMENTUM = 0.1


@dataclass(frozen=True)
class ClipProbeSettings:
    """Settings of the published classifier; `milestones` are (from epoch, factor of the learning rate)."""

    epochs: int = 200
    batch: int = 8
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    milestones: tuple[tuple[int, float], ...] = ((60, 0.1), (80, 0.01))

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 2 or not self.learning_rate > 0:
            raise ValueError(
                f"Epochs and learning rate of a probe must be positive, its batch at least 2: {self}."
            )

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        factor = 1.0
        for start, share in self.milestones:
            if epoch >= start:
                factor = share
        return self.learning_rate * factor


class ClipHeads:
    """BatchNorm, dropout and a linear classifier for every layer, and one Adam over all of them."""

    def __init__(
        self,
        sizes: dict[int, int],
        classes: int,
        settings: ClipProbeSettings,
        seed: int,
        device: torch.device,
    ) -> None:
        self.layers = sorted(sizes)
        self.weights: dict[str, Tensor] = {}
        self.running: dict[str, Tensor] = {}
        for layer, size in sizes.items():
            weight = torch.empty(classes, size)
            nn.init.orthogonal_(weight, generator=generator(seed, "clip head", layer))
            parts = {
                "gain": torch.ones(size),
                "shift": torch.zeros(size),
                "weight": weight,
                "bias": torch.zeros(classes),
            }
            for name, value in parts.items():
                self.weights[f"{name}_{layer}"] = value.to(device).requires_grad_()
            self.running[f"mean_{layer}"] = torch.zeros(size, device=device)
            self.running[f"variance_{layer}"] = torch.ones(size, device=device)
        self.optimiser = torch.optim.Adam(
            list(self.weights.values()),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
        )

    @property
    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed probe needs besides the optimiser."""
        return self.weights | self.running

    def logits(
        self,
        layer: int,
        features: Float[Tensor, "clip feature"],
        stream: torch.Generator | None = None,
    ) -> Float[Tensor, "clip class"]:
        """Class scores; with a stream as in training (statistics of the batch, dropout drawn from it)."""
        own = self.weights
        x = F.batch_norm(
            features,
            self.running[f"mean_{layer}"],
            self.running[f"variance_{layer}"],
            own[f"gain_{layer}"],
            own[f"shift_{layer}"],
            stream is not None,
            MOMENTUM,
        )
        if stream is not None:
            kept = torch.rand(x.shape, generator=stream).to(x.device) >= DROPOUT
            x = x * kept / (1 - DROPOUT)
        return F.linear(x, own[f"weight_{layer}"], own[f"bias_{layer}"])

    def step(
        self,
        features: dict[int, Tensor],
        labels: Int64[Tensor, "clip"],
        stream: torch.Generator,
        rate: float,
    ) -> Tensor:
        """One Adam step on the summed cross entropies."""
        losses = [F.cross_entropy(self.logits(i, features[i], stream), labels) for i in self.layers]
        loss = torch.stack(losses).sum()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.detach()


def clip_probe(
    encoder: VideoEncoder,
    dataset: ClipDataset,
    clips: ClipSettings,
    seed: int,
    device: torch.device,
    settings: ClipProbeSettings | None = None,
    state: Path | None = None,
    progress: str | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> list[LayerScore]:
    """Accuracy of every layer after the last epoch.

    With `state` the heads are saved there after every epoch, and an interrupted probe goes on where it
    stopped, with the same result. `on_epoch` receives the epoch (from 1) and the mean loss a layer.

    Raises ValueError if a split has no labels or too few clips, features are not finite, or `state` belongs
    to another probe; DivergenceError if a loss becomes NaN or infinite, naming the epoch.
    """
    settings = settings or ClipProbeSettings()
    split, short = without_short(dataset.train, clips.frames, dataset.every, "train")
    labels = require_labels(split, "train")
    if len(split) < 2:
        raise ValueError("The classifier needs at least two training clips.")
    test, test_labels = features_of(encoder, test_clips(dataset, clips, seed, device))
    for layer, values in test.items():
        require_finite(values, f"The test features of layer {layer}")
    sizes = {layer: values.shape[1] for layer, values in test.items()}
    heads = ClipHeads(sizes, len(dataset.class_names), settings, seed, device)
    identity = (
        f"seed={seed} {settings} {clips} data={dataset.name} train={len(labels)} "
        f"test={len(test_labels)} sizes={sizes}"
    )
    done = 0
    if state is not None and state.exists():
        done = load_state(state, heads.state, heads.optimiser, identity, test)
    batch = min(settings.batch, len(split))
    for epoch in tqdm(
        range(done, settings.epochs),
        desc=progress,
        unit="epoch",
        disable=None if progress else True,
    ):
        order = torch.randperm(len(split), generator=generator(seed, "clip probe order", epoch))
        total = 0.0
        batches = len(split) // batch
        for number in range(batches):
            chosen = order[number * batch : (number + 1) * batch]
            stream = generator(seed, "clip probe", epoch, number)
            view = augmented_clips(split, chosen, clips, dataset.every, stream, device)
            features = dict(enumerate(encoder.features(view), start=1))
            loss = heads.step(features, labels[chosen].to(device), stream, settings.rate(epoch))
            total += float(loss)
        mean = total / (batches * len(sizes))
        if not math.isfinite(mean):
            raise DivergenceError(
                f"The classifier diverged in epoch {epoch + 1}: its loss is {mean}. "
                "Use a smaller learning rate."
            )
        if on_epoch is not None:
            on_epoch(epoch + 1, mean)
        if state is not None:
            save_state(state, heads.state, heads.optimiser, identity, test, epoch + 1)
    note = f"epoch {settings.epochs}, augmented clips of {clips.frames} frames"
    if short:
        note += f", {short} too short training recordings left out"
    with torch.no_grad():
        return [
            score_logits(layer, heads.logits(layer, test[layer]), test_labels.to(device), note)
            for layer in heads.layers
        ]
