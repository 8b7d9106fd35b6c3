"""Scores read from bursts against true scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from clapp_snn.figures import style


@dataclass(frozen=True)
class ReadoutPanel:
    """One read-out: average and standard deviation of u_hat at each score, measured and in closed form."""

    title: str
    mean: Float[np.ndarray, "points"]
    sd: Float[np.ndarray, "points"]
    expected_mean: Float[np.ndarray, "points"]
    expected_sd: Float[np.ndarray, "points"]


def score_calibration(
    u: Float[np.ndarray, "points"], panels: Sequence[ReadoutPanel], title: str = ""
) -> Figure:
    """One panel a read-out: points with bars of one standard deviation, closed form as line and band."""
    with style.house_style():
        figure = style.new_figure(2.7 * len(panels) + 0.4, 3.5)
        drawn = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
        for axes, panel in zip(drawn, panels, strict=True):
            axes.plot(u, u, color=style.BLACK, linestyle="--", linewidth=1, label=r"$\hat u = u$")
            axes.plot(u, panel.expected_mean, color=style.BLUE, linewidth=1.2, label="closed form")
            axes.fill_between(
                u, panel.expected_mean - panel.expected_sd, panel.expected_mean + panel.expected_sd,
                color=style.BLUE, alpha=0.18, linewidth=0,
            )  # fmt: skip
            axes.errorbar(
                u, panel.mean, yerr=panel.sd, fmt="o", color=style.VERMILION, markersize=4.5,
                elinewidth=1.2, label="from bursts, mean and sd",
            )  # fmt: skip
            axes.set_title(panel.title)
            axes.set_xlabel("true score u")
            style.light_grid(axes)
        drawn[0].set_ylabel(r"score from bursts $\hat u$")
        handles, labels = drawn[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        style.heading(figure, title)
        return figure
