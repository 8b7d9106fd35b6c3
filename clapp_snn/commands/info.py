"""`clapp-snn info`: methods, network, data, machine and runs, in plain text."""

from collections.abc import Sequence
from pathlib import Path

import torch

from clapp_snn import __version__, native
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.circuit.stream_context import stream_source, why_not_on_streams
from clapp_snn.commands.speech_network import speech_parameters, speech_rows
from clapp_snn.commands.video_network import video_parameters, video_rows
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.methods import METHODS, TABLES, Method
from clapp_snn.methods.locality import Locality, locality
from clapp_snn.modalities import modality_of
from clapp_snn.modalities.images import IMAGES
from clapp_snn.run_files import CHECKPOINTS, CONFIG
from clapp_snn.training.checkpoint import list_checkpoints
from clapp_snn.training.config import TrainConfig, read_config, to_yaml
from clapp_snn.training.records import record_text
from clapp_snn.training.stream_config import is_stream_run, read_stream_config

REPORTED = {"images": "STL-10 %", "speech": "LibriSpeech phones %", "video": "UCF-101 %"}
"""What the paper's numbers for each modality were measured on."""


def methods_text() -> str:
    """Every method by name, with its locality and the paper's number for every modality that has it."""
    heads = ("name", "method", *(REPORTED[modality] for modality in TABLES))
    rows = [(*heads, "local in space", "local in time", "rule", "source")]
    for name in dict.fromkeys(name for table in TABLES.values() for name in table):
        found = [table.get(name) for table in TABLES.values()]
        method = next(each for each in found if each is not None)
        numbers = (_reported(each) for each in found)
        rule = "none" if method.task == "none" else "explicit" if method.explicit else "backprop"
        place, when = method.local_in_space, method.local_in_time
        rows.append((name, method.title, *numbers, place, when, rule, method.source))
    return _table(rows) + (
        "\n\nPercentages: linear probe, as the paper reports them (not measured here); '-' without a number, "
        "empty where the method is not defined. title and source are of the first modality that has the "
        "method. rule: how this package "
        "computes it; 'explicit' is in closed form (Eqs. 6-8 for CLAPP), without autograd.\n\n"
        f"What the update of a feedforward synapse needs to know\n{locality_text()}\n\n"
        f"On streams, one glance at a time (clapp-snn stream --method)\n{streams_text()}"
    )


def _reported(method: Method | None) -> str:
    if method is None:
        return ""
    return "-" if method.reported is None else f"{method.reported:g}"


def locality_text() -> str:
    """What a feedforward synapse of every method on images needs, by where it comes from."""
    rows: list[tuple[str, ...]] = [("name", *Locality._fields)]
    rows += [(name, *locality(method)) for name, method in TABLES["images"].items()]
    return _table(rows)


def streams_text() -> str:
    """Where the apical input of every method on images comes from on a stream, or why there is none."""
    sources = {
        "same": "own last activity",
        "above": "last activity of the area above",
        "top": "last activity of the top area",
        "both": "own last activity, and that of the top area",
    }
    rows = [("name", "apical input on a stream")]
    for name, method in TABLES["images"].items():
        reason = why_not_on_streams(method)
        rows.append((name, f"no: {reason}" if reason else sources[stream_source(method)]))
    return _table(rows)


def network_text(width: float) -> str:
    """The layer tables of VGG-6, of the speech and of the video encoder at a width, with parameter counts."""
    encoder = Encoder(VGG6, width)
    rows = [("layer", "channels", "pool", "parameters")]
    for index, layer in enumerate(encoder.architecture.layers):
        count = sum(p.numel() for p in encoder.layer(index).parameters())
        pool = "2x2" if layer.pool else "no"
        rows.append((str(index + 1), str(layer.channels), pool, f"{count:,}"))
    total = sum(p.numel() for p in encoder.parameters())
    tied = parameter_count("clapp-s", width)
    free = parameter_count("clapp", width)
    return (
        f"VGG-6 at width {width:g}\n{_table(rows)}\nencoder {total:,}; with W_pred {tied:,}; "
        f"with W_pred and W_retro {free:,}\n\nSpeech encoder at width {width:g}\n"
        f"{_table(speech_rows(width))}\n{speech_parameters(width)}\n\n"
        f"VGG-5 on clips at width {width:g}\n{_table(video_rows(width))}\n{video_parameters(width)}"
    )


def parameter_count(method: str, width: float) -> int:
    """Parameters of encoder and heads."""
    with torch.device("meta"):
        hierarchy = Hierarchy(Encoder(VGG6, width), METHODS[method])
    return sum(p.numel() for p in hierarchy.parameters())


def data_text(spec: str) -> str:
    """What a data source holds."""
    modality = modality_of(TrainConfig(data=spec))
    data = modality.open(TrainConfig(data=spec))
    lines = [f"{data.name}: {data.note}", f"classes: {', '.join(data.class_names)}"]
    for name in ("train", "test", "unlabeled"):
        try:
            split = getattr(data, name)
        except FileNotFoundError as error:
            lines.append(f"{name}: {error}")
            continue
        size = f" of {split.image_size[0]} x {split.image_size[1]}" if modality is IMAGES else ""
        lines.append(f"{name}: {len(split)} {modality.unit}{size}")
    return "\n".join([*lines, f"chance: {data.chance:.1f} %"])


def machine_text() -> str:
    """Versions, devices and engines."""
    kernels = "available" if native.available() else f"not available: {native.why_unavailable()}"
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return (
        f"clapp_snn {__version__}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads\n"
        f"GPUs: {', '.join(gpus) or 'none'}\nnative kernels: {kernels}"
    )


def run_text(run: str) -> str:
    """Configuration and progress of a run."""
    checkpoints = [path.name for path in list_checkpoints(Path(run) / CHECKPOINTS)]
    return f"{to_yaml(read_config(run))}checkpoints: {', '.join(checkpoints) or 'none'}"


def stream_text(run: str) -> str:
    """Configuration and progress of a run on a stream."""
    checkpoints = [path.name for path in list_checkpoints(Path(run) / CHECKPOINTS)]
    made = f"checkpoints: {', '.join(checkpoints) or 'none'}"
    return f"a run of `clapp-snn stream`\n{record_text(read_stream_config(run))}{made}"


def info(topic: str = "machine", width: float = 1.0) -> str:
    """Text about "methods", "network", "machine", a run folder, or anything that names data."""
    if topic == "methods":
        return methods_text()
    if topic == "network":
        return network_text(width)
    if topic == "machine":
        return machine_text()
    if (Path(topic) / CONFIG).exists():
        return run_text(topic)
    if is_stream_run(topic):
        return stream_text(topic)
    try:
        return data_text(topic)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{topic!r} is none of methods, network, machine, and no run; as data: {error}"
        ) from error


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
