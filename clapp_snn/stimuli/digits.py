"""The embedded digits: 8 x 8 pixels, written by hand, jittered by a pixel at every glance.

1797 digits installed with scikit-learn (test set of "Optical Recognition of Handwritten Digits", E. Alpaydin
and C. Kaynak, UCI Machine Learning Repository, DOI 10.24432/C50P49, CC BY 4.0); nothing is fetched. Seen
without jitter they are easy even for a linear readout of the pixels; jitter makes position uninformative.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from sklearn.datasets import load_digits
from torch import Tensor

from clapp_snn.randomness import generator

JITTER = 1
"""Largest displacement of a digit in rows and in columns, in pixels."""


@dataclass(frozen=True, eq=False)
class DigitSet:
    """Some of the digits, as objects to glance at.

    Attributes:
        images: grey values in [0, 1].
        labels: the digit, 0 to 9.
    """

    images: Float32[Tensor, "object 8 8"]
    labels: Int64[Tensor, "object"]

    def __len__(self) -> int:
        return len(self.images)

    def view(
        self, indices: Int64[Tensor, "sample"], shifts: Int64[Tensor, "sample 2"]
    ) -> Float32[Tensor, "sample 8 8"]:
        """The digits moved down and right by `shifts`, each -1, 0 or 1; what is moved in is 0.

        Raises ValueError for larger shifts, IndexError for a digit that is not there.
        """
        if shifts.abs().gt(JITTER).any():
            raise ValueError(f"digits are shifted by at most {JITTER} pixel, not {shifts.tolist()}")
        padded = torch.nn.functional.pad(self.images[indices], [JITTER] * 4)
        row, col = (JITTER - shifts[:, :, None] + torch.arange(8, device=shifts.device)).unbind(1)
        sample = torch.arange(len(indices), device=shifts.device)
        return padded[sample[:, None, None], row[:, :, None], col[:, None, :]]

    def views(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float32[Tensor, "sample 8 8"]:
        """The digits at jittered positions, uniform among the nine; one random stream a sample."""
        draws = [torch.randint(-JITTER, JITTER + 1, (2,), generator=g) for g in generators]
        return self.view(indices, torch.stack(draws))

    @property
    def looks(self) -> int:
        """One."""
        return 1

    def inspect(
        self, indices: Int64[Tensor, "sample"], generators: Sequence[torch.Generator]
    ) -> Float32[Tensor, "sample 1 8 8"]:
        """One view of each."""
        return self.views(indices, generators)[:, None]

    def raw(self, seen: Float32[Tensor, "sample 1 8 8"]) -> Float32[Tensor, "sample 64"]:
        """The pixels."""
        return seen.flatten(1)


@dataclass(frozen=True, eq=False)
class Digits:
    """All digits: those to learn from (and to train a readout on), and those to test it on."""

    train: DigitSet
    test: DigitSet


def open_digits(seed: int = 0, train: int = 1200) -> Digits:
    """The digits, of which `train` randomly drawn ones are for training and all others for the test.

    Raises ValueError unless both parts hold at least one digit.
    """
    images, labels = load_digits(return_X_y=True)
    if not 0 < train < len(images):
        raise ValueError(f"train must be between 1 and {len(images) - 1} digits, not {train}")
    order = torch.randperm(len(images), generator=generator(seed, "digits"))
    values = torch.from_numpy(images / 16).float().view(-1, 8, 8)[order]
    classes = torch.from_numpy(labels).long()[order]
    return Digits(
        DigitSet(values[:train], classes[:train]), DigitSet(values[train:], classes[train:])
    )
