"""What the figures of a run are drawn from, and what comes out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from clapp_snn.commands.options import FigureOptions
from clapp_snn.methods.record import Method
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.modality import Stimuli


@dataclass(frozen=True)
class Drawing:
    """A figure with its file name and what it says in words (alternative text and caption)."""

    name: str
    figure: Figure
    alt: str
    caption: str


@dataclass
class Run:
    """A run that is being drawn, opened."""

    folder: Path
    config: TrainConfig
    method: Method
    dataset: Stimuli
    options: FigureOptions
    say: Callable[[str], None]
    title: str = field(init=False)

    def __post_init__(self) -> None:
        self.title = f"{self.method.title} on {self.dataset.name}"
