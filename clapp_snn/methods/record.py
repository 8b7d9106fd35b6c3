"""What a method is: where gradients stop, what is compared, and what the paper reports for it."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from clapp_snn.functional.map_score import MapObjective
from clapp_snn.functional.objective import Objective, Retro

Task = Literal["contrast", "predict", "goodness", "hebbian", "supervised", "none"]
Rule = Literal["own", "feedback-alignment", "predictive-coding"]
Context = Literal["same", "above", "recurrent", "top", "both"]


@dataclass(frozen=True)
class Method:
    """A row of the paper's tables.

    Attributes:
        name: what users type.
        title: what tables print.
        splits: number of layers of each module, bottom up; gradients never cross a module border.
        task: "contrast" (self-supervised), "predict" (without saccades: LPL), "goodness" (images against
            mixed images: SCFF), "hebbian" (competition without a loss: SoftHebb), "supervised" (a linear
            classifier on every module) or "none".
        objective: the contrastive objective of every module, on patches or sequences; None unless
            task="contrast".
        maps: the contrastive objective of methods that compare whole feature maps (CLAPP++), in its place.
        context: the context `c` comes from the module itself ("same") or from the module above it ("above");
            "recurrent" means that in the top module `c` is the activity of a recurrent layer and the target
            `z` that of the layer below, in all other modules both are the same. Methods on maps: "top" is
            the top module of the context view (direct feedback), "both" has a matrix for each.
        rule: what drives the weights of a module. "own": its own objective. The other two know one objective,
            that of the top module, whose error reaches the others through fixed random weights
            ("feedback-alignment") or through settling activities ("predictive-coding").
        local_in_space: "yes", "no" or "almost", as the paper's Table 1 has it.
        local_in_time: likewise.
        epochs: passes over the unlabelled samples in the published setting.
        reported: linear-probe test accuracy in percent that the paper reports (images: STL-10, speech:
            LibriSpeech phones, video: UCF-101); None where there is none.
        source: table or section of that number, or the reason why there is none.
        comparable: whether that number is for the network at width 1 and a read-out of one layer, as here.
    """

    name: str
    title: str
    splits: tuple[int, ...]
    task: Task = "contrast"
    objective: Objective | None = None
    maps: MapObjective | None = None
    context: Context = "same"
    rule: Rule = "own"
    local_in_space: str = "no"
    local_in_time: str = "no"
    epochs: int = 300
    reported: float | None = None
    source: str = ""
    comparable: bool = True

    def __post_init__(self) -> None:
        given = sum(each is not None for each in (self.objective, self.maps))
        if given != (self.task == "contrast"):
            raise ValueError(
                f"Method {self.name!r}: a contrastive method has an objective, no other one has."
            )
        if self.maps is not None and (
            len(self.maps.windows) != len(self.splits) or self.context in ("above", "recurrent")
        ):
            raise ValueError(
                f"Method {self.name!r} compares maps: it needs a window for every module and context "
                "'same', 'top' or 'both'."
            )
        if self.rule != "own" and (
            self.objective is None
            or self.context != "same"
            or self.objective.retro != "tied"
            or any(size != 1 for size in self.splits)
        ):
            raise ValueError(
                f"Method {self.name!r}: rule {self.rule!r} is defined for one-layer modules with one "
                "objective on patches, W_retro tied and context from the top module itself."
            )
        if self.maps is None and self.context in ("top", "both"):
            raise ValueError(
                f"Method {self.name!r}: context from the top module is for methods on maps."
            )
        if self.task == "hebbian" and any(size != 1 for size in self.splits):
            raise ValueError(
                f"Method {self.name!r} has no loss, so nothing can pass through a module of several layers; "
                "give one-layer modules."
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
        """Whether the rule is applied in closed form: every module is one layer.

        A recurrent layer and the layer it predicts may be one module: neither sends anything through the
        other.
        """
        *lower, top = self.splits
        largest = 2 if self.context == "recurrent" else 1
        return (
            self.task in ("contrast", "predict", "goodness", "hebbian")
            and all(size == 1 for size in lower)
            and top <= largest
        )

    @property
    def retro(self) -> Retro:
        """How the context side learns; without an objective on patches it does not."""
        return "zero" if self.objective is None else self.objective.retro

    @property
    def hinge(self) -> bool:
        """Whether scores meet a hinge, so that there is a gate H."""
        return self.maps is not None or (
            self.objective is not None and self.objective.loss == "hinge"
        )

    @property
    def gate_name(self) -> str | None:
        """What the shares beside the losses are: of H = 1, of errors, or nothing to show."""
        if self.hinge:
            return "gate"
        return "error" if self.task == "supervised" else None

    @property
    def pairs(self) -> bool:
        """Whether every image is seen in two strong random views."""
        return self.maps is not None or self.task == "predict"

    @property
    def tops(self) -> list[int]:
        """Index (from 0) of the top layer of each module."""
        return [end - 1 for end in accumulate(self.splits)]
