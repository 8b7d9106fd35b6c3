"""The circuit of one area as a drawing: two dendrites, their coincidence, one broadcast signal."""

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon

from clapp_snn.figures import style

BASAL = style.BLUE
APICAL = style.GREEN
BROADCAST = "#9C4A78"  # style.PURPLE, darkened until text is readable
INK = "#222222"


def draw_circuit(axes: Axes) -> None:
    """Draw on `axes`: basal input, apical prediction, u, gamma, and where gamma arrives."""
    axes.set_xlim(0, 10)
    axes.set_ylim(-0.2, 9.4)
    axes.set_aspect("equal")
    axes.set_axis_off()
    _neuron(axes)
    _inputs(axes)
    _coincidence(axes)
    _broadcast(axes)
    axes.text(
        5.0, 0.0,
        r"$\Delta W=\gamma\,\cdot(W_{pred}c)\cdot\rho'(a)\cdot x$"
        "\n"
        r"$\Delta W_{pred}=\gamma\,\cdot z\cdot c$",
        ha="center", va="center", fontsize=13.5, linespacing=1.5,
        bbox={"boxstyle": "round,pad=0.45", "facecolor": "#F5F0F7", "edgecolor": BROADCAST},
    )  # fmt: skip


def _neuron(axes: Axes) -> None:
    for branch in (
        [(2.6, 4.4), (2.6, 6.9)], [(2.6, 6.5), (2.0, 7.3)], [(2.6, 6.5), (3.2, 7.3)],
        [(2.6, 6.9), (2.6, 7.5)],
    ):  # fmt: skip
        axes.plot(*zip(*branch, strict=True), color=APICAL, linewidth=4, solid_capstyle="round")
    for branch in ([(2.2, 3.5), (1.6, 2.9)], [(3.0, 3.5), (3.6, 2.9)], [(2.6, 3.5), (2.6, 2.8)]):
        axes.plot(*zip(*branch, strict=True), color=BASAL, linewidth=4, solid_capstyle="round")
    axes.add_patch(
        Polygon([(1.9, 3.4), (3.3, 3.4), (2.6, 4.8)], facecolor=INK, edgecolor=INK, linewidth=3,
                joinstyle="round")
    )  # fmt: skip
    axes.text(2.6, 3.8, "z", color="white", ha="center", va="center", fontsize=15, style="italic")


def _inputs(axes: Axes) -> None:
    _arrow(axes, (2.6, 9.0), (2.6, 7.75), APICAL)
    axes.text(2.95, 8.95, "c: what was seen", color=APICAL, fontsize=12.5, va="center")
    axes.text(2.35, 8.35, r"$W_{pred}$", color=APICAL, fontsize=14, ha="right", va="center")
    axes.text(
        2.25, 5.75, "prediction\n" r"$\hat z=W_{pred}c$", color=APICAL, fontsize=12.5, ha="right",
        va="center",
    )  # fmt: skip
    _arrow(axes, (2.6, 1.3), (2.6, 2.55), BASAL)
    axes.text(2.95, 1.45, "x: the patch seen now", color=BASAL, fontsize=12.5, va="center")
    axes.text(2.35, 2.0, r"$W$", color=BASAL, fontsize=14, ha="right", va="center")


def _coincidence(axes: Axes) -> None:
    _arrow(axes, (2.75, 6.0), (5.05, 5.35), APICAL)
    _arrow(axes, (3.3, 3.9), (5.1, 4.75), INK)
    axes.add_patch(Circle((5.5, 5.05), 0.5, facecolor="white", edgecolor=INK, linewidth=1.8))
    axes.text(5.5, 5.02, "×", ha="center", va="center", fontsize=17, color=INK)
    axes.text(5.5, 4.25, r"$u=\sum z\,\hat z$", ha="center", va="top", fontsize=13.5, color=INK)
    _arrow(axes, (6.0, 5.05), (6.95, 5.05), INK)
    axes.add_patch(
        FancyBboxPatch(
            (7.0, 4.45), 2.7, 1.15, boxstyle="round,pad=0.05,rounding_size=0.2",
            facecolor=BROADCAST, edgecolor="none",
        )
    )  # fmt: skip
    axes.text(
        8.35, 5.02, r"$\gamma=y$ if $yu<1$" "\n" r"$\gamma=0$ else", ha="center", va="center",
        fontsize=11, color="white", linespacing=1.2,
    )  # fmt: skip
    _arrow(axes, (8.35, 3.65), (8.35, 4.4), INK)
    axes.text(8.35, 3.35, "y = +1 fixation", color=style.FIXATION, ha="center", va="center",
              fontsize=12.5)  # fmt: skip
    axes.text(8.35, 2.8, "y = −1 saccade", color=style.SACCADE, ha="center", va="center",
              fontsize=12.5)  # fmt: skip


def _broadcast(axes: Axes) -> None:
    for end, path in (((2.75, 8.3), "arc3,rad=0.28"), ((2.75, 2.0), "arc3,rad=-0.32")):
        start = (8.35, 5.7) if end[1] > 5 else (7.2, 4.4)
        axes.add_patch(
            FancyArrowPatch(
                start, end, connectionstyle=path, arrowstyle="-|>", mutation_scale=15,
                color=BROADCAST, linewidth=1.8, linestyle=(0, (4, 2)), shrinkA=0, shrinkB=0,
            )
        )  # fmt: skip
    axes.text(
        8.3, 8.0, "one signal\nto all synapses\nof the area", color=BROADCAST, fontsize=12.5,
        ha="center", va="center",
    )  # fmt: skip


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=15, color=colour, linewidth=2,
            shrinkA=0, shrinkB=0,
        )
    )  # fmt: skip
