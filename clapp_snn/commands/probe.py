"""`clapp-snn probe`: read out every layer of a run, beside random initialisation and the raw stimulus."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from clapp_snn.commands.options import ProbeOptions
from clapp_snn.commands.train import data_of
from clapp_snn.evaluation.probe_curve import CurveRow, read_curve, write_curve
from clapp_snn.evaluation.probe_table import ProbeRow, ProbeTable
from clapp_snn.methods import get_method
from clapp_snn.methods.record import Method
from clapp_snn.modalities import modality_of
from clapp_snn.modalities.modality import ProbeRequest, chosen_protocols
from clapp_snn.run_files import CHECKPOINTS, PROBE, PROBE_CURVE, PROBE_STATES
from clapp_snn.training.checkpoint import Checkpoint, list_checkpoints, load_checkpoint
from clapp_snn.training.config import read_config
from clapp_snn.training.device import device_of


def probe(
    run: str | Path, options: ProbeOptions | None = None, say: Callable[[str], None] = print
) -> ProbeTable:
    """Probe the newest weights of a run; each row goes to run/probe.csv as soon as it is measured.

    With `options.weights` those weights are probed instead and nothing is written.

    Raises ValueError for a learning curve of other weights.
    """
    options = options or ProbeOptions()
    if options.curve and options.weights is not None:
        raise ValueError(
            "A learning curve is of the run's own checkpoints: leave --weights or --curve out."
        )
    folder, config = Path(run), read_config(run)
    modality = modality_of(config)
    protocols = chosen_protocols(modality, options.protocols)
    data = data_of(config)
    newest: Checkpoint | None = None
    if options.weights is None:
        newest = load_checkpoint(folder)
        source = newest.folder
    else:
        source = options.weights
    say(f"Probing {source} on {data.name}, chance {data.chance:.1f} %")
    path = folder / PROBE
    table = ProbeTable.read(path) if newest and path.exists() else ProbeTable()
    states = folder / PROBE_STATES / source.name

    def keep(row: ProbeRow) -> None:
        if newest is not None and row.encoder == "trained":
            row = replace(row, step=newest.step)
        table.append(row)
        if newest is not None:
            table.write(path)

    request = _request(options, protocols, states if newest else None)
    modality.probe(config, source, data, request, keep)
    if newest is not None and modality.paper_protocol in protocols:
        shutil.rmtree(states, ignore_errors=True)
    say(table.text())
    if data.name == modality.published and modality.paper_protocol in protocols:
        say(reported(get_method(config.method, modality.name), data.name))
    if options.curve:
        probe_curve(folder, options, say)
    return table


def reported(method: Method, data: str) -> str:
    """What was published for a method on its data, as a line."""
    if method.reported is None:
        return f"Nothing is published for {method.title} on {data}."
    unlike = "" if method.comparable else "; not comparable"
    number = f"{method.reported:g} % ({method.source}{unlike})"
    return f"Published for {method.title} on {data}, width 1: {number}."


def probe_curve(folder: Path, options: ProbeOptions, say: Callable[[str], None] = print) -> Path:
    """Accuracy of every kept checkpoint with the quick protocols, as run/probe_curve.csv.

    Rows of protocols that are not asked for stay where their checkpoints are still there.
    """
    config = read_config(folder)
    modality = modality_of(config)
    protocols = chosen_protocols(modality, options.protocols, quick=True)
    data = data_of(config)
    request = _request(options, protocols, None)
    rows: list[CurveRow] = []
    steps = set()
    for checkpoint in list_checkpoints(folder / CHECKPOINTS):
        step = load_checkpoint(checkpoint).step
        steps.add(step)
        found = modality.scores(config, checkpoint, data, request)
        for protocol, scores in found.items():
            rows += [CurveRow(step, protocol, s.layer, s.accuracy, s.low, s.high) for s in scores]
        best = max(score.accuracy for score in found[protocols[0]])
        say(f"step {step}: best layer {best:.1f} % ({protocols[0]})")
    path = folder / PROBE_CURVE
    kept = [row for row in read_curve(path) if row.step in steps]
    write_curve(path, [*rows, *(row for row in kept if row.protocol not in protocols)])
    return path


def _request(
    options: ProbeOptions, protocols: tuple[str, ...], states: Path | None
) -> ProbeRequest:
    return ProbeRequest(
        protocols=protocols,
        seed=options.seed,
        device=device_of(options.device),
        shots=options.shots,
        paper_epochs=options.paper_epochs,
        baselines=options.baselines,
        states=states,
    )
