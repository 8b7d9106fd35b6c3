"""`clapp-snn stream`: learn from fixations and saccades, then read out every area and an untrained one."""

from dataclasses import replace
from pathlib import Path

from clapp_snn.circuit.engine_choice import choose_engine
from clapp_snn.commands.options import ProbeOptions, refuse_options
from clapp_snn.evaluation.area_accuracy import AreaAccuracy, write_accuracies
from clapp_snn.evaluation.local_readout import read_out_locally
from clapp_snn.evaluation.stream_probe import cache_glances, probe_glances
from clapp_snn.run_files import STREAM_PROBE
from clapp_snn.training.device import device_of
from clapp_snn.training.stream_build import build_network, trained_network
from clapp_snn.training.stream_config import StreamConfig, read_stream_config
from clapp_snn.training.stream_loop import StreamResult, train_stream
from clapp_snn.training.stream_objects import StreamObjects, open_objects


def stream(config: StreamConfig, *, resume: bool = False, quiet: bool = False) -> StreamResult:
    """Train; where it was not interrupted, also probe, print the table and write it to the run's folder.

    Raises as `train_stream` does, and ValueError for a device that is not there.
    """
    device_of(config.device)  # refused before data are opened
    objects = open_objects(config)
    result = train_stream(config, resume=resume, quiet=quiet, objects=objects)
    if not result.interrupted:
        _report(result.folder, probe_run(config, objects))
    return result


def probe_again(run: str | Path, options: ProbeOptions | None = None) -> list[AreaAccuracy]:
    """Read out every area of a run's newest weights; prints the table and writes run/stream_probe.csv.

    Raises ValueError for options that have no use here, and as opening the run, its data and weights does.
    """
    refuse_options(options or ProbeOptions(), (), "probe")
    rows = probe_run(replace(read_stream_config(run), out=Path(run)))
    _report(Path(run), rows)
    return rows


def _report(folder: Path, rows: list[AreaAccuracy]) -> None:
    print(table(rows))
    write_accuracies(folder / STREAM_PROBE, rows)


def probe_run(config: StreamConfig, objects: StreamObjects | None = None) -> list[AreaAccuracy]:
    """Accuracies of a finished run and of the network it started from, on the same glances."""
    objects = objects or open_objects(config)
    rows: list[AreaAccuracy] = []
    for weights in ("untrained", "trained"):
        trained = weights == "trained"
        network = trained_network(config, config.folder()) if trained else build_network(config)
        network.to(device_of(config.device))
        engine = config.engine
        if engine == "auto":
            engine, _ = choose_engine(network, config.drawn)
        cache = cache_glances(
            network, objects.train, objects.test, config.seed, drawn=config.drawn, engine=engine
        )
        if rows:
            # Raw input is the same for both: it is read out once.
            rows.append(replace(rows[0], weights=weights))
            del cache.train[0], cache.test[0]
        probes = (*probe_glances(cache, config.seed), read_out_locally(cache, config.seed))
        for linear, few, local in zip(*probes, strict=True):
            percent = [round(score.accuracy, 2) for score in (linear, few, local)]
            rows.append(AreaAccuracy(weights, linear.layer, *percent))
    return rows


def table(rows: list[AreaAccuracy]) -> str:
    """Lines of text."""
    lines = ["weights      area   linear %   5-shot %    local %"]
    for row in rows:
        numbers = "   ".join(f"{each:8.1f}" for each in (row.linear, row.five_shot, row.local))
        lines.append(f"{row.weights:11s} {row.area or 'raw':>5}   {numbers}")
    return "\n".join(lines)
