"""`clapp-snn demo`: the main job on the embedded photographs, from pixels to a report."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from clapp_snn.commands.figures import draw_figures
from clapp_snn.commands.options import ProbeOptions, Protocol
from clapp_snn.commands.probe import probe
from clapp_snn.commands.train import train
from clapp_snn.files import require_folder
from clapp_snn.report.html import write_report
from clapp_snn.run_files import (
    CHECKPOINTS,
    CONFIG,
    DATA,
    ENVIRONMENT,
    FIGURES,
    METRICS,
    PROBE,
    PROBE_CURVE,
    PROBE_STATES,
    REPORT,
    SCORES,
    TENSORBOARD,
)
from clapp_snn.training.config import TrainConfig, read_config

WRITTEN = {
    CHECKPOINTS, CONFIG, DATA, ENVIRONMENT, FIGURES, METRICS, PROBE, PROBE_CURVE, PROBE_STATES, REPORT,
    SCORES, TENSORBOARD,
}  # fmt: skip
"""What a demo and a look at it leave in its folder."""

SECONDS_EXPECTED = "about five minutes on two cores"

EPOCHS = 10
"""Of the paper's probe, whose 300 would take longer than all the rest."""


def demo_config(out: Path, steps: int, seed: int) -> TrainConfig:
    """CLAPP-s at width 1/8 on the embedded photographs."""
    return TrainConfig(
        method="clapp-s",
        data="photographs",
        out=out,
        width=0.125,
        batch=16,
        steps=steps,
        learning_rate=1e-3,
        decay=0.35,
        seed=seed,
        log_every=50,
        checkpoint_every=max(1, steps // 2),
    )


def is_demo(folder: Path) -> bool:
    """Whether a folder holds a demo and nothing that a demo does not write."""
    try:
        found = read_config(folder)
    except (OSError, ValueError):
        return False
    if found.steps is None:
        return False
    same = replace(demo_config(folder, found.steps, found.seed), out=found.out)
    return found == same and {path.name for path in folder.iterdir()} <= WRITTEN


def demo(out: Path, steps: int, seed: int, *, force: bool = False) -> int:
    """Train, probe, draw and report; returns an exit status.

    Raises FileExistsError when `out` holds something else than a demo to replace, NotADirectoryError or
    OSError when it cannot be a folder.
    """
    began = time.monotonic()
    config = demo_config(out, steps, seed)
    require_folder(out)
    if out.exists() and any(out.iterdir()):
        if not force:
            raise FileExistsError(
                f"{out} is not empty; look at {out / 'report.html'}, replace it with --force, or choose "
                "another --out."
            )
        if not is_demo(out):
            raise FileExistsError(
                f"{out} holds something else than a demo; it is not removed. Choose another --out."
            )
        shutil.rmtree(out)
    print(f"1/4 Learning: CLAPP-s, area by area, no labels ({SECONDS_EXPECTED} in all)")
    result = train(config)
    if result.interrupted:
        return 130
    print(
        f"2/4 Reading out every layer: logistic regression, a few shots, and the paper's probe, {EPOCHS} of "
        "its 300 epochs"
    )
    protocols: tuple[Protocol, ...] = ("fast", "few-shot", "paper")
    probe(result.folder, ProbeOptions(protocols=protocols, paper_epochs=EPOCHS))
    print("3/4 Drawing")
    for path in draw_figures(result.folder):
        print(f"    {path}")
    print("4/4 Writing the report")
    print(f"    {write_report(result.folder)}")
    print(f"Done in {time.monotonic() - began:.0f} s.")
    return 0
