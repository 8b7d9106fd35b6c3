"""What one area is asked to tell apart, as a record without behaviour."""

from dataclasses import dataclass
from typing import Literal

Loss = Literal["hinge", "infonce"]
Sampling = Literal["random", "local", "local_same", "permutation", "all"]
Retro = Literal["tied", "free", "zero"]
Sharing = Literal["code", "paper"]


@dataclass(frozen=True)
class Objective:
    """Contrastive objective of one area (paper Eqs. 2-5 and 14; published code for the details).

    Attributes:
        loss: "hinge" (Eq. 3) or "infonce" (softmax over one fixation and N saccades, CPC / GIM).
        distances: row distances of the prediction steps (times, for sequences), one matrix W_pred each;
            the published code uses five, 2 to 6 rows, because neighbouring patches overlap.
        negatives: saccades N per fixation; without meaning for sampling="all".
        sampling: where saccades land. "random": any target cell of the group, drawn with
            replacement; "local": the same grid place in a random image, drawn per cell;
            "local_same": the same grid place in one random image per image and prediction step;
            "permutation": frames of all sequences of the group in random order, one order a negative
            (speech); "all": nothing is drawn, every other target of the group is a saccade (video).
        time_local: True draws for every image whether it is a fixation or a saccade (Eq. 5);
            False evaluates both for every image (CLAPP-s).
        retro: "tied" W_retro = W_pred^T, "free" an own matrix with its own loss (Eq. 14),
            "zero" no update of the context side.
        sharing: "code" draws y and partner images per image, area and loss, as published; "paper"
            draws one y and one partner image per image for the whole network, and W_retro shares
            the gate of W_pred (Eqs. 6-8 to the letter).
        gate: False removes the broadcast factor (ablation: losses 1 - u for fixation and saccade).
        prediction: False replaces the score by sum(W_retro z) + sum(c) (ablation).
    """

    loss: Loss = "hinge"
    distances: tuple[int, ...] = (2, 3, 4, 5, 6)
    negatives: int = 16
    sampling: Sampling = "random"
    time_local: bool = False
    retro: Retro = "tied"
    sharing: Sharing = "code"
    gate: bool = True
    prediction: bool = True

    def __post_init__(self) -> None:
        problems = []
        if self.loss not in ("hinge", "infonce"):
            problems.append(f"loss must be 'hinge' or 'infonce', not {self.loss!r}")
        if self.sampling not in ("random", "local", "local_same", "permutation", "all"):
            problems.append(
                "sampling must be 'random', 'local', 'local_same', 'permutation' or 'all', not "
                f"{self.sampling!r}"
            )
        if self.retro not in ("tied", "free", "zero"):
            problems.append(f"retro must be 'tied', 'free' or 'zero', not {self.retro!r}")
        if self.sharing not in ("code", "paper"):
            problems.append(f"sharing must be 'code' or 'paper', not {self.sharing!r}")
        if self.negatives < 1:
            problems.append(f"negatives must be at least 1, not {self.negatives}")
        if not self.distances or min(self.distances) < 1:
            problems.append("distances must name at least one row distance of 1 or more")
        if self.sampling.startswith("local") and self.negatives != 1:
            problems.append(f"sampling={self.sampling!r} draws exactly 1 negative")
        if self.time_local and self.negatives != 1:
            problems.append("a time-local objective sees one saccade at a time: negatives=1")
        if self.loss == "infonce" and (self.time_local or self.retro != "tied"):
            problems.append(
                "InfoNCE compares fixation and saccades at once through one matrix: "
                "time_local=False, retro='tied'"
            )
        if self.loss == "infonce" and not (self.gate and self.prediction):
            problems.append("the ablations of gate and prediction belong to the hinge loss")
        if self.sharing == "paper" and self.sampling != "local_same":
            problems.append(
                "sharing='paper' needs one partner image per image: sampling='local_same'"
            )
        if self.sampling in ("permutation", "all") and (
            self.time_local or self.retro != "tied" or not (self.gate and self.prediction)
        ):
            problems.append(
                f"sampling={self.sampling!r} is synchronous, with retro='tied' and no ablation"
            )
        if not self.prediction and self.retro != "tied":
            problems.append("without prediction there is one matrix: retro='tied'")
        if problems:
            raise ValueError("Impossible objective: " + "; ".join(problems) + ".")
