"""One area at work: input, spikes and bursts, score, margin neurons and gamma over a few glances."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clapp_snn.figures import style

BURST = style.VERMILION


@dataclass(frozen=True)
class Glance:
    """One window of time.

    Attributes:
        title: above it.
        start, counted, end: ms; nothing counts before `counted`.
        y: +1 (fixation) or -1 (saccade).
        true: score of the mean drive.
        gamma: broadcast factor at its end.
    """

    title: str
    start: float
    counted: float
    end: float
    y: int
    true: float
    gamma: float


def one_area(
    time_ms: Float[np.ndarray, "step"],
    glances: Sequence[Glance],
    inputs: Bool[np.ndarray, "step pre"] | None,
    spikes: Bool[np.ndarray, "step neuron"],
    bursts: Bool[np.ndarray, "step neuron"],
    score: Float[np.ndarray, "step"],
    fixation: Float[np.ndarray, "step"],
    saccade: Float[np.ndarray, "step"],
    title: str = "",
) -> Figure:
    """From top to bottom: presynaptic events, spikes with bursts, the score, the margin neurons, gamma.

    Args:
        time_ms: of the steps.
        glances: windows in order of time.
        inputs: presynaptic events; None leaves their panel out.
        spikes, bursts: of the neurons; the first half is the ON pathway.
        score: membrane of the summing interneuron.
        fixation, saccade: membranes of the margin neurons with their bias; above 0 at the end they fire if
            gated in.
    """
    with style.house_style():
        figure = style.new_figure(9.6, 8.2 if inputs is not None else 7.0)
        heights = [2.2, 1.3, 1.3, 0.7] if inputs is None else [1.2, 2.2, 1.3, 1.3, 0.7]
        drawn = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        panels = drawn[-4:]
        if inputs is not None:
            _raster(drawn[0], time_ms, inputs, style.BLACK)
            drawn[0].set_ylabel("inputs x")
        _raster(panels[0], time_ms, spikes, style.BLACK, "spikes")
        _raster(panels[0], time_ms, bursts, BURST, "bursts")
        half = spikes.shape[1] / 2
        panels[0].axhline(half - 0.5, color=style.GREY, linewidth=0.8)
        panels[0].set_yticks([half / 2, 1.5 * half], ["ON", "OFF"])
        panels[0].set_ylabel("neurons")
        place = ("lower left", 0.0, 1.0) if inputs is not None else ("lower right", 1.0, 1.06)
        panels[0].legend(loc=place[0], bbox_to_anchor=place[1:], ncols=2, borderaxespad=0.1)
        panels[1].plot(
            time_ms, score, color=style.BLACK, linewidth=1.3, label=r"from bursts $\hat u$"
        )
        panels[1].set_ylabel("score")
        for margin in (-1, 1):
            panels[1].axhline(margin, color=style.GREY, linestyle=":", linewidth=1)
        panels[2].plot(
            time_ms, fixation, color=style.FIXATION, linewidth=1.3, label="fixation neuron, 1 − û"
        )
        panels[2].plot(
            time_ms, saccade, color=style.SACCADE, linewidth=1.3, label="saccade neuron, 1 + û"
        )
        panels[2].axhline(0, color=style.GREY, linestyle=":", linewidth=1)
        panels[2].set_ylabel("nucleus")
        panels[3].axhline(0, color=style.GREY, linewidth=0.8)
        panels[3].set_ylim(-1.5, 1.5)
        panels[3].set_yticks([-1, 0, 1])
        panels[3].set_ylabel(r"$\gamma$")
        for glance in glances:
            _glance(drawn, glance)
        for axes in (panels[1], panels[2]):
            axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.1)
        panels[3].set_xlabel("time (ms)")
        panels[3].set_xlim(glances[0].start, glances[-1].end + 5)
        figure.align_ylabels()
        style.heading(figure, title)
        return figure


def _raster(
    axes: Axes, time_ms: np.ndarray, fired: np.ndarray, colour: str, label: str | None = None
) -> None:
    step, row = np.nonzero(fired)
    axes.plot(
        time_ms[step], row, "|", color=colour, markersize=3.2, markeredgewidth=1.0, label=label
    )
    axes.set_ylim(-0.5, fired.shape[1] - 0.5)
    axes.set_yticks([])


def _glance(panels: Sequence[Axes], glance: Glance) -> None:
    colour = style.FIXATION if glance.y > 0 else style.SACCADE
    for axes in panels:
        axes.axvspan(glance.start, glance.counted, color=style.PALE, alpha=0.5, linewidth=0)
        axes.axvline(glance.end, color=style.BLACK, linewidth=0.8)
    panels[0].set_title("")
    panels[0].annotate(
        f"{glance.title}, y = {glance.y:+d}", (glance.start, 1.0),
        xycoords=("data", "axes fraction"), xytext=(4, 4), textcoords="offset points",
        color=colour, fontweight="bold",
    )  # fmt: skip
    first = "true u" if not any(t.get_label() == "true u" for t in panels[-3].lines) else None
    panels[-3].plot(
        [glance.counted, glance.end], [glance.true] * 2, "--", color=style.GREEN, linewidth=1.3,
        label=first,
    )  # fmt: skip
    if glance.gamma:
        panels[-1].vlines(glance.end, 0, glance.gamma, color=colour, linewidth=4)
    panels[-1].annotate(
        f"γ = {glance.gamma:+.0f}" if glance.gamma else "γ = 0", (glance.end, glance.gamma),
        xytext=(-6, 3), textcoords="offset points", ha="right", va="bottom", color=colour,
    )  # fmt: skip
