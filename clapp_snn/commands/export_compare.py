"""Spikes of one network in several tools, counted against the judge."""

from collections.abc import Sequence
from typing import NamedTuple

import nir
import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import Spikes, run
from clapp_snn.export.simulators import Simulator, simulate
from clapp_snn.export.target import IntegerModel


class Agreement(NamedTuple):
    """One layer of one tool beside the judge.

    Attributes:
        tool: what computed.
        layer: from 1.
        compared: neurons times steps times samples.
        different: spikes that only one of both has.
        spikes: of the tool.
        correlation: of spike counts over neurons and samples; NaN where one is constant.
    """

    tool: str
    layer: int
    compared: int
    different: int
    spikes: int
    correlation: float


def agreement(tool: str, layer: int, judge: Spikes, other: Spikes) -> Agreement:
    """Compare a layer; raises ValueError for another shape."""
    if judge.shape != other.shape:
        raise ValueError(f"{tool} gives spikes of shape {other.shape}, the judge {judge.shape}.")
    counts = judge.sum(0).ravel(), other.sum(0).ravel()
    constant = any(np.ptp(each) == 0 for each in counts)
    correlation = float("nan") if constant else float(np.corrcoef(*counts)[0, 1])
    different = int((judge != other).sum())
    return Agreement(tool, layer, judge.size, different, int(other.sum()), correlation)


def compare_simulators(
    network: Network,
    graph: nir.NIRGraph,
    inputs: Spikes,
    judge: Sequence[Spikes],
    step: float | None = None,
) -> list[Agreement]:
    """The judge in single precision (all layers), snnTorch and norse (last layer) on the graph.

    `step` is the Euler step in s; None takes the graph's.
    """
    found = [
        agreement("numpy, float32", layer, *pair)
        for layer, pair in enumerate(zip(judge, run(network, inputs, "float32"), strict=True), 1)
    ]
    tools: tuple[tuple[str, Simulator], ...] = (("snnTorch", "snntorch"), ("norse", "norse"))
    for title, name in tools:
        last = simulate(graph, inputs, name, step)
        found.append(agreement(title, len(judge), judge[-1], last))
    return found


def with_silence(inputs: Spikes, steps: int) -> Spikes:
    """Input with as many silent steps behind it, in which late layers answer to its end."""
    return np.concatenate([inputs, np.zeros((steps, *inputs.shape[1:]), inputs.dtype)])


def compare_model(
    title: str, model: IntegerModel, spikes: Sequence[Spikes], judge: Sequence[Spikes]
) -> list[Agreement]:
    """A chip's integer model, every layer as much earlier as it comes late.

    Args:
        title: of the chip.
        model: for its delay.
        spikes: of the model, for the judge's input and silence behind it.
        judge: spikes of the judge.
    """
    found = []
    for index, (wanted, given) in enumerate(zip(judge, spikes, strict=True)):
        first = (index + 1) * model.delay
        found.append(agreement(title, index + 1, wanted, given[first : first + len(wanted)]))
    return found
