"""A dendrite that learns to predict its soma (Urbanczik and Senn)."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from clapp_snn.figures import style


def dendritic_prediction(
    time_ms: Float[np.ndarray, "time"],
    matching: Float[np.ndarray, "time"],
    before: Float[np.ndarray, "time"],
    after: Float[np.ndarray, "time"],
    correlation: Float[np.ndarray, "repetition neuron"],
    title: str = "",
) -> Figure:
    """Left: matching potential and dendritic prediction (mV), first and last repetition. Right: learning.

    Args:
        time_ms: within the pattern.
        matching: potential that the teaching imposes.
        before, after: V_w* in the first and in the last repetition.
        correlation: of V_w* and the matching potential, thin lines for neurons and a thick one for their
            mean.
    """
    with style.house_style():
        figure = style.new_figure(9.0, 3.6)
        left, right = figure.subplots(1, 2)
        left.plot(time_ms, matching, color=style.BLACK, linestyle="--", label="matching potential")
        left.plot(time_ms, before, color=style.SKY, label=r"$V_w^*$, first repetition")
        left.plot(time_ms, after, color=style.BLUE, label=r"$V_w^*$, last repetition")
        left.set_xlabel("time in the pattern (ms)")
        left.set_ylabel("potential (mV)")
        left.set_ylim(top=matching.max() + 0.45 * np.ptp(matching))
        left.legend(loc="upper right", fontsize=8)
        repetition = np.arange(1, len(correlation) + 1)
        right.plot(repetition, correlation, color=style.PALE, linewidth=1)
        right.plot(repetition, correlation.mean(axis=1), color=style.BLUE, label="mean of neurons")
        right.set_xlabel("repetition of the pattern")
        right.set_ylabel("correlation with the matching potential")
        right.legend(loc="lower right")
        for axes in (left, right):
            style.light_grid(axes)
        style.heading(figure, title)
        return figure
