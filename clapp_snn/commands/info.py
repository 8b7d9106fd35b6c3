"""`clapp-snn info`: methods, network, data, machine and runs, in plain text."""

from collections.abc import Sequence
from pathlib import Path

import torch

from clapp_snn import __version__, native
from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.methods import METHODS
from clapp_snn.stimuli.dataset import open_dataset
from clapp_snn.training.checkpoint import list_checkpoints
from clapp_snn.training.config import FILE, read_config, to_yaml


def methods_text() -> str:
    """Every method by name, with the paper's STL-10 number and its locality."""
    rows = [("name", "method", "STL-10 %", "local in space", "local in time", "rule", "source")]
    for method in METHODS.values():
        number = "-" if method.stl10 is None else f"{method.stl10:.1f}"
        rule = "none" if method.task == "none" else "explicit" if method.explicit else "backprop"
        place, when = method.local_in_space, method.local_in_time
        rows.append((method.name, method.title, number, place, when, rule, method.source))
    return _table(rows) + (
        "\n\nSTL-10 %: linear probe, as the paper reports it (not measured here). rule: how this package "
        "computes it; 'explicit' is Eqs. 6-8 in closed form, without autograd."
    )


def network_text(width: float) -> str:
    """The layer table of VGG-6 at a width, with parameter counts."""
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
        f"with W_pred and W_retro {free:,}"
    )


def parameter_count(method: str, width: float) -> int:
    """Parameters of encoder and heads."""
    with torch.device("meta"):
        hierarchy = Hierarchy(Encoder(VGG6, width), METHODS[method])
    return sum(p.numel() for p in hierarchy.parameters())


def data_text(spec: str) -> str:
    """What a data source holds."""
    data = open_dataset(spec)
    lines = [f"{data.name}: {data.note}", f"classes: {', '.join(data.class_names)}"]
    for name in ("train", "test", "unlabeled"):
        try:
            split = getattr(data, name)
        except FileNotFoundError as error:
            lines.append(f"{name}: {error}")
            continue
        lines.append(
            f"{name}: {len(split)} images of {split.image_size[0]} x {split.image_size[1]}"
        )
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
    checkpoints = [path.name for path in list_checkpoints(Path(run) / "checkpoints")]
    return f"{to_yaml(read_config(run))}checkpoints: {', '.join(checkpoints) or 'none'}"


def info(topic: str = "machine", width: float = 1.0) -> str:
    """Text about "methods", "network", "machine", a run folder, or anything that names data."""
    if topic == "methods":
        return methods_text()
    if topic == "network":
        return network_text(width)
    if topic == "machine":
        return machine_text()
    if (Path(topic) / FILE).exists():
        return run_text(topic)
    return data_text(topic)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
