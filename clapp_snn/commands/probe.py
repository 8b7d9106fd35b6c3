"""`clapp-snn probe`: read out every layer of a run, beside random initialisation and raw pixels."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

from clapp_snn.commands.options import ProbeOptions
from clapp_snn.commands.train import data_of, device_of
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.evaluation.linear_probe import LinearProbeSettings
from clapp_snn.evaluation.probe_table import ProbeRow, ProbeTable
from clapp_snn.evaluation.run_probes import ProbeSettings, probe_encoder, run_probes
from clapp_snn.files import atomic_path
from clapp_snn.methods import get_method
from clapp_snn.stimuli.stl10 import OFFICIAL_NAME as STL10
from clapp_snn.training.build import load_encoder, random_encoder
from clapp_snn.training.checkpoint import list_checkpoints, load_checkpoint
from clapp_snn.training.config import read_config

FILE = "probe.csv"
CURVE_FILE = "probe_curve.csv"
CURVE_COLUMNS = ("step", "protocol", "layer", "accuracy", "low", "high")


def probe(
    run: str | Path, options: ProbeOptions | None = None, say: Callable[[str], None] = print
) -> ProbeTable:
    """Probe the newest weights of a run; each row goes to run/probe.csv as soon as it is measured.

    With `options.weights` those weights are probed instead and nothing is written.
    """
    options = options or ProbeOptions()
    folder, config = Path(run), read_config(run)
    device = device_of(options.device)
    dataset = data_of(config)
    own = options.weights is None
    source = load_checkpoint(folder).folder if options.weights is None else options.weights
    encoders = {
        "trained": load_encoder(config, source, device),
        "random": random_encoder(config, device),
    }
    settings = ProbeSettings(
        shots=options.shots, paper=LinearProbeSettings(epochs=options.paper_epochs)
    )
    views = standard_views(encoders["random"].architecture.image, grey=not config.color)
    say(f"Probing {source} on {dataset.name}, chance {dataset.chance:.1f} %")
    path = folder / FILE
    table = ProbeTable.read(path) if own and path.exists() else ProbeTable()
    states = folder / "probe_states" / source.name

    def keep(row: ProbeRow) -> None:
        table.append(row)
        if own:
            table.write(path)

    run_probes(
        encoders,
        dataset,
        options.protocols,
        options.seed,
        device,
        settings,
        views,
        state_folder=states if own else None,
        progress=True,
        on_row=keep,
    )
    shutil.rmtree(states, ignore_errors=True)
    paper = get_method(config.method).stl10
    published = dataset.name == STL10 and "paper" in options.protocols and paper is not None
    say(table.text({"paper": paper} if published and paper is not None else None))
    if options.curve:
        probe_curve(folder, options, say)
    return table


def probe_curve(folder: Path, options: ProbeOptions, say: Callable[[str], None] = print) -> Path:
    """Fast and few-shot accuracy of every kept checkpoint, as run/probe_curve.csv."""
    config, device = read_config(folder), device_of(options.device)
    dataset = data_of(config)
    views = standard_views(random_encoder(config, device).architecture.image, not config.color)
    settings = ProbeSettings(shots=options.shots)
    protocols = [name for name in options.protocols if name != "paper"] or ["fast"]
    rows: list[tuple[object, ...]] = []
    for checkpoint in list_checkpoints(folder / "checkpoints"):
        step = load_checkpoint(checkpoint).step
        encoder = load_encoder(config, checkpoint, device)
        found = probe_encoder(encoder, dataset, protocols, options.seed, device, settings, views)
        for protocol, scores in found.items():
            rows += [(step, protocol, s.layer, s.accuracy, s.low, s.high) for s in scores]
        best = max(score.accuracy for score in found[protocols[0]])
        say(f"step {step}: best layer {best:.1f} % ({protocols[0]})")
    path = folder / CURVE_FILE
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CURVE_COLUMNS)
        writer.writerows(rows)
    return path
