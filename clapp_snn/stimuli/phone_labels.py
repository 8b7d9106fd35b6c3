"""Phone labels and split lists as text files, in the layout that CPC work on LibriSpeech uses.

Labels: one line an utterance, "NAME p p p ...", one whole number for every 10 ms. Splits: one name a line.
"""

from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor


def read_phones(path: Path) -> dict[str, Int64[Tensor, "frame"]]:
    """Labels of all utterances by name.

    Raises ValueError, naming the line, for labels that are no whole numbers or an utterance that is twice
    there.
    """
    found: dict[str, Tensor] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            name, _, labels = line.strip().partition(" ")
            if not name:
                continue
            words = labels.split()
            if not words or not all(word.isdecimal() for word in words):
                raise ValueError(
                    f"{path}, line {number}: expected a name and one whole number for every 10 ms"
                )
            if name in found:
                raise ValueError(f"{path}, line {number}: {name} has labels already")
            found[name] = torch.tensor([int(word) for word in words], dtype=torch.int64)
    return found


def phone_names(path: Path | None, labels: dict[str, Int64[Tensor, "frame"]]) -> list[str]:
    """Names of the classes: those of a file of "number name" lines, or the numbers themselves.

    Raises ValueError when a label has no name.
    """
    most = max((int(each.max()) for each in labels.values()), default=-1)
    if path is None:
        return [str(number) for number in range(most + 1)]
    words = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if [word[0] for word in words] != [str(number) for number in range(len(words))]:
        raise ValueError(f"{path}: expected lines 'number name', counted from 0")
    if most >= len(words):
        raise ValueError(f"{path} names {len(words)} phones, but there is a label {most}")
    return [" ".join(word[1:]) for word in words]


def read_list(path: Path) -> list[str]:
    """Names of the utterances of a split."""
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
