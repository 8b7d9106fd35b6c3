"""How often the surprise nucleus answers, against the score: measured gate and the normal law Phi."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from clapp_snn.figures import style


@dataclass(frozen=True)
class GateCurve:
    """Share of windows with gamma other than 0, for fixations (y = 1) or saccades (y = -1).

    Attributes:
        label: condition, such as the length of the window.
        y: +1 or -1.
        score: true score u of each point.
        probability: measured share of windows that teach.
        error: standard error of each share.
        law_score, law_probability: Phi((1 - y u) / sigma) on a grid of its own.
    """

    label: str
    y: int
    score: Float[np.ndarray, "points"]
    probability: Float[np.ndarray, "points"]
    error: Float[np.ndarray, "points"]
    law_score: Float[np.ndarray, "grid"]
    law_probability: Float[np.ndarray, "grid"]


def gate_psychometric(curves: Sequence[GateCurve], title: str = "") -> Figure:
    """Left: fixations, which teach below u = +1; right: saccades, which teach above u = -1.

    Points with error bars are measured, lines are Phi((1 - y u)/sigma_u), the grey step is the gate without
    noise. Conditions (labels) share colour and marker in both panels; blue and vermilion stay for y.
    """
    with style.house_style():
        kinds = [y for y in (1, -1) if any(curve.y == y for curve in curves)]
        labels = list(dict.fromkeys(curve.label for curve in curves))
        figure = style.new_figure(3.9 * len(kinds) + 1.6, 3.6)
        panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
        for axes, y in zip(panels, kinds, strict=True):
            lowest, highest = np.inf, -np.inf
            for curve in (each for each in curves if each.y == y):
                number = labels.index(curve.label)
                colour = style.BESIDE[number % len(style.BESIDE)]
                axes.errorbar(
                    curve.score, curve.probability, yerr=curve.error, fmt=style.MARKERS[number % 7],
                    color=colour, markersize=4.5, elinewidth=1.2, label=curve.label,
                )  # fmt: skip
                axes.plot(curve.law_score, curve.law_probability, color=colour, linewidth=1.3)
                lowest = min(lowest, float(curve.law_score.min()))
                highest = max(highest, float(curve.law_score.max()))
            step = [1.0, 1.0, 0.0, 0.0] if y == 1 else [0.0, 0.0, 1.0, 1.0]
            axes.plot(
                [lowest, float(y), float(y), highest], step, color=style.GREY, linewidth=1,
                linestyle="--", label="without noise",
            )  # fmt: skip
            axes.plot([], [], color=style.BLACK, linewidth=1.3,
                      label=r"$\Phi((1 - y\,u)\,/\,\sigma_u)$")  # fmt: skip
            axes.set_title("fixation, y = +1" if y == 1 else "saccade, y = −1",
                           color=style.FIXATION if y == 1 else style.SACCADE)  # fmt: skip
            axes.set_xlabel("score u")
            axes.set_xlim(lowest, highest)
            axes.set_ylim(-0.03, 1.03)
            style.light_grid(axes)
        panels[0].set_ylabel(r"probability of $\gamma \neq 0$")
        style.heading(figure, title)
        handles = dict(
            pair[::-1]
            for axes in panels
            for pair in zip(*axes.get_legend_handles_labels(), strict=True)
        )
        last = ("without noise", r"$\Phi((1 - y\,u)\,/\,\sigma_u)$")
        names = [*labels, *reversed(last)]
        figure.legend([handles[name] for name in names], names, loc="outside right center")
        return figure
