"""The report of an export: what is where, what it uses, what fits, what it computes and costs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from clapp_snn.commands.export_compare import Agreement
from clapp_snn.commands.export_source import Source
from clapp_snn.export.canonical import Network
from clapp_snn.export.metrics import Workload, energy_of
from clapp_snn.export.page import Page, Section, Table
from clapp_snn.export.target import Limit, Placement, Target, exceeded


@dataclass
class Findings:
    """Everything that the report says.

    Attributes:
        accuracy: rows of what is read out, steps, and accuracies of the layers in percent.
        unsupported: what files cannot say.
        left_out: files that were not written, and why.
        files: name and meaning.
    """

    source: Source
    network: Network
    steps: int
    samples: int
    agreements: list[Agreement] = field(default_factory=list)
    workload: list[Workload] = field(default_factory=list)
    accuracy: list[tuple[str, str, list[float]]] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)
    chip: Target | None = None
    limits: list[Limit] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)
    memory: int | None = None


def page_of(found: Findings) -> Page:
    """The report as a page."""
    chip = found.chip.title if found.chip else "NIR"
    sections = [_summary(found), _network(found)]
    if found.chip:
        sections.append(_limits(found.limits))
        if found.placements:
            rows = [(each.part, each.where) for each in found.placements]
            sections.append(Section("What is where", [Table(("part", "place"), rows)]))
    if found.agreements:
        sections.append(_agreement(found))
    if found.accuracy:
        sections.append(_accuracy(found.accuracy))
    if found.workload:
        sections.append(_cost(found))
    if found.unsupported:
        text = "; ".join(found.unsupported)
        sections.append(
            Section("What the files cannot say", [f"Recorded in their metadata: {text}."])
        )
    if found.left_out:
        sections.append(Section("What was left out", list(found.left_out)))
    if found.files:
        sections.append(Section("Files", [Table(("file", "content"), found.files)]))
    return Page(f"{found.network.name} on {chip}", sections)


def _summary(found: Findings) -> Section:
    parts: list[str | Table] = [f"Weights: {found.source.origin}."]
    over = exceeded(found.limits)
    if found.chip:
        verdict = "fits" if not over else "does not fit"
        parts.append(f"The network {verdict} on {found.chip.title}.")
    parts += [
        f"{each.name}: {_number(each.used)} of "
        f"{f'{_number(each.available)} {each.unit}'.rstrip()}. {each.advice}"
        for each in over
    ]
    if any(layer.pool for layer in found.source.layers):
        parts.append(
            "Max-pooling became averaging over groups, as --pool sum asks: behind it, the network computes "
            "something else than what was trained."
        )
    if found.source.looks is None:
        parts.append("Accuracy was not measured: probes of runs on images take hours in spikes.")
    how = found.source.converted.conversion
    parts.append(
        f"Input activity x is x / {found.source.converted.input_scale:.4g} spikes a step "
        f"({how.code} rate code); "
        f"samples last {found.steps} steps of {found.network.dt:g} ms. Reset is to zero."
    )
    return Section("Summary", parts)


def _network(found: Findings) -> Section:
    rows = [
        (
            index,
            " + ".join(type(each).__name__ for each in (*stage.before, stage.synapse)),
            " x ".join(map(str, stage.neurons.shape)),
            f"{stage.neurons.beta:.6g}",
            f"{stage.neurons.threshold:.6g}",
            "yes" if stage.neurons.recurrent else "no",
            f"{scale:.4g}",
        )
        for index, (stage, scale) in enumerate(
            zip(found.network.stages, found.source.converted.scales, strict=True)
        )
    ]
    header = (
        "stage",
        "synapses",
        "neurons",
        "beta",
        "threshold",
        "recurrent",
        "z per spike a step",
    )
    return Section("Network", [Table(header, rows)])


def _limits(limits: Sequence[Limit]) -> Section:
    rows = [
        (
            each.name,
            f"{_number(each.used)} {each.unit}".strip(),
            "not limited" if math.isinf(each.available) else _number(each.available),
            "" if math.isnan(each.utilisation) else f"{100 * each.utilisation:.1f} %",
            "yes" if each.fits else "no",
            "" if each.fits else each.advice,
        )
        for each in limits
    ]
    return Section(
        "Limits",
        [Table(("limit", "used", "available", "utilisation", "fits", "what would help"), rows)],
    )


def _agreement(found: Findings) -> Section:
    rows = [
        (
            each.tool,
            each.layer,
            f"{each.different} of {each.compared}",
            each.spikes,
            "" if math.isnan(each.correlation) else f"{each.correlation:.4f}",
        )
        for each in found.agreements
    ]
    text = (
        f"Beside the float64 judge, on {found.samples} inputs of {found.steps} steps. Simulators run the "
        "file as it is; an integer model has other weights, so its spikes move, and its counts tell."
    )
    header = ("computed by", "layer", "different", "spikes", "correlation of counts")
    return Section("Spikes", [text, Table(header, rows)])


def _accuracy(rows: Sequence[tuple[str, str, list[float]]]) -> Section:
    layers = len(rows[0][2])
    body = [(name, steps, *(f"{each:.1f}" for each in values)) for name, steps, values in rows]
    header = ("features", "steps", *(f"layer {k + 1}, %" for k in range(layers)))
    text = "Linear read-out (logistic regression on training glances), accuracy on glances at test objects."
    return Section("Probe", [text, Table(header, body)])


def _cost(found: Findings) -> Section:
    rows = [
        (
            each.stage,
            each.neurons,
            each.synapses,
            f"{each.spikes:.1f}",
            f"{each.synaptic_operations:.0f}",
            f"{each.dense_operations:.0f}",
            f"{100 * each.activation_sparsity:.1f} %",
            f"{100 * each.connection_sparsity:.1f} %",
            each.footprint,
        )
        for each in found.workload
    ]
    header = (
        "stage", "neurons", "synapses", "spikes", "synaptic operations", "dense operations",
        "activation sparsity", "connection sparsity", "footprint, bytes",
    )  # fmt: skip
    parts: list[str | Table] = [
        f"Means for one input of {found.steps} steps of the float network; definitions as in NeuroBench "
        "(Yik et al., arXiv:2304.04640). The footprint is that of single precision.",
        Table(header, rows),
    ]
    if found.memory is not None:
        parts.append(f"Weights, biases and state on the chip: {found.memory} bytes.")
    energy = found.chip.energy if found.chip else None
    if energy:
        parts.append(
            f"Energy estimate: {energy_of(found.workload, energy):.1f} nJ for one input, from operations "
            f"times published energies. {energy.source}. Routing, input and idle power are not counted: an "
            "estimate, not a measurement."
        )
    elif found.chip:
        parts.append(
            "No energy of single operations is published for this chip that we could cite."
        )
    return Section("Cost", parts)


def _number(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) and value == round(value) else f"{value:.4g}"
