"""Figures that look through the encoder of a run: preferred patches and t-SNE maps."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from clapp_snn.commands.drawing import Drawing, Run
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.evaluation.embedding import embed
from clapp_snn.evaluation.features import pooled_features
from clapp_snn.evaluation.interfaces import ImageSplit, Views, standard_views
from clapp_snn.evaluation.preferred_patches import (
    preferred_images,
    preferred_patches,
    random_channels,
)
from clapp_snn.evaluation.untrained import settle
from clapp_snn.figures import preferred_patches as patches
from clapp_snn.figures import tsne
from clapp_snn.randomness import generator
from clapp_snn.training.build import load_encoder, random_encoder
from clapp_snn.training.device import device_of

CHANNELS, TOP = 8, 8


def representation_figures(run: Run) -> Iterator[Drawing]:
    """Preferred patches (Figs. 3a, 8) and t-SNE (Fig. 3b), from the newest weights of the run.

    Says what cannot be drawn for want of test images, labels or activity.
    """
    device = device_of(run.options.device)
    try:
        test = run.dataset.test
    except FileNotFoundError as error:
        run.say(f"No preferred patches and no t-SNE: {error}")
        return
    trained = load_encoder(run.config, run.folder, device)
    untrained = random_encoder(run.config, device)
    views = standard_views(trained.architecture.image, grey=not run.config.color)
    for encoder in (trained, untrained):
        settle(encoder, run.dataset.train, views.centre, run.options.seed, device)
    yield _preferred(run, {"trained": trained, "random init": untrained}, views, device)
    if test.labels is None:
        run.say("No t-SNE: the test images have no labels to colour them by.")
    elif (drawing := _tsne(run, trained, views, device)) is not None:
        yield drawing


def _preferred(
    run: Run, encoders: dict[str, Encoder], views: Views, device: torch.device
) -> Drawing:
    split, layer = run.dataset.test, run.options.patch_layer
    first = next(iter(encoders.values()))
    if not 1 <= layer <= len(first.channels):
        raise ValueError(f"patch_layer={layer}: the encoder has layers 1 to {len(first.channels)}.")
    stream = generator(run.options.seed, "channels")
    chosen = random_channels(first.channels[layer - 1], CHANNELS, stream)
    panels = []
    for name, encoder in encoders.items():
        found = preferred_patches(
            encoder,
            split,
            views.centre,
            layer,
            chosen,
            top=min(TOP, len(split)),
            device=device,
            progress=len(split) > 2000,
        )
        panels.append(
            patches.PatchPanel(
                title=f"{name}, layer {layer}",
                channels=found.channels.tolist(),
                images=preferred_images(split, found, first.architecture.image).numpy(),
                row=found.row.numpy(),
                col=found.col.numpy(),
                silent=(found.activity[:, 0] <= 0).tolist(),
            )
        )
    shape = first.architecture
    return Drawing(
        "preferred_patches",
        patches.preferred_patches(panels, shape.patch, shape.stride, run.title),
        f"Test images with a frame around the patch that excites a channel of layer {layer} most, for "
        f"{len(chosen)} channels of the trained and of the random encoder.",
        f"What single channels of layer {layer} prefer among {len(split)} test images: the frame is the "
        "patch with the highest activity, one patch an image, best first (compare Figs. 3a and 8 of the "
        "paper). The network sees the images in "
        f"{'colour' if run.config.color else 'grey'}.",
    )


def _tsne(run: Run, encoder: Encoder, views: Views, device: torch.device) -> Drawing | None:
    sample = chosen_images(run.dataset.test, run.options.tsne_images, run.options.seed)
    features = pooled_features(encoder, sample, views.centre, device=device)
    depth = len(features)
    shown = [1, (depth + 2) // 2, depth]
    labels = sample.labels.numpy()
    panels = []
    for layer in dict.fromkeys(shown):
        try:
            found = embed(features[layer - 1], run.options.seed)
        except ValueError as error:
            run.say(f"No t-SNE of layer {layer}: {error}")
        else:
            panels.append(tsne.EmbeddingPanel(f"layer {layer}", found, labels))
    if not panels:
        return None
    return Drawing(
        "tsne",
        tsne.tsne(panels, run.dataset.class_names[: tsne.MOST_CLASSES], title=run.title),
        f"Scatter plots: t-SNE maps of {len(labels)} test images in {len(panels)} layers, coloured by "
        "class.",
        f"t-SNE of the features of {len(labels)} test images (compare Fig. 3b of the paper); perplexity "
        "50 or less. Distances between clusters and the axes mean nothing."
        + (
            f" Only the first {tsne.MOST_CLASSES} classes are shown."
            if len(run.dataset.class_names) > tsne.MOST_CLASSES
            else ""
        ),
    )


@dataclass(frozen=True, eq=False)
class ChosenImages:
    """Some images of a split."""

    split: ImageSplit
    indices: Int64[Tensor, "image"]
    labels: Int64[Tensor, "image"]

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, indices: Int64[Tensor, "n"]) -> UInt8[Tensor, "n 3 row col"]:
        """Images by their number among the chosen ones."""
        return self.split.read(self.indices[indices])


def chosen_images(split: ImageSplit, count: int, seed: int) -> ChosenImages:
    """At most `count` images of the first classes, drawn without replacement, in ascending order."""
    labels = split.labels
    if labels is None:
        raise ValueError("The test split has no labels; t-SNE colours images by their class.")
    candidates = torch.nonzero(labels < tsne.MOST_CLASSES).flatten()
    order = torch.randperm(len(candidates), generator=generator(seed, "tsne"))[:count]
    indices = candidates[order].sort().values
    return ChosenImages(split, indices, labels[indices])
