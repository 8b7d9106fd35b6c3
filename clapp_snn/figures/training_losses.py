"""Loss of every area during learning (paper, Fig. 7) and the share of samples that still teach it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from clapp_snn.figures import style


def training_losses(
    steps: Float[np.ndarray, "time"],
    losses: Float[np.ndarray, "time area"],
    gates: Float[np.ndarray, "time area"] | None = None,
    names: Sequence[str] | None = None,
    title: str = "",
    unit: str = "learning steps",
) -> Figure:
    """Left: loss per area; right (if given): gate fraction, the share of samples with H = 1 in percent.

    `names` are those of the areas ("area 1", "area 2", ... if left out), `unit` what `steps` counts.
    NaN, where an area was not measured, leaves a gap.
    """
    areas = losses.shape[1]
    names = names or [f"area {area + 1}" for area in range(areas)]
    with style.house_style():
        panels = 1 if gates is None else 2
        figure = style.new_figure(4.6 * panels + 0.8, 3.6)
        drawn = figure.subplots(1, panels, squeeze=False)[0]
        for axes, values in zip(drawn, (losses, gates), strict=False):
            if values is None:
                continue
            for area, colour in enumerate(style.depth_colours(areas)):
                # A single point has no line.
                dot = "o" if np.isfinite(values[:, area]).sum() == 1 else None
                axes.plot(steps, values[:, area], color=colour, label=names[area], marker=dot)
            axes.set_xlabel(unit)
            style.step_axis(axes)
            axes.set_xlim(left=0)
            style.light_grid(axes)
        drawn[0].set_ylabel("loss")
        drawn[0].set_title("Loss of each area")
        if gates is not None:
            drawn[1].set_ylabel("share of samples with H = 1 (%)")
            drawn[1].set_title("Gate: samples inside the margin")
            drawn[1].set_ylim(0, 102)
        style.heading(figure, title)
        handles, labels = drawn[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center")
        return figure
