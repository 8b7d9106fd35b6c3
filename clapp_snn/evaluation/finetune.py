"""Transfer: a learned encoder as the starting point of supervised back-propagation.

Local learning may prepare a network that is then trained with labels (the use the paper's discussion
proposes). Here the whole network learns by back-propagation, once from the learned weights and once from
random ones, with the same head, batches and crops.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from clapp_snn.encoders.encoder import Encoder
from clapp_snn.evaluation.features import pooled_features
from clapp_snn.evaluation.interfaces import ImageDataset, Views, labels_of
from clapp_snn.evaluation.linear_probe import LinearHeads
from clapp_snn.evaluation.scores import score_logits
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.randomness import generator
from clapp_snn.tables import read_table, write_table


@dataclass(frozen=True)
class FinetuneSettings:
    """Supervised training of the whole network.

    Args:
        epochs: passes over the labelled images that are used.
        batch: images a step.
        learning_rate: of Adam, for encoder and head.
        fractions: shares of the labelled images to train with, each a separate experiment.
    """

    epochs: int = 30
    batch: int = 32
    learning_rate: float = 2e-4
    fractions: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch) < 1 or not self.learning_rate > 0:
            raise ValueError(f"Epochs, batch and learning rate must be positive: {self}.")
        if not self.fractions or not all(0 < share <= 1 for share in self.fractions):
            raise ValueError(f"Label fractions lie above 0 and up to 1, not {self.fractions}.")


@dataclass(frozen=True)
class FinetuneRow:
    """Test accuracy (percent, all test images, centre crop) after an epoch; epoch 0 is before training.

    `step` is how long the weights of the start had learned, where they had. `epochs`, `batch` and
    `learning_rate` are those of `FinetuneSettings`, None in tables of older versions.
    """

    start: str
    fraction: float
    labelled: int
    seed: int
    epoch: int
    accuracy: float
    train_loss: float | None
    step: int | None = None
    epochs: int | None = None
    batch: int | None = None
    learning_rate: float | None = None

    @property
    def settings(self) -> tuple[int | None, int | None, float | None]:
        """What two starts have to share to be compared."""
        return self.epochs, self.batch, self.learning_rate


def differentiable_features(
    encoder: Encoder, images: Float[Tensor, "image channel row col"]
) -> Float[Tensor, "image channel"]:
    """Pooled features of the last layer, with an autograd graph through all layers."""
    x = encoder.patches(images).permute(0, 3, 1, 2)
    for index in range(len(encoder.layers)):
        layer = encoder.layer(index)
        x = torch.relu(F.conv2d(x, layer.weight, layer.bias, padding=1))
        if layer.pool:
            x = F.max_pool2d(x, 2)
    return x.mean(dim=(2, 3)).view(len(images), -1, x.shape[1]).mean(dim=1)


def balanced_subset(
    labels: Int64[Tensor, "image"], classes: int, fraction: float, stream: torch.Generator
) -> Int64[Tensor, "chosen"]:
    """A share of the images of every class, at least one of each, in ascending order."""
    chosen = []
    for number in range(classes):
        members = torch.nonzero(labels == number).flatten()
        keep = max(1, round(fraction * len(members)))
        chosen.append(members[torch.randperm(len(members), generator=stream)[:keep]])
    return torch.cat(chosen).sort().values


def finetune(
    starts: Mapping[str, Encoder],
    dataset: ImageDataset,
    views: Views,
    seed: int,
    settings: FinetuneSettings | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
    done: Callable[[list[FinetuneRow]], None] = lambda rows: None,
) -> list[FinetuneRow]:
    """Train a copy of every start (for instance "learned" and "scratch") with labels; same draws for all.

    The encoders given are left as they are. `done` gets the rows of a start as soon as it is trained.

    Raises:
        ValueError: if a split is empty or unlabelled.
        DivergenceError: if a loss becomes NaN or infinite, naming start and epoch.
    """
    settings = settings or FinetuneSettings()
    labels = labels_of(dataset.train, "train")
    classes = len(dataset.class_names)
    rows: list[FinetuneRow] = []
    for fraction in settings.fractions:
        stream = generator(seed, "finetune labels", f"{fraction:g}")
        subset = balanced_subset(labels, classes, fraction, stream)
        for name, start in starts.items():
            bar = f"{name}, {len(subset)} labels" if progress else None
            found = _train(
                name, start, dataset, views, subset, fraction, seed, settings, device, bar
            )
            done(found)
            rows += found
    return rows


def _train(
    name: str,
    start: Encoder,
    dataset: ImageDataset,
    views: Views,
    subset: Int64[Tensor, "chosen"],
    fraction: float,
    seed: int,
    settings: FinetuneSettings,
    device: torch.device | str,
    progress: str | None,
) -> list[FinetuneRow]:
    encoder = copy.deepcopy(start).to(device)
    encoder.precision = torch.float32
    encoder.requires_grad_(True)
    head = LinearHeads(
        {0: encoder.channels[-1]}, len(dataset.class_names), settings.learning_rate, seed, device
    )
    optimiser = torch.optim.Adam(
        [*encoder.parameters(), *head.weights.values()], lr=settings.learning_rate
    )
    labels = labels_of(dataset.train, "train")

    def measured(epoch: int, loss: float | None) -> FinetuneRow:
        accuracy = _accuracy(encoder, head, dataset, views, device)
        return FinetuneRow(
            name,
            fraction,
            len(subset),
            seed,
            epoch,
            accuracy,
            loss,
            epochs=settings.epochs,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
        )

    rows = [measured(0, None)]
    bar = tqdm(range(settings.epochs), desc=progress, unit="epoch", disable=progress is None)
    for epoch in bar:
        order = subset[
            torch.randperm(len(subset), generator=generator(seed, "finetune order", epoch))
        ]
        total = 0.0
        for step, indices in enumerate(order.split(settings.batch)):
            stream = generator(seed, "finetune crop", epoch, step)
            images = views.training(dataset.train.read(indices).to(device), stream)
            logits = head.logits(0, differentiable_features(encoder, images))
            loss = F.cross_entropy(logits, labels[indices].to(device))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(indices)
        mean = total / len(subset)
        if not mean < float("inf"):
            raise DivergenceError(
                f"Fine-tuning from '{name}' diverged in epoch {epoch + 1} (loss {mean}). "
                "Use a smaller learning rate."
            )
        rows.append(measured(epoch + 1, mean))
        bar.set_postfix(loss=f"{mean:.3f}", test=f"{rows[-1].accuracy:.1f}%")
    return rows


@torch.no_grad()
def _accuracy(
    encoder: Encoder,
    head: LinearHeads,
    dataset: ImageDataset,
    views: Views,
    device: torch.device | str,
) -> float:
    features = pooled_features(encoder, dataset.test, views.centre, device=device)[-1]
    return score_logits(0, head.logits(0, features), labels_of(dataset.test, "test")).accuracy


def write_finetune(path: Path, rows: Sequence[FinetuneRow]) -> None:
    """Write the table as CSV, atomically."""
    write_table(path, FinetuneRow, rows)


def read_finetune(path: Path) -> list[FinetuneRow]:
    """Read what `write_finetune` wrote; raises ValueError naming the line that is none of its rows."""
    return read_table(path, FinetuneRow)


def finetune_text(rows: Sequence[FinetuneRow]) -> str:
    """The accuracies as plain text: one line an epoch, one column a start, share of labels and seed."""
    columns = list(dict.fromkeys(_experiment(row) for row in rows))
    cells = {(*_experiment(row), row.epoch): row.accuracy for row in rows}
    counts = {_experiment(row): row.labelled for row in rows}
    several = len({seed for _, _, seed in columns}) > 1
    titles = [
        f"{start} ({counts[start, fraction, seed]}{f', seed {seed}' if several else ''})"
        for start, fraction, seed in columns
    ]
    lines = ["test accuracy in %, by start (labelled images)"]
    lines.append(" ".join(["epoch", *(f"{title:>{max(8, len(title))}}" for title in titles)]))
    for epoch in sorted({row.epoch for row in rows}):
        values = [
            f"{cells[*column, epoch]:{max(8, len(title))}.1f}"
            if (*column, epoch) in cells
            else " " * max(8, len(title))
            for column, title in zip(columns, titles, strict=True)
        ]
        lines.append(" ".join([f"{epoch:5d}", *values]))
    return "\n".join(lines) + "\n"


def read_last_epochs(path: Path) -> list[FinetuneRow]:
    """Those of a table on disk; empty where there is none. Raises ValueError as `read_finetune` does."""
    return last_epochs(read_finetune(path)) if path.exists() else []


def last_epochs(rows: Sequence[FinetuneRow]) -> list[FinetuneRow]:
    """The last epoch of every start, share of labels and seed, fewest labels first."""
    last = {_experiment(row): row for row in sorted(rows, key=lambda row: row.epoch)}
    return sorted(last.values(), key=lambda row: (row.fraction, row.start, row.seed))


def merged(kept: Sequence[FinetuneRow], new: Sequence[FinetuneRow]) -> list[FinetuneRow]:
    """`kept` with the experiments of `new` in place of those they repeat.

    Rows that cannot stand beside the new ones go, too: of other learned weights, and of the other start with
    the same labels but other settings. What older tables do not tell is taken as equal.
    """
    repeated = {_experiment(row) for row in new}
    steps = {row.start: row.step for row in new}
    ways = {(row.fraction, row.seed): row.settings for row in new}

    def fits(row: FinetuneRow) -> bool:
        step, way = steps.get(row.start), ways.get((row.fraction, row.seed), row.settings)
        alike = zip(way, row.settings, strict=True)
        return (
            _experiment(row) not in repeated
            and (step is None or row.step is None or step == row.step)
            and all(old is None or new is None or old == new for new, old in alike)
        )

    return [*filter(fits, kept), *new]


def _experiment(row: FinetuneRow) -> tuple[str, float, int]:
    return row.start, row.fraction, row.seed
