"""Which conditions of `spiking_digits` make a study, and its tables and figures."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from benchmarks import spiking_figures
from benchmarks.study import Row, compare, summary_table, values_of

ACCURACIES = ("linear1", "few1", "linear2", "few2")
ABLATIONS = (
    "no_gate", "exact_score", "exact_plasticity", "shuffled_gamma", "other_gamma",
    "apical_drives_soma", "dale",
)  # fmt: skip


class Study(NamedTuple):
    """Conditions, and what turns their rows into Markdown (figures go to the folder)."""

    conditions: tuple[str, ...]
    report: Callable[[Sequence[Row], int, Path], str]


def report(name: str, rows: Sequence[Row], windows: int, out: Path) -> str:
    """Tables of a study of `windows` windows as Markdown; draws its figures into `out`."""
    return f"## {name}\n\n{STUDIES[name].report(rows, windows, out)}"


def only(rows: Sequence[Row], *conditions: str) -> list[Row]:
    """Rows of these conditions, in this order."""
    return [row for name in conditions for row in rows if row.condition == name]


def untrained(rows: Sequence[Row], condition: str) -> list[Row]:
    """What the network of a condition scored before it learned, as a condition of its own."""
    return [
        replace(
            row,
            condition=f"untrained {condition}",
            values={k.removesuffix("@0"): v for k, v in row.values.items() if k.endswith("@0")},
        )
        for row in rows
        if row.condition == condition
    ]


def _learning(rows: Sequence[Row], windows: int, out: Path) -> str:
    spiking_figures.learning(rows, windows, out / "learning.png")
    start = [each for name in ("rate", "n20", "n100") for each in untrained(rows, name)]
    pixels = [
        Row("pixels", row.seed, {k[:-1] + "2": row.values[k] for k in ("linear0", "few0")}, 0.0)
        for row in only(rows, "rate")
    ]
    read = [f"{code}_{kind}" for kind in ("linear2", "few2") for code in ("rate", "n20", "n100")]
    crossed = [
        replace(
            row,
            values={
                **{f"{row.condition}_{k}": row.values[k] for k in ("linear2", "few2")},
                **row.values,
            },
        )
        for row in rows
    ]
    return (
        f"{summary_table([*rows, *start, *pixels], ACCURACIES, 'rate')}\n\n"
        "Weights learned as in the row, read out as the column says:\n\n"
        f"{summary_table(crossed, read, None)}\n\n"
        f"The same, minus weights learned in rate mode:\n\n{_against_rate(crossed, read)}"
    )


def _confirm(rows: Sequence[Row], windows: int, out: Path) -> str:
    return summary_table(rows, ACCURACIES, "rate")


def _against_rate(rows: Sequence[Row], columns: Sequence[str]) -> str:
    lines = [f"| weights | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for condition in ("n20", "n100"):
        cells = [str(compare(rows, column, condition, "rate")) for column in columns]
        lines.append(f"| {condition} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _budget(rows: Sequence[Row], windows: int, out: Path) -> str:
    spiking_figures.budget(rows, out / "budget.png")
    told = [
        replace(row, values={**row.values, "predicted": 30 / math.sqrt(row.values["n"])})
        if "n" in row.values
        else row
        for row in rows
    ]
    errors = ["n", "predicted", "gate_error1", "gate_error2", "rate_linear2", "rate_few2"]
    return (
        f"{summary_table(rows, ['linear2', 'few2'], 'rate')}\n\n"
        "Gates that differ from rate mode with equal weights (%), and the weights read out in rate mode:\n\n"
        f"{summary_table(told, errors, None)}"
    )


def _depth(rows: Sequence[Row], windows: int, out: Path) -> str:
    spiking_figures.depth(rows, out / "depth.png")
    start = [
        each for name in ("rate-deep", "n20-deep", "n100-deep") for each in untrained(rows, name)
    ]
    parts = []
    for kind in ("linear", "few"):
        columns = [f"{kind}{area}" for area in range(1, 5)]
        parts.append(summary_table([*rows, *start], columns, "rate-deep"))
        lines = [f"{kind}: top area minus first area"]
        for condition in dict.fromkeys(row.condition for row in rows):
            tops = values_of(rows, condition, f"{kind}4")
            if len(tops) > 1:
                both = [
                    Row(where, row.seed, {"x": row.values[f"{kind}{area}"]}, 0.0)
                    for row in only(rows, condition)
                    for where, area in (("top", 4), ("first", 1))
                ]
                lines.append(f"- {condition}: {compare(both, 'x', 'top', 'first')}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _ablations(rows: Sequence[Row], windows: int, out: Path) -> str:
    spiking_figures.ablations(rows, REFERENCES, out / "ablations.png")
    groups = (("n20", *ABLATIONS), ("opponent", "single_population"))
    return "\n\n".join(_against(rows, *group) for group in groups)


def _memory(rows: Sequence[Row], windows: int, out: Path) -> str:
    spiking_figures.ablations(rows, REFERENCES, out / "memory.png")
    return _against(rows, "latch-stepped", "leaky_memory")


def _against(rows: Sequence[Row], reference: str, *conditions: str) -> str:
    columns = [*ACCURACIES, "gate1", "gate2"]
    return summary_table(only(rows, reference, *conditions), columns, reference)


def _operations(rows: Sequence[Row], windows: int, out: Path) -> str:
    counts = ("events", "forward", "lateral", "plasticity", "ungated", "end_events", "end_forward")
    thousands = [
        replace(row, values={**row.values, **{k: row.values[k] / 1e3 for k in counts}})
        for row in rows
    ]
    shares = ("gate1", "gate2", "saving", "end_saving", "changed1", "changed2")
    return (
        "Thousands per sample (window), both areas:\n\n"
        f"{summary_table(thousands, counts, None)}\n\nPer cent:\n\n{summary_table(rows, shares, None)}"
    )


REFERENCES = {
    **dict.fromkeys(ABLATIONS, "n20"),
    "single_population": "opponent",
    "leaky_memory": "latch-stepped",
}
"""What every ablation is compared with: the same network and simulation, without the ablation."""

STUDIES = {
    "learning": Study(("rate", "n20", "n100"), _learning),
    "confirm": Study(("rate", "n100"), _confirm),
    "budget": Study(
        (
            "rate", "n2", "n5", "n10", "n20", "n20-copies5-T200", "n20-rho100-T200", "n50", "n100",
        ),
        _budget,
    ),
    "depth": Study(("rate-deep", "n20-deep", "n100-deep"), _depth),
    "ablations": Study(("n20", *ABLATIONS, "opponent", "single_population"), _ablations),
    "memory": Study(("latch-stepped", "leaky_memory"), _memory),
    "operations": Study(("n20", "n100"), _operations),
}  # fmt: skip
