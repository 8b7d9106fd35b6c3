"""What `clapp-snn export` reads: a run, as a canonical network with sample inputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64

from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.circuit.two_contexts import TwoContexts
from clapp_snn.commands.spike_probe import Looks, look
from clapp_snn.commands.train import images_of
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.export.convert import Conversion, Converted, convert
from clapp_snn.export.learning import AreaLearning, Learning
from clapp_snn.export.linear_lif import export_linear, is_linear
from clapp_snn.export.rate_layers import RateLayer, layers_of_encoder, layers_of_stream
from clapp_snn.run_files import CONFIG, STREAM_CONFIG
from clapp_snn.training.build import load_encoder, require_rectified
from clapp_snn.training.config import read_config
from clapp_snn.training.kept import KEPT, open_kept
from clapp_snn.training.stream_build import method_of, trained_network
from clapp_snn.training.stream_config import StreamConfig, read_stream_config
from clapp_snn.training.stream_objects import open_objects

CALIBRATION = 100
"""Inputs that scales are chosen on: the first training objects."""

IMAGES, PATCHES = 4, 16
"""Images that a run on images is calibrated on, and patches of them, evenly spread."""


@dataclass(frozen=True, eq=False)
class Source:
    """A trained network, ready for export.

    Attributes:
        origin: where weights come from, in words.
        converted: canonical, with what its spikes mean.
        layers: the same weights in rate code.
        samples: input activity to compare spikes on.
        looks: labelled looks for probes; None where a probe would take hours.
        learning: the rule and its lateral weights; None for runs on images, which learn from pairs of
        patches, and for contexts from other areas. stream: the areas; None for runs on images.
        seed: of the run.
        spiking: trained as the spiking network that is exported, not in rate code.
    """

    origin: str
    converted: Converted
    layers: list[RateLayer]
    samples: Float64[np.ndarray, "sample *input"]
    looks: Looks | None
    learning: Learning | None
    stream: StreamHierarchy | None
    seed: int
    spiking: bool = False


def open_source(run: str | Path, conversion: Conversion, samples: int) -> Source:
    """Read a run.

    Args:
        run: folder of `clapp-snn stream` or `clapp-snn train`, or name of a network of this package.
        conversion: how rate weights become spikes.
        samples: inputs to compare spikes on.

    Raises FileNotFoundError for a folder that is no run, ValueError for a network that cannot be exported,
    CheckpointError for damaged weights.
    """
    folder = Path(run)
    if str(run) in KEPT and not folder.exists():
        kept = open_kept(str(run))
        origin = f"network {run} of this package"
        return source_of_stream(kept.network, kept.config, conversion, samples, origin)
    if (folder / STREAM_CONFIG).is_file():
        config = read_stream_config(folder)
        network = trained_network(config, folder)
        return source_of_stream(network, config, conversion, samples, f"run {folder.name}")
    if (folder / CONFIG).is_file():
        return _source_of_images(folder, conversion, samples)
    raise FileNotFoundError(
        f"{folder} is no run: it holds neither {STREAM_CONFIG} (clapp-snn stream) nor {CONFIG} (clapp-snn "
        "train)."
    )


def source_of_stream(
    network: StreamHierarchy,
    config: StreamConfig,
    conversion: Conversion,
    samples: int,
    origin: str,
) -> Source:
    """A network of areas on a stream, with the objects that its configuration names."""
    objects = open_objects(config)
    looks = look(network, objects.train, objects.test, config.seed)
    metadata: dict[str, Any] = {"origin": origin, "data": config.data, "neuron": config.neuron}
    layers = layers_of_stream(network)
    name = f"{config.data}-{config.neuron}"
    inputs = looks.train[:CALIBRATION].reshape(-1, *layers[0].synapse.input_shape)
    if is_linear(network):
        converted = export_linear(network, conversion, inputs, name=name, metadata=metadata)
    else:
        converted = convert(
            layers,
            inputs,
            conversion,
            dt=config.dt,
            name=name,
            metadata=metadata,
        )
    chosen = looks.test[:samples, 0].reshape(-1, *layers[0].synapse.input_shape)
    return Source(
        f"{origin}: {config.data}, {config.neuron} neurons, units {list(config.units)}",
        converted,
        layers,
        chosen,
        looks,
        _learning(network, config, converted),
        network,
        config.seed,
        is_linear(network),
    )


def _learning(
    network: StreamHierarchy, config: StreamConfig, converted: Converted
) -> Learning | None:
    """None where areas do not predict themselves unit by unit, which no target has room for."""
    areas = []
    for index, scale in enumerate(converted.scales):
        area = network.area(index)
        other = area.context is not None or isinstance(area, TwoContexts)
        if other or area.W_pred.shape != (len(area.weight),) * 2:
            return None
        retro = None if area.W_retro is None else area.W_retro.detach().double().numpy()
        areas.append(AreaLearning(area.W_pred.detach().double().numpy(), retro, scale))
    steps = max(1, round(config.window / config.dt))
    retro_rule = method_of(config).retro
    return Learning(tuple(areas), retro_rule, config.rule, config.learning_rate, steps)


def _source_of_images(folder: Path, conversion: Conversion, samples: int) -> Source:
    config = read_config(folder)
    dataset = images_of(config, "export")
    require_rectified(config, "export")
    encoder = load_encoder(config, folder, torch.device("cpu"))
    view = standard_views(encoder.architecture.image, grey=not config.color).centre
    split = dataset.unlabeled
    images = view(split.read(torch.arange(min(IMAGES, len(split)))))
    patches = encoder.patches(images).permute(0, 3, 1, 2).double().numpy()
    patches = patches[:: max(1, len(patches) // PATCHES)]
    layers = layers_of_encoder(encoder)
    metadata = {"origin": f"run {folder.name}", "data": dataset.name, "method": config.method}
    converted = convert(layers, patches, conversion, name="encoder", metadata=metadata)
    origin = (
        f"run {folder.name}: patches of {dataset.name}, {config.method}, width {config.width:g}"
    )
    return Source(origin, converted, layers, patches[:samples], None, None, None, config.seed)
