"""`clapp-snn verify`: does an exported file still compute the spikes that it did, everywhere?"""

import math
from pathlib import Path

import nir
import numpy as np
import torch

from clapp_snn.commands.export_compare import Agreement, agreement, compare_simulators
from clapp_snn.commands.export_files import (
    CHIP_SAMPLES,
    GRAPH,
    LARGEST_SAMPLES,
    MANIFEST,
    SAMPLES,
    checksum,
    read_manifest,
    read_samples,
)
from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import Spikes, run
from clapp_snn.export.nir_file import read_graph
from clapp_snn.export.nir_import import network_of
from clapp_snn.export.nir_interpreter import run_graph
from clapp_snn.export.targets import target
from clapp_snn.randomness import generator

STEPS, SAMPLE_COUNT, CHANCE = 100, 4, 0.3
"""Of the random input of a file that comes alone: steps, samples, spikes a step."""


class Differs(Exception):
    """An export that does not compute what it did; says where."""


def verify(path: str | Path, step: float | None = None) -> list[Agreement]:
    """Run a NIR file, or a whole export, in every tool that is here, and compare.

    Args:
        path: a `.nir` file, the folder of an export, or its `export.json`. A file in the folder of an export
            is verified with the samples of that export, any other on random input.
        step: Euler step in s of a file that does not say its own (metadata `dt`).

    Raises Differs if any tool gives other spikes than the judge, the judge or an integer model others than
    when it was exported, or a file has changed since; FileNotFoundError and ValueError for files that cannot
    be read, and for a step that is missing or not the file's.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    folder = path if path.is_dir() else path.parent
    if (
        path.is_dir()
        or path.name == MANIFEST
        or (path.name == GRAPH and (folder / MANIFEST).is_file())
    ):
        return _export(folder, step)
    graph = read_graph(path)
    network = network_of(graph, step)
    inputs = _random_input(network)
    found = _simulators(network, graph, inputs, run(network, inputs), step)
    _require_equal(found)
    return found


def table(found: list[Agreement]) -> str:
    """Lines of text."""
    lines = [f"{'computed by':34s} layer   different of compared   spikes"]
    lines += [
        f"{each.tool:34s} {each.layer:5d} {each.different:11d} of {each.compared:8d} {each.spikes:8d}"
        for each in found
    ]
    return "\n".join(lines)


def _export(folder: Path, step: float | None) -> list[Agreement]:
    manifest = read_manifest(folder)
    for name, recorded in manifest["files"].items():
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise ValueError(f"{folder / MANIFEST} names a file outside its folder: {name}.")
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} lacks {name}, which was exported.")
        if checksum(folder / name) != recorded:
            raise Differs(f"{folder / name} has changed since it was exported.")
    graph = read_graph(folder / GRAPH)
    network = network_of(graph, step)
    samples = read_samples(folder / SAMPLES)
    judge = run(network, samples.inputs)
    found = _layers("judge, when exported", samples.layers, judge)
    found += _simulators(network, graph, samples.inputs, judge)
    if (folder / CHIP_SAMPLES).is_file():
        chip = target(manifest["target"])
        stored = read_samples(folder / CHIP_SAMPLES)
        steps = len(samples.inputs)
        same = np.array_equal(stored.inputs[:steps], samples.inputs)
        if not same or stored.inputs[steps:].any():
            raise ValueError(f"{folder / CHIP_SAMPLES} is of other input than {SAMPLES}.")
        model = chip.quantise(network, stored.inputs)
        found += _layers(f"{chip.title}, when exported", stored.layers, model.run(stored.inputs))
    _require_equal(found)
    return found


def _simulators(
    network: Network,
    graph: nir.NIRGraph,
    inputs: Spikes,
    judge: list[Spikes],
    step: float | None = None,
) -> list[Agreement]:
    output = run_graph(graph, inputs, step)["output"] > 0
    last = agreement("Euler steps of the file", len(judge), judge[-1], output)
    return [last, *compare_simulators(network, graph, inputs, judge, step)]


def _layers(tool: str, before: list[Spikes], now: list[Spikes]) -> list[Agreement]:
    if len(before) != len(now):
        raise ValueError(f"The samples have {len(before)} layers, the network has {len(now)}.")
    return [
        agreement(tool, index + 1, given, np.asarray(wanted, bool))
        for index, (wanted, given) in enumerate(zip(before, now, strict=True))
    ]


def _shapes(network: Network) -> list[tuple[int, ...]]:
    """Of all that is held in memory for every step."""
    return [network.input_shape, *(layer.output_shape for layer in network.layers)]


def _random_input(network: Network) -> Spikes:
    largest = max(math.prod(shape) for shape in _shapes(network))
    if STEPS * SAMPLE_COUNT * largest > LARGEST_SAMPLES:
        raise ValueError(
            f"A layer of {largest} neurons is too large for {STEPS} steps of {SAMPLE_COUNT} samples here."
        )
    shape = (STEPS, SAMPLE_COUNT, *network.input_shape)
    draws = torch.rand(shape, generator=generator(0, "verify", "input"))
    return draws.numpy() < CHANCE


def _require_equal(found: list[Agreement]) -> None:
    wrong = [each for each in found if each.different]
    if wrong:
        worst = max(wrong, key=lambda each: each.different)
        raise Differs(
            f"{worst.different} of {worst.compared} spikes of layer {worst.layer} differ ({worst.tool}).\n"
            + table(found)
        )
