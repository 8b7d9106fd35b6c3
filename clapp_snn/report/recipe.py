"""How to measure again what a run's tables hold."""

import json
import re
from pathlib import Path

from clapp_snn.evaluation.finetune import FinetuneRow, read_last_epochs
from clapp_snn.evaluation.probe_curve import read_curve
from clapp_snn.evaluation.probe_table import ProbeTable
from clapp_snn.run_files import ALIGNMENT, FINETUNE, PROBE, PROBE_CURVE


def recipe(folder: Path) -> list[str]:
    """The commands that measure again, in a NEW_FOLDER, what the run's tables hold."""
    lines: list[str] = []
    probe = folder / PROBE
    rows = ProbeTable.read(probe).rows if probe.exists() else []
    for seed in sorted({row.seed for row in rows}) or [0]:
        mine = [row for row in rows if row.seed == seed]
        words = ["clapp-snn probe NEW_FOLDER"]
        if protocols := list(dict.fromkeys(row.protocol for row in mine)):
            words.append(f"--protocols '{json.dumps(protocols)}'")
        words += [f"--seed {seed}"] if seed else []
        notes_of = " ".join(row.note for row in mine)
        for option, pattern, usual in (
            ("shots", r"(\d+) shots", "5"),
            ("paper_epochs", r"epoch (\d+)", ""),
        ):
            found = re.search(pattern, notes_of)
            words += [f"--{option} {found[1]}"] if found and found[1] != usual else []
        lines.append(" ".join(words))
    if curve := list(dict.fromkeys(row.protocol for row in read_curve(folder / PROBE_CURVE))):
        lines.append(
            f"clapp-snn probe NEW_FOLDER --protocols '{json.dumps(curve)}' --baselines false --curve true"
        )
    lines += _finetune_lines(read_last_epochs(folder / FINETUNE))
    lines += ["clapp-snn alignment NEW_FOLDER"] if (folder / ALIGNMENT).exists() else []
    return lines


def _finetune_lines(ends: list[FinetuneRow]) -> list[str]:
    experiments: dict[str, set[float]] = {}
    for row in ends:
        words = [f"--epochs {row.epochs or row.epoch}"]
        words += [f"--batch {row.batch}"] if row.batch else []
        words += [f"--learning_rate {row.learning_rate:g}"] if row.learning_rate else []
        experiments.setdefault(" ".join([*words, f"--seed {row.seed}"]), set()).add(row.fraction)
    return [
        f"clapp-snn finetune NEW_FOLDER --fractions '{json.dumps(sorted(shares))}' {words}"
        for words, shares in sorted(experiments.items())
    ]
