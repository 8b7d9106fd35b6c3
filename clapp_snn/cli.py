"""The command line `clapp-snn`: runs a command, and turns expected failures into one line."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from jsonargparse import Namespace

from clapp_snn.commands.export_options import ExportOptions
from clapp_snn.commands.failures import INTERRUPTED, run_plainly
from clapp_snn.commands.options import FigureOptions, ProbeOptions
from clapp_snn.commands.parsers import build_parser
from clapp_snn.evaluation.finetune import FinetuneSettings
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.stream_config import StreamConfig, is_stream_run


def _pick(record: type, options: Namespace) -> Any:
    return record(**{field.name: options[field.name] for field in fields(record)})


def _train(options: Namespace) -> int:
    from clapp_snn.commands.train import train

    result = train(
        _pick(TrainConfig, options),
        download=options.download,
        resume=options.resume,
        quiet=options.quiet,
    )
    if result.is_main:
        print(f"{result.folder}: step {result.step} of {result.total}")
    return INTERRUPTED if result.interrupted else 0


def _stream(options: Namespace) -> int:
    from clapp_snn.commands.stream import stream

    result = stream(_pick(StreamConfig, options), resume=options.resume, quiet=options.quiet)
    print(f"{result.folder}: window {result.windows} of {result.total}")
    return INTERRUPTED if result.interrupted else 0


def _probe(options: Namespace) -> int:
    if is_stream_run(options.run):
        from clapp_snn.commands.stream import probe_again

        probe_again(options.run, _pick(ProbeOptions, options))
        return 0
    from clapp_snn.commands.probe import probe

    probe(options.run, _pick(ProbeOptions, options))
    return 0


def _alignment(options: Namespace) -> int:
    from clapp_snn.commands.alignment import alignment

    for path in alignment(options.run, options.batches, options.device):
        print(path)
    return 0


def _finetune(options: Namespace) -> int:
    from clapp_snn.commands.finetune import finetune

    finetune(options.run, _pick(FinetuneSettings, options), options.seed, options.device)
    return 0


def _figures(options: Namespace) -> int:
    if is_stream_run(options.run):
        from clapp_snn.commands.stream_figures import draw_stream_figures as draw
    else:
        from clapp_snn.commands.figures import draw_figures as draw

    for path in draw(options.run, _pick(FigureOptions, options)):
        print(path)
    return 0


def _report(options: Namespace) -> int:
    if is_stream_run(options.run):
        from clapp_snn.report.stream_html import write_stream_report as write
    else:
        from clapp_snn.report.html import write_report as write

    print(write(options.run))
    return 0


def _compare(options: Namespace) -> int:
    from clapp_snn.commands.compare import compare

    for path in compare(options.runs, options.out):
        print(path)
    return 0


def _reproduce(options: Namespace) -> int:
    from clapp_snn.commands.reproduce import reproduce

    reproduce(options.protocol, options.out, options.seed, options.dt)
    return 0


def _export(options: Namespace) -> int:
    from clapp_snn.commands.export import export

    result = export(options.run, _pick(ExportOptions, options))
    print(result.report)
    if not result.fits:
        print(
            f"clapp-snn export: the network does not fit on {options.target}; {result.folder} has the report",
            file=sys.stderr,
        )
    return 0 if result.fits else 1


def _verify(options: Namespace) -> int:
    from clapp_snn.commands.verify import Differs, table, verify

    try:
        print(table(verify(options.file, options.step)))
    except Differs as error:
        print(f"clapp-snn verify: {error}", file=sys.stderr)
        return 1
    return 0


def _info(options: Namespace) -> int:
    from clapp_snn.commands.info import info

    print(info(options.topic, options.width))
    return 0


def _demo(options: Namespace) -> int:
    from clapp_snn.commands.demo import demo

    return demo(options.out, options.steps, options.seed, force=options.force)


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "demo": _demo,
    "train": _train,
    "stream": _stream,
    "probe": _probe,
    "finetune": _finetune,
    "alignment": _alignment,
    "figures": _figures,
    "report": _report,
    "compare": _compare,
    "reproduce": _reproduce,
    "export": _export,
    "verify": _verify,
    "info": _info,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; an expected failure is one line on stderr and exit status 1."""
    options = build_parser().parse_args(None if arguments is None else list(arguments))
    command = options.command
    return run_plainly(f"clapp-snn {command}", lambda: COMMANDS[command](options[command]))


if __name__ == "__main__":
    sys.exit(main())
