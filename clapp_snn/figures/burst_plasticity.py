"""Plasticity that bursts decide: the rule of Payeur et al., and CLAPP's rule under pairing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from clapp_snn.figures import style


@dataclass(frozen=True)
class ChangeCurve:
    """Weight change against burst probability, with standard errors and the closed form."""

    label: str
    probability: Float[np.ndarray, "points"]
    change: Float[np.ndarray, "points"]
    error: Float[np.ndarray, "points"]
    closed: Float[np.ndarray, "points"]


def burst_dependent_rule(
    curves: Sequence[ChangeCurve],
    pbar: float,
    frequency_hz: Float[np.ndarray, "points"],
    periodic: Float[np.ndarray, "points"],
    flip_hz: float,
    title: str = "",
) -> Figure:
    """Left: Poisson pairing, points with error bars and closed form. Right: periodic pairing.

    Args:
        curves: one an event rate.
        pbar: initial baseline, where the sign should change.
        frequency_hz, periodic: pairing frequencies and weight changes.
        flip_hz: frequency of the longest interval within a burst.
    """
    with style.house_style():
        figure = style.new_figure(9.0, 3.7)
        left, right = figure.subplots(1, 2)
        for number, curve in enumerate(curves):
            colour = style.CYCLE[number]
            left.errorbar(
                curve.probability, curve.change, yerr=curve.error, fmt=style.MARKERS[number],
                color=colour, markersize=5, label=curve.label,
            )  # fmt: skip
            left.plot(curve.probability, curve.closed, color=colour, linewidth=1.2)
        left.plot([], [], color=style.GREY, linewidth=1.2, label="closed form")
        left.axvline(pbar, color=style.BLACK, linestyle=":", linewidth=1)
        left.annotate(
            r"$\bar P(0)$", (pbar, 0.02), xycoords=("data", "axes fraction"),
            xytext=(4, 0), textcoords="offset points",
        )  # fmt: skip
        left.set_xlabel("burst probability")
        left.set_title("Poisson events, 100 s")
        left.legend()
        right.plot(frequency_hz, periodic, "o-", color=style.GREEN, markersize=4, linewidth=1.2)
        right.axvline(flip_hz, color=style.BLACK, linestyle=":", linewidth=1)
        right.annotate(
            "1 / 16 ms", (flip_hz, 0.02), xycoords=("data", "axes fraction"),
            xytext=(4, 0), textcoords="offset points",
        )  # fmt: skip
        right.set_xlabel("pairing frequency (Hz)")
        right.set_title("15 trains of 5 pairs")
        for axes in (left, right):
            axes.axhline(0, color=style.BLACK, linewidth=0.8)
            axes.set_ylabel("weight change")
            style.light_grid(axes)
        style.heading(figure, title)
        return figure


def pairing(
    conditions: Sequence[str],
    change: Mapping[str, Float[np.ndarray, "condition"]],
    strength: Float[np.ndarray, "strength"],
    by_strength: Mapping[str, tuple[np.ndarray, np.ndarray]],
    title: str = "",
) -> Figure:
    """Left: change of active weights in every condition and code. Right: against the apical input.

    Args:
        conditions: names of the conditions.
        change: by code.
        strength: apical inputs A.
        by_strength: by code, changes after fixations and after saccades.
    """
    with style.house_style():
        figure = style.new_figure(9.6, 3.7)
        left, right = figure.subplots(1, 2)
        width = 0.8 / len(change)
        for number, (code, values) in enumerate(change.items()):
            place = np.arange(len(conditions)) + (number - (len(change) - 1) / 2) * width
            left.bar(place, values, width, color=style.CYCLE[number], label=code)
        left.set_xticks(
            range(len(conditions)), [name.replace(", ", ",\n") for name in conditions], fontsize=8
        )
        left.set_title("after all pairings")
        left.legend(loc="upper left")
        for number, (code, (fixation, saccade)) in enumerate(by_strength.items()):
            marker = style.MARKERS[number]
            for values, colour, name in (
                (fixation, style.FIXATION, "fixation"),
                (saccade, style.SACCADE, "saccade"),
            ):
                line = "-" if number == 0 else ""
                right.plot(
                    strength, values, marker + line, color=colour, markersize=4.5,
                    markerfacecolor=colour if number else "white", label=f"{code}, {name}",
                    linewidth=1.2, zorder=2 + number,
                )  # fmt: skip
        right.axvline(0, color=style.BLACK, linewidth=0.8)
        right.set_xlabel(r"apical input $A = (W_{pred}\, c)_j$")
        right.set_title("linear in A, mirrored by the saccade signal")
        right.legend(fontsize=8)
        for axes in (left, right):
            axes.axhline(0, color=style.BLACK, linewidth=0.8)
            axes.set_ylabel("change of active weights")
            style.light_grid(axes)
        style.heading(figure, title)
        return figure
