"""Parts of a collection for cross validation: each class is dealt out evenly, without any randomness."""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor


def fold_numbers(labels: Int64[Tensor, "item"], folds: int) -> Int64[Tensor, "item"]:
    """The fold of every item: the items of a class, in their order, are dealt to the folds in turn.

    Class c begins with fold c modulo `folds`, so that what is left over is spread, too. Every class has
    equally many items in each fold, or one more.

    Raises ValueError for fewer than two folds, or than two items of a class for each fold.
    """
    sizes = labels.bincount()
    if folds < 2 or int(sizes[sizes > 0].min()) < folds:
        raise ValueError(
            f"{folds} folds need at least two folds and an item of every class in each, but a class has "
            f"{int(sizes[sizes > 0].min())}; choose fewer folds"
        )
    numbers = torch.empty_like(labels)
    for label in labels.unique().tolist():
        members = labels == label
        numbers[members] = (torch.arange(int(members.sum())) + label) % folds
    return numbers


def is_test(
    labels: Int64[Tensor, "item"],
    given: Bool[Tensor, "item"] | None,
    fold: int | None,
    folds: int,
    source: str,
) -> Bool[Tensor, "item"]:
    """Items of fold `fold`, or the given ones where it is None; raises ValueError where none are given."""
    if fold is not None:
        return fold_numbers(labels, folds) == fold
    if given is None:
        raise ValueError(f"{source} does not say which items are the test; choose a fold")
    return given
