"""One look for all figures: Okabe-Ito colours, sizes, and saving."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from clapp_snn.files import atomic_path

# Okabe and Ito (2008): distinguishable with all common forms of colour blindness.
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#767676"
PALE = "#D9D9D9"

CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

FIXATION = BLUE
SACCADE = VERMILION
BESIDE = (GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Colours of conditions where those of fixation and saccade mean something else."""

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Figures made inside have the common look; settings outside are left alone."""
    with mpl.rc_context(_SETTINGS):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` by `height` inches that arranges its panels by itself."""
    return Figure(figsize=(width, height), layout="constrained")


def depth_colours(count: int) -> list[tuple[float, float, float, float]]:
    """Colours for areas in order of depth, from dark to light (viridis, without its pale end)."""
    colours = mpl.colormaps["viridis"]
    return [colours(0.88 * i / max(1, count - 1)) for i in range(count)]


def class_styles(count: int) -> list[tuple[str, str]]:
    """Colour and marker for each of `count` unordered classes: eight colours as dots, then as crosses."""
    colours = (*CYCLE, "#999999")
    return [(colours[i % 8], "ox"[i // 8 % 2]) for i in range(count)]


def heading(figure: Figure, text: str) -> None:
    """A line above all panels, at the left; nothing for an empty text."""
    if text:
        figure.suptitle(text, x=0.01, ha="left", fontsize=11)


def step_axis(axes: Axes) -> None:
    """Whole steps, with spaces between the thousands."""
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}".replace(",", " ")))


def light_grid(axes: Axes, axis: Literal["x", "y"] = "y") -> None:
    """Faint lines to read values by."""
    axes.grid(visible=True, axis=axis)


def save(figure: Figure, path: Path, dpi: int = 150) -> Path:
    """Write the figure as PNG (or what the suffix says), atomically, and return the path."""
    # Ticks are made while drawing and look up their size then.
    with house_style(), atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format=path.suffix.lstrip(".") or "png")
    return path
