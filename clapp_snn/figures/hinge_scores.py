"""The hinge loss with the scores measured on fixations and saccades, area by area."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clapp_snn.figures import style


@dataclass(frozen=True)
class ScorePanel:
    """Histogram of the scores u of an area; `gate` is its share of samples with H = 1, in percent."""

    title: str
    edges: Float[np.ndarray, "bins+1"]
    fixation: Float[np.ndarray, "bins"]
    saccade: Float[np.ndarray, "bins"]
    gate: float | None = None


def hinge_scores(panels: Sequence[ScorePanel], columns: int = 3, title: str = "") -> Figure:
    """Histograms (filled) and the two branches of the hinge (lines), margins at u = +1 and u = -1.

    A fixation teaches only where u < 1, a saccade only where u > -1. Each histogram is scaled to its own
    highest visible bin; the hinge has its own axis at the right.
    """
    with style.house_style():
        columns = min(columns, len(panels))
        rows = -(-len(panels) // columns)
        figure = style.new_figure(3.3 * columns, 2.6 * rows + 0.7)
        drawn = figure.subplots(rows, columns, squeeze=False)
        limits = visible_range(panels)
        for number, (axes, panel) in enumerate(zip(drawn.flatten(), panels, strict=False)):
            _panel(
                axes,
                panel,
                limits,
                right=number % columns == columns - 1 or number == len(panels) - 1,
            )
        for axes in drawn.flatten()[len(panels) :]:
            axes.set_axis_off()
        for axes in drawn[:, 0]:
            axes.set_ylabel("scores (share of peak)")
        for number in range(max(0, len(panels) - columns), len(panels)):
            drawn.flatten()[number].set_xlabel("score u")
        handles, labels = drawn[0, 0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=(1, 2, 5)[min(columns, 3) - 1],
            fontsize=8,
        )
        style.heading(figure, title)
        return figure


def draw_scores(
    axes: Axes,
    panel: ScorePanel,
    limits: tuple[float, float],
    names: tuple[str, str] = ("fixations, measured", "saccades, measured"),
    filled: bool = True,
) -> None:
    """Draw both histograms on existing axes, filled or outlined, each scaled to its highest visible bin."""
    middle = (panel.edges[:-1] + panel.edges[1:]) / 2
    visible = (limits[0] < middle) & (middle < limits[1])
    for counts, colour, name in zip(
        (panel.fixation, panel.saccade), (style.FIXATION, style.SACCADE), names, strict=True
    ):
        peak = counts[visible].max(initial=0) or 1.0
        axes.stairs(
            counts / peak, panel.edges, fill=filled, color=colour, label=name, linewidth=1.4,
            alpha=0.35 if filled else 1.0,
        )  # fmt: skip
    axes.set_ylim(0, 1.08)
    axes.set_xlim(*limits)


def draw_margins(axes: Axes) -> None:
    """Mark u = +1 and u = -1 and put one handle for them into the legend."""
    for margin in (-1, 1):
        axes.axvline(margin, color=style.BLACK, linestyle=":", linewidth=1)
    axes.plot([], [], ":", color=style.BLACK, linewidth=1, label="margins at ±1")


def _panel(axes: Axes, panel: ScorePanel, limits: tuple[float, float], right: bool) -> None:
    draw_scores(axes, panel, limits)
    loss = axes.twinx()
    loss.spines["right"].set_visible(right)
    u = np.linspace(*limits, 401)
    for values, colour, dash, name in (
        (np.maximum(0, 1 - u), style.FIXATION, "-", "max(0, 1 - u)"),
        (np.maximum(0, 1 + u), style.SACCADE, "--", "max(0, 1 + u)"),
    ):
        loss.plot(u, values, dash, color=colour, linewidth=1.6)
        axes.plot([], [], dash, color=colour, linewidth=1.6, label=name)
    draw_margins(axes)
    loss.set_ylim(0, 3.3)
    loss.set_yticks([0, 1, 2, 3], ["0", "1", "2", "3"] if right else [])
    if right:
        loss.set_ylabel("hinge loss")
    else:
        loss.tick_params(right=False)
    axes.set_title(
        panel.title if panel.gate is None else f"{panel.title}: H = 1 in {panel.gate:.0f} %"
    )


def visible_range(panels: Sequence[ScorePanel], hidden: float = 0.01) -> tuple[float, float]:
    """A common range of u that leaves out at most the share `hidden` of the scores at either side.

    At least from -2.5 to 2.5.
    """
    ends = [-2.5, 2.5]
    for panel in panels:
        total = np.cumsum(panel.fixation + panel.saccade)
        if total.size and total[-1] > 0:
            first, last = np.searchsorted(total, [hidden * total[-1], (1 - hidden) * total[-1]])
            ends += [float(panel.edges[first]), float(panel.edges[last + 1])]
    return min(ends), max(ends)
