"""`clapp-snn report`: one self-contained HTML page of a run."""

import base64
import json
import math
import shlex
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined

from clapp_snn.evaluation.finetune import read_last_epochs
from clapp_snn.evaluation.probe_table import RAW, LayerMean, ProbeTable, notes
from clapp_snn.files import write_text
from clapp_snn.methods import get_method
from clapp_snn.modalities import modality_of
from clapp_snn.report.recipe import recipe
from clapp_snn.run_files import (
    CONFIG,
    DATA,
    ENVIRONMENT,
    FIGURE_INDEX,
    FIGURES,
    FINETUNE,
    METRICS,
    PROBE,
    REPORT,
)
from clapp_snn.training.config import TrainConfig, read_config, to_yaml
from clapp_snn.training.environment import read_environment
from clapp_snn.training.logbook import read_metrics


@dataclass(frozen=True)
class ProbeBlock:
    """The table of one protocol: a row an encoder, a cell a layer; the raw stimulus has one number."""

    protocol: str
    notes: list[str]
    spread: str
    layers: list[int]
    rows: list[tuple[str, list[LayerMean | None]]]
    raw: tuple[str, LayerMean] | None
    tests: list[int]


@dataclass(frozen=True)
class Picture:
    """A PNG as base64 text, with its alternative text and caption."""

    name: str
    data: str
    alt: str
    caption: str


@dataclass(frozen=True)
class AreaEnd:
    """Loss and gate share (0..1) of an area in the first and last logged steps."""

    area: int
    first_loss: float
    last_loss: float
    first_gate: float
    last_gate: float


def write_report(run: str | Path) -> Path:
    """Write run/report.html from the files of the run and return its path.

    Parts that the run does not have yet are named, with the command that makes them. Everything shown is
    escaped, and nothing is loaded from elsewhere.

    Raises:
        FileNotFoundError: the folder holds no run.
        ValueError: a file of the run is damaged; names it.
    """
    folder, config = Path(run), read_config(run)
    modality = modality_of(config)
    method = get_method(config.method, modality.name)
    data = read_data(folder / DATA)
    probe = folder / PROBE
    text = page_template("template.html").render(
        style=page_style(),
        title=f"{method.title} on {data['name'] if data else config.data}",
        run=str(folder),
        quoted=shlex.quote(str(folder)),
        config_path=shlex.quote(str(folder / CONFIG)),
        config=config,
        config_text=to_yaml(config),
        method=method,
        published=modality.published,
        unit=modality.unit,
        data=data,
        sessions=read_environment(folder) if (folder / ENVIRONMENT).exists() else [],
        blocks=probe_blocks(ProbeTable.read(probe)) if probe.exists() else [],
        transfer=read_last_epochs(folder / FINETUNE),
        pictures=read_pictures(folder, read_index(folder)),
        progress=read_progress(folder / METRICS, modality.unit),
        hinge=method.hinge,
        gated=method.objective is None or method.objective.gate,
        purpose=purpose(config),
        recipe=recipe(folder),
    )
    write_text(folder / REPORT, text)
    return folder / REPORT


def purpose(config: TrainConfig) -> str:
    """One sentence: what was trained and how."""
    method = get_method(config.method, config.modality)
    task = {
        "contrast": "learns without labels, by telling the next glance at the same scene (fixation) "
        "from a glance at another scene (saccade)",
        "predict": "learns without labels, by predicting one view of an image from another",
        "goodness": "learns without labels, by responding to an image laid over itself and not to two images",
        "hebbian": "learns without labels, by competition at every place",
        "supervised": "learns with labels",
        "none": "does not learn: it is the comparison at random initialisation",
    }[method.task]
    rule = "; every area updates itself by the explicit local rule, without back-propagation"
    encoder = f"A {modality_of(config).encoder} encoder of width {config.width:g}"
    return f"{encoder} that {task}{rule if method.explicit else ''}."


def probe_blocks(table: ProbeTable) -> list[ProbeBlock]:
    """The tables of all protocols."""
    blocks = []
    for protocol in table.protocols:
        names = table.encoders(protocol)
        means = {name: {m.layer: m for m in table.layer_means(protocol, name)} for name in names}
        layers = sorted({layer for found in means.values() for layer in found if layer > 0})
        measured = [row for row in table.rows if row.protocol == protocol]
        seeds = max(mean.seeds for found in means.values() for mean in found.values())
        blocks.append(
            ProbeBlock(
                protocol=protocol,
                notes=notes(measured),
                spread="95 % interval"
                if seeds == 1
                else f"mean - sd to mean + sd over {seeds} seeds",
                layers=layers,
                rows=[
                    (name, [means[name].get(layer) for layer in layers])
                    for name in names
                    if name not in RAW
                ],
                raw=table.raw(protocol),
                tests=sorted({row.n_test for row in measured}),
            )
        )
    return blocks


def read_data(path: Path) -> dict[str, Any] | None:
    """What training wrote about its data; None where it has not run.

    Raises ValueError for a damaged file.
    """
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return {key: record[key] for key in ("name", "note", "classes", "chance")}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def read_index(folder: Path) -> list[dict[str, str]]:
    """What `clapp-snn figures` wrote about its figures; empty where it has not run.

    Raises ValueError for a damaged file.
    """
    path = folder / FIGURES / FIGURE_INDEX
    if not path.exists():
        return []
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return [
            {**entry, **{key: str(entry[key]) for key in ("file", "alt", "caption")}}
            for entry in record["figures"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged; draw the figures again: {error}") from error


def read_pictures(folder: Path, described: list[dict[str, str]]) -> list[Picture]:
    """All PNG files in run/figures: those that are described first and in order, then the others."""
    words = {entry["file"]: entry for entry in described}
    found = {path.name: path for path in sorted((folder / FIGURES).glob("*.png"))}
    order = [name for name in words if name in found] + [
        name for name in found if name not in words
    ]
    pictures = []
    for name in order:
        plain = Path(name).stem.replace("_", " ")
        entry = words.get(name, {"alt": f"Figure: {plain}", "caption": plain})
        data = base64.b64encode(found[name].read_bytes()).decode("ascii")
        pictures.append(Picture(name, data, entry["alt"], entry["caption"]))
    return pictures


@dataclass(frozen=True)
class Progress:
    """The last row of metrics.csv, and every area at the beginning and the end."""

    step: int
    epoch: float
    samples: int
    seconds: float
    areas: list[AreaEnd]


def read_progress(path: Path, unit: str = "images") -> Progress | None:
    """How far learning came; None where nothing was logged.

    Raises ValueError for a damaged file.
    """
    table = read_metrics(path)
    if not len(table["step"]):
        return None
    try:
        numbers = [int(key.removeprefix("loss_")) for key in table if key.startswith("loss_")]
        areas = [AreaEnd(n, *ends(table[f"loss_{n}"]), *ends(table[f"gate_{n}"])) for n in numbers]
        step, epoch, samples, seconds = (
            float(table[name][-1]) for name in ("step", "epoch", unit, "seconds")
        )
        return Progress(int(step), epoch, int(samples), seconds, areas)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def ends(values: np.ndarray) -> tuple[float, float]:
    """The first and the last value that was measured; NaN where there is none."""
    measured = values[np.isfinite(values)]
    return (float(measured[0]), float(measured[-1])) if len(measured) else (math.nan, math.nan)


def page_style() -> str:
    """The style sheet of all reports, to stand in the page itself."""
    return files("clapp_snn.report").joinpath("style.css").read_text(encoding="utf-8")


def page_template(name: str) -> Any:
    """A template of this room (all of them extend page.html); everything it shows is escaped."""
    room = files("clapp_snn.report")
    environment = Environment(
        loader=FunctionLoader(lambda each: room.joinpath(each).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
