"""Steady answers to constant currents: the f-I curve, and burst probability against dendritic current."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clapp_snn.figures import style


@dataclass(frozen=True)
class ResponseCurve:
    """A measured answer to currents in pA, with standard errors if known, and what it is expected to be.

    Attributes:
        label: name in the legend.
        current_pa, value: what was measured.
        error: standard error of each value; drawn as a bar.
        expected_pa, expected: closed form or another simulator; drawn as a line of the same colour.
    """

    label: str
    current_pa: Float[np.ndarray, "points"]
    value: Float[np.ndarray, "points"]
    error: Float[np.ndarray, "points"] | None = None
    expected_pa: Float[np.ndarray, "grid"] | None = None
    expected: Float[np.ndarray, "grid"] | None = None


def f_i_curve(
    curves: Sequence[ResponseCurve],
    measured: str = "firing rate (Hz)",
    expected: str = "expected",
    legend: str = "",
    title: str = "",
) -> Figure:
    """Rate in Hz against somatic current, one curve a condition.

    Args:
        curves: with values in Hz.
        measured: label of the vertical axis; "event rate (Hz)" where events are meant.
        expected: what the lines are, for the legend.
        legend: its title, such as "dendritic current".
    """
    with style.house_style():
        figure, axes = _curves(curves, expected, legend, title)
        axes.set_xlabel("somatic current (pA)")
        axes.set_ylabel(measured)
        axes.set_ylim(bottom=0)
        return figure


def burst_probability_curve(
    curves: Sequence[ResponseCurve],
    expected: str = "expected",
    legend: str = "",
    title: str = "",
) -> Figure:
    """Bursts per event against dendritic current, one curve a condition (legend title `legend`)."""
    with style.house_style():
        figure, axes = _curves(curves, expected, legend, title)
        axes.set_xlabel("dendritic current (pA)")
        axes.set_ylabel("burst probability (bursts per event)")
        axes.set_ylim(bottom=0)
        return figure


def _curves(
    curves: Sequence[ResponseCurve], expected: str, legend: str, title: str
) -> tuple[Figure, Axes]:
    figure = style.new_figure(6.4, 3.8)
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
        colour, marker = style.CYCLE[number % 7], style.MARKERS[number % 7]
        alone = curve.expected is None
        axes.errorbar(
            curve.current_pa, curve.value, yerr=curve.error, fmt=marker + ("-" if alone else ""),
            color=colour, markersize=4.5, linewidth=1.5, elinewidth=1.2, label=curve.label,
        )  # fmt: skip
        if curve.expected is not None and curve.expected_pa is not None:
            axes.plot(curve.expected_pa, curve.expected, "-", color=colour, linewidth=1.2)
    style.light_grid(axes)
    style.heading(figure, title)
    handles, labels = axes.get_legend_handles_labels()
    if any(curve.expected is not None for curve in curves):
        handles += axes.plot([], [], "-", color=style.GREY, linewidth=1.2)
        labels.append(expected)
    figure.legend(
        handles, labels, loc="outside right center", title=legend or None, title_fontsize=9
    )
    return figure, axes
