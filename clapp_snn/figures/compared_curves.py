"""Learning curves of several methods side by side, a panel for each layer."""

from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from clapp_snn.figures import style
from clapp_snn.figures.learning_curves import LearningCurve

DASHES = ("--", ":", "-.", (0, (8, 2, 1, 2, 1, 2)))


def compared_curves(
    layers: Mapping[int, Sequence[LearningCurve]],
    baselines: Mapping[str, Mapping[int, float]],
    title: str = "",
    readout: str = "linear probe",
    band: str = "mean ± sd over seeds",
    stage: str = "layer",
    steps: str = "learning steps",
) -> Figure:
    """Test accuracy in percent against steps: `layers` maps a layer to one curve a method.

    `stage` and `steps` name what a panel and the axis count.

    `baselines` maps what did not learn to its accuracy in each layer, a level of its own dashes. A method
    has the same colour and marker in all panels.
    """
    with style.house_style():
        columns = min(3, len(layers))
        rows = -(-len(layers) // columns)
        figure = style.new_figure(2.9 * columns + 1.6, max(3.8, 2.5 * rows + 0.4))
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        names = list(dict.fromkeys(curve.label for curves in layers.values() for curve in curves))
        for axes, (layer, curves) in zip(panels.flat, sorted(layers.items()), strict=False):
            for curve in curves:
                number = names.index(curve.label)
                colour = style.CYCLE[number % 7]
                axes.plot(
                    curve.steps, curve.accuracy, color=colour, marker=style.MARKERS[number % 7],
                    markersize=4, linewidth=1.4, label=curve.label,
                )  # fmt: skip
                if curve.low is not None and curve.high is not None:
                    axes.fill_between(
                        curve.steps, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0
                    )
            for place, (name, levels) in enumerate(baselines.items()):
                if layer in levels:
                    axes.axhline(
                        levels[layer], color=style.GREY, linestyle=DASHES[place % 4], linewidth=1, label=name
                    )  # fmt: skip
            axes.set_title(f"{stage} {layer}")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:g}"))
            style.light_grid(axes)
        for axes in panels.flat[len(layers) :]:
            axes.set_visible(False)
        handles: dict[str, Artist] = {}
        for axes in panels.flat:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                handles.setdefault(label, handle)
        banded = any(curve.low is not None for curves in layers.values() for curve in curves)
        figure.legend(
            list(handles.values()), list(handles), loc="outside right center",
            title=f"band: {band}" if banded else None, title_fontsize=8,
        )  # fmt: skip
        figure.supxlabel(f"{steps} (thousands)", fontsize=10)
        figure.supylabel(f"test accuracy of a {readout} (%)", fontsize=10)
        style.heading(figure, title)
        return figure
