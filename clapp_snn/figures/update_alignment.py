"""Alignment of local updates with back-propagation: cosine by layer, one line for each moment or method."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clapp_snn.figures import style


def update_alignment(cosines: Mapping[str, Float[np.ndarray, "layer"]], title: str = "") -> Figure:
    """Cosine between the update of a rule and minus the gradient of the end-to-end loss, in every layer.

    `cosines` maps what a line shows ("step 1000", "CLAPP++") to its values, bottom up.
    """
    with style.house_style():
        figure = style.new_figure(5.4, 3.6)
        axes = figure.subplots()
        axes.axhline(0, color=style.GREY, linewidth=0.8)
        for (name, values), colour in zip(
            cosines.items(), style.depth_colours(len(cosines)), strict=True
        ):
            layers = np.arange(1, len(values) + 1)
            axes.plot(layers, values, marker="o", color=colour, label=name)
        axes.set_xlabel("layer")
        axes.set_ylabel("cosine with back-propagation")
        axes.set_ylim(-1.05 if any(np.nanmin(v) < -0.05 for v in cosines.values()) else -0.1, 1.05)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.light_grid(axes)
        style.heading(figure, title)
        figure.legend(loc="outside right center")
        return figure
