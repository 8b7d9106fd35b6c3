"""`clapp-snn probe`: read out every layer of a run, beside random initialisation and raw pixels."""

import csv
from collections.abc import Callable
from pathlib import Path

from clapp_snn.commands.options import ProbeOptions
from clapp_snn.commands.train import data_of, device_of
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.evaluation.linear_probe import LinearProbeSettings
from clapp_snn.evaluation.probe_table import ProbeTable
from clapp_snn.evaluation.run_probes import ProbeSettings, run_probes
from clapp_snn.files import atomic_path
from clapp_snn.training.build import load_encoder, random_encoder
from clapp_snn.training.checkpoint import list_checkpoints
from clapp_snn.training.config import read_config

FILE = "probe.csv"
CURVE_FILE = "probe_curve.csv"
CURVE_COLUMNS = ("step", "protocol", "layer", "accuracy", "low", "high")


def probe(
    run: str | Path, options: ProbeOptions | None = None, say: Callable[[str], None] = print
) -> ProbeTable:
    """Probe the newest weights of a run; rows are added to run/probe.csv as they are measured."""
    options = options or ProbeOptions()
    folder, config = Path(run), read_config(run)
    device = device_of(options.device)
    dataset = data_of(config)
    encoders = {
        "trained": load_encoder(config, options.weights or folder, device),
        "random": random_encoder(config, device),
    }
    settings = ProbeSettings(
        shots=options.shots, paper=LinearProbeSettings(epochs=options.paper_epochs)
    )
    views = standard_views(encoders["random"].architecture.image, grey=not config.color)
    say(f"Probing {folder} on {dataset.name}, chance {dataset.chance:.1f} %")
    path = folder / FILE
    table = ProbeTable.read(path) if path.exists() else ProbeTable()
    table.extend(
        run_probes(
            encoders,
            dataset,
            options.protocols,
            options.seed,
            device,
            settings,
            views,
            state_folder=folder,
            progress=True,
        ).rows
    )
    table.write(path)
    say(table.text())
    if options.curve:
        probe_curve(folder, options, say)
    return table


def probe_curve(folder: Path, options: ProbeOptions, say: Callable[[str], None] = print) -> Path:
    """Fast and few-shot accuracy of every kept checkpoint, as run/probe_curve.csv."""
    config, device = read_config(folder), device_of(options.device)
    dataset = data_of(config)
    start = random_encoder(config, device)
    views = standard_views(start.architecture.image, grey=not config.color)
    protocols = [name for name in options.protocols if name != "paper"] or ["fast"]
    rows: list[tuple[object, ...]] = []
    for checkpoint in list_checkpoints(folder / "checkpoints"):
        encoder = load_encoder(config, checkpoint, device)
        step = int(checkpoint.name.removeprefix("step_"))
        table = run_probes(
            {"random": encoder},
            dataset,
            protocols,
            options.seed,
            device,
            ProbeSettings(shots=options.shots),
            views,
        )
        found = [row for row in table.rows if row.encoder == "random"]
        rows += [(step, r.protocol, r.layer, r.accuracy, r.low, r.high) for r in found]
        best = max(row.accuracy for row in found if row.protocol == protocols[0])
        say(f"step {step}: best layer {best:.1f} % ({protocols[0]})")
    path = folder / CURVE_FILE
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CURVE_COLUMNS)
        writer.writerows(rows)
    return path
