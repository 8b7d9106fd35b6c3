"""Trained networks that come with the package, each with the record that made it and a model card."""

from importlib.resources import as_file, files
from typing import NamedTuple

from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.training.checkpoint import load_weights
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig, read_stream_config

KEPT = ("lif_digits",)
"""Their names: folders in clapp_snn/assets."""

WEIGHTS, CARD = "weights.safetensors", "README.md"


class Kept(NamedTuple):
    """A trained network, frozen; the record of its run (seed and data included); its card, in Markdown."""

    network: StreamHierarchy
    config: StreamConfig
    card: str


def open_kept(name: str) -> Kept:
    """One of the `KEPT` networks.

    Raises ValueError for another name, CheckpointError for weights that are damaged.
    """
    if name not in KEPT:
        raise ValueError(f"No network {name!r} is kept; there is: {', '.join(KEPT)}.")
    with as_file(files("clapp_snn") / "assets" / name) as folder:
        config = read_stream_config(folder)
        network = build_network(config)
        network.load_state_dict(load_weights(folder / WEIGHTS))
        return Kept(network, config, (folder / CARD).read_text(encoding="utf-8"))
