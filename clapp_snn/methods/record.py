"""What a method is: where gradients stop, what is compared, and what the paper reports for it."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from clapp_snn.functional.objective import Objective

Task = Literal["contrast", "supervised", "none"]
Context = Literal["same", "above"]


@dataclass(frozen=True)
class Method:
    """A row of the paper's tables.

    Attributes:
        name: what users type.
        title: what tables print.
        splits: number of layers of each module, bottom up; gradients never cross a module border.
        task: "contrast" (self-supervised), "supervised" (a linear classifier on every module) or "none".
        objective: the contrastive objective of every module; None unless task="contrast".
        context: the context `c` comes from the module itself or from the module above it.
        local_in_space: "yes", "no" or "almost", as the paper's Table 1 has it.
        local_in_time: likewise.
        epochs: passes over the unlabelled images in the published setting.
        stl10: linear-probe test accuracy in percent reported for STL-10; None where there is none.
        source: table or section of that number, or the reason why there is none.
    """

    name: str
    title: str
    splits: tuple[int, ...]
    task: Task = "contrast"
    objective: Objective | None = None
    context: Context = "same"
    local_in_space: str = "no"
    local_in_time: str = "no"
    epochs: int = 300
    stl10: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if (self.objective is None) == (self.task == "contrast"):
            raise ValueError(
                f"Method {self.name!r}: a contrastive method has an objective, no other one has."
            )
        if (
            self.context == "above"
            and self.objective is not None
            and (self.objective.retro == "free" or any(size != 1 for size in self.splits))
        ):
            raise ValueError(
                f"Method {self.name!r}: context from the area above is defined for one-layer modules "
                "without a free W_retro."
            )

    @property
    def explicit(self) -> bool:
        """Whether every module is one layer, so that the rule is applied in closed form."""
        return self.task == "contrast" and all(size == 1 for size in self.splits)

    @property
    def tops(self) -> list[int]:
        """Index (from 0) of the top layer of each module."""
        return [end - 1 for end in accumulate(self.splits)]
