"""`clapp-snn stream`: learn from fixations and saccades, then read out every area and an untrained one."""

from pathlib import Path

from clapp_snn.evaluation.stream_probe import cache_glances, probe_glances
from clapp_snn.files import write_text
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.stream_build import build_network, open_objects
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_loop import StreamResult, train_stream

PROBE_FILE = "stream_probe.csv"
Row = tuple[str, int, float, float]
"""Trained or untrained, area (0: raw input), linear and 5-shot accuracy in percent."""


def stream(config: StreamConfig, *, resume: bool = False, quiet: bool = False) -> StreamResult:
    """Train; where it was not interrupted, also probe, print the table and write it to the run's folder.

    Raises as `train_stream` does.
    """
    result = train_stream(config, resume=resume, quiet=quiet)
    if not result.interrupted:
        rows = probe_run(config)
        print(table(rows))
        lines = ["weights,area,linear,five_shot", *(",".join(map(str, row)) for row in rows)]
        write_text(result.folder / PROBE_FILE, "\n".join(lines) + "\n")
    return result


def probe_run(config: StreamConfig) -> list[Row]:
    """Accuracies of a finished run and of the network it started from, on the same glances."""
    objects, rows = open_objects(config), []
    for weights in ("untrained", "trained"):
        network = build_network(config)
        if weights == "trained":
            network.load_state_dict(load_checkpoint(Path(config.folder())).model)
        cache = cache_glances(network, objects.train, objects.test, config.seed, drawn=config.drawn)
        for linear, few in zip(*probe_glances(cache, config.seed), strict=True):
            rows.append((weights, linear.layer, round(linear.accuracy, 2), round(few.accuracy, 2)))
    return rows


def table(rows: list[Row]) -> str:
    """Lines of text."""
    lines = ["weights      area   linear %   5-shot %"]
    for weights, area, linear, few in rows:
        lines.append(f"{weights:11s} {area or 'raw':>5}   {linear:8.1f}   {few:8.1f}")
    return "\n".join(lines)
