"""`clapp-snn export`: a trained network as files for simulators and chips, compared, counted and reported."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from clapp_snn.commands.export_compare import compare_model, compare_simulators, with_silence
from clapp_snn.commands.export_files import (
    CHIP_SAMPLES,
    CIRCUIT,
    GRAPH,
    LARGEST_SAMPLES,
    LEGACY_GRAPH,
    SAMPLES,
    Samples,
    whole_folder,
    write_manifest,
    write_samples,
)
from clapp_snn.commands.export_options import ExportOptions
from clapp_snn.commands.export_report import Findings, page_of
from clapp_snn.commands.export_source import Source, open_source
from clapp_snn.commands.spike_probe import current_accuracy, rate_accuracy, spike_accuracy
from clapp_snn.export.canonical import Network
from clapp_snn.export.canonical_layers import Dense
from clapp_snn.export.interpreter import Spikes
from clapp_snn.export.interpreter import run as judge
from clapp_snn.export.metrics import workload
from clapp_snn.export.nir_circuit import UNSUPPORTED, circuit_graph, prediction_sizes
from clapp_snn.export.nir_encoder import encoder_graph
from clapp_snn.export.nir_file import write_graph
from clapp_snn.export.nir_import import network_of
from clapp_snn.export.page import html, markdown
from clapp_snn.export.target import exceeded
from clapp_snn.export.targets import target as chip_of
from clapp_snn.files import write_text

REPORTS = ("report.md", "report.html")


class ExportResult(NamedTuple):
    """Where an export is, whether it fits on the chip, and its report in Markdown."""

    folder: Path
    fits: bool
    report: str


def export(run: str | Path, options: ExportOptions) -> ExportResult:
    """Export a run; see `export_source` for what may be one.

    A network that does not fit leaves a report and no files for the chip.

    Raises ValueError for networks and options that cannot be exported, FileNotFoundError for a folder that is
    no run, FileExistsError for an output folder with something else in it. Nothing is left behind then.
    """
    source = open_source(run, options.conversion, options.samples)
    return export_source(source, options, options.out or _default_folder(run, options))


def export_source(source: Source, options: ExportOptions, out: Path) -> ExportResult:
    """Export what was opened; raises as `export` does."""
    chip = None if options.target == "nir" else chip_of(options.target)
    if options.learning:
        _require_learning(source, options, chip is not None and chip.learns)
    record = source.learning.record() if source.learning else {}
    graph = encoder_graph(source.converted.network, record)
    network = network_of(graph)
    size = options.steps * source.samples.size
    if size > LARGEST_SAMPLES:
        raise ValueError(
            f"{len(source.samples)} samples of {options.steps} steps are {size} numbers, more than "
            f"{LARGEST_SAMPLES}: use fewer --steps or --samples."
        )
    inputs = source.converted.spikes(source.samples, options.steps)
    spikes = judge(network, inputs)
    found = Findings(source, network, options.steps, len(source.samples), chip=chip)
    found.workload = workload(network, inputs, spikes)
    if chip:
        found.limits = chip.check(network)
    fits = not exceeded(found.limits)
    with whole_folder(out) as folder:
        files = _write_nir(folder, source, graph, spikes, found, options.learning)
        write_samples(folder / SAMPLES, Samples(inputs, spikes))
        found.files.append((SAMPLES, "sample input and the judge's spikes, for clapp-snn verify"))
        found.agreements = compare_simulators(network, graph, inputs, spikes)
        if chip and fits:
            model = chip.quantise(network, inputs)
            found.placements, found.memory = chip.place(network), model.memory_bytes
            longer = with_silence(inputs, model.delay * len(spikes))
            given = model.run(longer)
            found.agreements += compare_model(chip.title, model, given, spikes)
            write_samples(folder / CHIP_SAMPLES, Samples(longer, given))
            found.files.append((CHIP_SAMPLES, "the same with the spikes of the integer model"))
            files.append(folder / CHIP_SAMPLES)
            (folder / chip.name).mkdir()
            learning = source.learning if options.learning else None
            written = chip.write(folder / chip.name, network, learning, inputs)
            found.files += [(str(path.relative_to(folder)), chip.title) for path in written]
            files += written
            if options.probe:
                _probe(found, network, options.steps, ("integer model", model.run, model.delay))
        elif options.probe and fits:
            _probe(found, network, options.steps, None)
        page = page_of(found)
        text = markdown(page)
        write_text(folder / REPORTS[0], text)
        write_text(folder / REPORTS[1], html(page))
        files += [folder / SAMPLES, *(folder / name for name in REPORTS)]
        manifest = {
            "target": options.target,
            "fits": fits,
            "steps": options.steps,
            "origin": source.origin,
        }
        write_manifest(folder, manifest, files)
    return ExportResult(out, fits, text)


def _default_folder(run: str | Path, options: ExportOptions) -> Path:
    """In the folder of the run, or beside the runs for a network of this package."""
    home = Path(run) if Path(run).is_dir() else Path("runs") / str(run)
    return home / f"export-{options.target}"


def _require_learning(source: Source, options: ExportOptions, able: bool) -> None:
    if source.learning is None:
        raise ValueError(
            "Runs on images learn from pairs of patches, and areas with feedback from others by a rule that "
            "no chip has here; export without --learning."
        )
    if options.target != "nir" and not able:
        raise ValueError(
            f"{options.target} cannot learn with this rule; export without --learning."
        )


def _write_nir(
    folder: Path,
    source: Source,
    graph: Any,
    spikes: list[Spikes],
    found: Findings,
    learning: bool,
) -> list[Path]:
    """The network, and the circuit where it is dense; a silent area stops only a network that must learn."""
    files = [
        write_graph(folder / GRAPH, graph),
        write_graph(folder / LEGACY_GRAPH, graph, legacy=True),
    ]
    found.files += [
        (GRAPH, "NIR 1.0.8, the network"),
        (LEGACY_GRAPH, "the same for NIR 1.0.4 (sinabs 3.1)"),
    ]
    dense = all(isinstance(stage.synapse, Dense) for stage in found.network.stages)
    if source.learning is not None and dense:
        try:
            sizes = prediction_sizes(source.learning, spikes)
        except ValueError as error:
            if learning:
                raise
            found.left_out = [f"{CIRCUIT}: {error}"]
            return files
        circuit = circuit_graph(found.network, source.learning, sizes)
        files.append(write_graph(folder / CIRCUIT, circuit))
        found.files.append((CIRCUIT, "NIR 1.0.8, the circuit with dendrites, score and gate"))
        found.unsupported = list(UNSUPPORTED)
    return files


def _probe(found: Findings, network: Network, steps: int, model: Any) -> None:
    source = found.source
    looks = source.looks
    if looks is None:
        return
    converted = replace(source.converted, network=network)
    if source.spiking:
        counts = current_accuracy(source.converted, looks, steps, source.seed)
        found.accuracy.append(("trained network, input as current", str(steps), counts))
    else:
        rate = rate_accuracy(source.layers, looks, source.seed)
        found.accuracy.append(("rate network", "", rate))

    def add(name: str, run: Any, delay: int) -> None:
        result = spike_accuracy(converted, run, looks, [steps], source.seed, delay)
        found.accuracy.append((name, str(steps), result[steps]))

    add("spikes in, float weights", lambda spikes: judge(network, spikes, "float32"), 0)
    if model is not None:
        add(*model)
