"""Scores read from bursts, for fixations and saccades, beside the true scores and the margins."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from clapp_snn.figures import style
from clapp_snn.figures.hinge_scores import ScorePanel, draw_margins, draw_scores, visible_range


def burst_scores(
    read: Sequence[ScorePanel],
    true: Sequence[ScorePanel] | None = None,
    columns: int = 3,
    title: str = "",
) -> Figure:
    """One panel a condition: histograms of u_hat (filled) and of the true score u (outlines), if given.

    A fixation teaches left of its margin u = +1, a saccade right of u = -1: two bars above the histograms
    show these ranges. The rarest 1 % of scores at either end lie outside (`visible_range`). Each histogram
    is scaled to its own highest visible bin. The title tells `gate` of its panel.

    Args:
        read: scores from bursts, one panel a condition (such as the length of the window).
        true: the scores behind them, panel by panel.
    """
    with style.house_style():
        columns = min(columns, len(read))
        rows = -(-len(read) // columns)
        figure = style.new_figure(3.3 * columns, 2.5 * rows + 0.8)
        drawn = figure.subplots(rows, columns, squeeze=False)
        limits = visible_range(read)
        for number, (axes, panel) in enumerate(zip(drawn.flatten(), read, strict=False)):
            draw_scores(axes, panel, limits, ("fixations, from bursts", "saccades, from bursts"))
            if true is not None:
                names = ("fixations, true score", "saccades, true score")
                draw_scores(axes, true[number], limits, names, filled=False)
            draw_margins(axes)
            axes.set_ylim(0, 1.25)
            axes.set_yticks([0, 0.5, 1])
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
            for start, end, height, colour, kind in (
                (limits[0], 1.0, 1.19, style.FIXATION, "fixations"),
                (-1.0, limits[1], 1.12, style.SACCADE, "saccades"),
            ):
                axes.plot([start, end], [height, height], color=colour, linewidth=3,
                          solid_capstyle="butt", label=f"{kind} teach here")  # fmt: skip
            share = "" if panel.gate is None else f": teaches in {panel.gate:.0f} %"
            axes.set_title(panel.title + share)
        for axes in drawn.flatten()[len(read) :]:
            axes.set_axis_off()
        for axes in drawn[:, 0]:
            axes.set_ylabel("windows (share of peak)")
        for number in range(max(0, len(read) - columns), len(read)):
            drawn.flatten()[number].set_xlabel(
                r"score $\hat u$, read from bursts" if true is None else r"score u, $\hat u$"
            )
        handles, labels = drawn[0, 0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=1 if columns == 1 else 3, fontsize=8
        )
        style.heading(figure, title)
        return figure
