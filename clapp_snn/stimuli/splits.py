"""What data sets of all modalities share: three named splits, classes, and a fingerprint."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

S = TypeVar("S")

KEYS = ("train", "test", "unlabeled")


@dataclass(frozen=True)
class Absent:
    """Stands for a split that a data set does not have; `reason` says what is missing and what to do."""

    reason: str


@dataclass(frozen=True, eq=False)
class SplitSet(ABC, Generic[S]):
    """Labelled samples for a read-out, and samples for learning without labels, with what they are.

    Attributes:
        name, note: what the data are called, and what they are and are not, in plain words.
        class_names: the classes of the labels.
        splits: "train", "test" and "unlabeled"; asking for one that is `Absent` raises FileNotFoundError.
    """

    name: str
    note: str
    class_names: list[str]
    splits: Mapping[str, S | Absent]

    @property
    def train(self) -> S:
        """Labelled samples on which a read-out is trained."""
        return self._split("train")

    @property
    def test(self) -> S:
        """Labelled samples on which a read-out is tested."""
        return self._split("test")

    @property
    def unlabeled(self) -> S:
        """Samples for self-supervised learning."""
        return self._split("unlabeled")

    @property
    def chance(self) -> float:
        """Accuracy of guessing among equally frequent classes, in percent."""
        return 100.0 / len(self.class_names)

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with the classes or with what `trace` is fed.

        The name is left out: a folder may be renamed.
        """
        digest = hashlib.blake2b(digest_size=8)
        digest.update("\x1f".join(self.class_names).encode())
        for key in KEYS:
            split = self.splits[key]
            if isinstance(split, Absent):
                digest.update(f"|{key} absent".encode())
            else:
                self.trace(key, split, digest)
        return digest.hexdigest()

    @abstractmethod
    def trace(self, key: str, split: S, digest: "hashlib.blake2b") -> None:
        """Feed sizes, labels and a few samples of a split to the digest; cheap for any size."""

    def describe(self) -> dict[str, Any]:
        """What the data are, as plain values for a run's `data.json`."""
        return {
            "name": self.name,
            "note": self.note,
            "classes": list(self.class_names),
            "chance": self.chance,
            "fingerprint": self.fingerprint,
        }

    def _split(self, key: str) -> S:
        split = self.splits[key]
        if isinstance(split, Absent):
            raise FileNotFoundError(split.reason)
        return split
