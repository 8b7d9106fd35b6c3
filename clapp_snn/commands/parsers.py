"""The parser of every sub-command: options come from the typed records of each command."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser

from clapp_snn.commands.export_options import ExportOptions
from clapp_snn.commands.options import FigureOptions, ProbeOptions
from clapp_snn.commands.usage import Parser
from clapp_snn.evaluation.finetune import FinetuneSettings
from clapp_snn.files import read_text
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.stream_config import StreamConfig


class OptionsFile(ActionConfigFile):
    """A YAML file of options; one that holds none, or no options at all, is refused in one line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        cfg: Any,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Take over the options of the file `values`."""
        file = Path(values)
        if file.is_file():
            try:
                found = yaml.safe_load(read_text(file))
                what = "no options" if found is None else "no mapping of options"
            except yaml.YAMLError:
                found = {}  # the parser says where it is damaged
            except ValueError:
                found, what = None, "no text (UTF-8)"
            if not isinstance(found, Mapping):
                text = f"{file} holds {what}; write lines such as 'seed: 1', or leave out --config."
                parser.exit(2, f"{parser.prog.replace('[options] ', '')}: {text}\n")
        super().__call__(parser, cfg, values, option_string)


LEARN = "Learn from images, speech or clips; everything goes into the run's folder."


def train_parser(description: str = LEARN) -> ArgumentParser:
    """The options of `clapp-snn train`, also for a script that does its job."""
    parser = Parser(description=description)
    parser.add_argument("--config", action=OptionsFile, help="YAML file of options")
    parser.add_class_arguments(TrainConfig)
    parser.add_argument(
        "--download", action="store_true", help="fetch STL-10 or LibriSpeech if it is not there"
    )
    parser.add_argument("--resume", action="store_true", help="continue the run in its folder")
    parser.add_argument("--quiet", action="store_true", help="no progress display")
    return parser


def _stream_parser() -> ArgumentParser:
    parser = Parser(description="Learn from fixations and saccades, then read out every area.")
    parser.add_argument("--config", action=OptionsFile, help="YAML file of options")
    parser.add_class_arguments(StreamConfig)
    parser.add_argument("--resume", action="store_true", help="continue the run in its folder")
    parser.add_argument("--quiet", action="store_true", help="no progress display")
    return parser


def _run_parser(description: str, *records: type) -> ArgumentParser:
    parser = Parser(description=description)
    parser.add_argument("run", type=str, help="folder of a run")
    for record in records:
        parser.add_class_arguments(record)
    return parser


def _finetune_parser() -> ArgumentParser:
    parser = _run_parser(
        "Learned weights as the start of supervised training, against a fresh start.",
        FinetuneSettings,
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", type=Literal["auto", "cpu", "cuda"], default="auto")
    return parser


def _info_parser() -> ArgumentParser:
    parser = Parser(description="Methods, network, machine, data or a run, in plain text.")
    parser.add_argument(
        "topic",
        type=str,
        nargs="?",
        default="machine",
        help="methods, network, machine, a run folder, or what --data takes",
    )
    parser.add_argument("--width", type=float, default=1.0, help="for `info network`")
    return parser


def _demo_parser() -> ArgumentParser:
    parser = Parser(description="The main job on embedded photographs, in a few minutes.")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder of the run")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--force", action="store_true", help="replace an earlier demo")
    return parser


def _compare_parser() -> ArgumentParser:
    parser = Parser(description="Probes of several runs in one table and one figure.")
    parser.add_argument("runs", type=Path, nargs="+", help="folders of probed runs on one data set")
    parser.add_argument("--out", type=Path, default=Path("runs/compare"), help="where to write")
    return parser


def _reproduce_parser() -> ArgumentParser:
    parser = Parser(description="A published protocol: measured against expected numbers.")
    parser.add_argument(
        "protocol",
        type=str,
        help="bac, critical-frequency, multiplexing, payeur, aceituno, urbanczik-senn, "
        "score-calibration or surprise-gate",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/reproduce"), help="for figure and CSV"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dt", type=float | None, default=None, help="time step, ms")
    return parser


def _alignment_parser() -> ArgumentParser:
    parser = _run_parser("Cosine between the updates of a local rule and back-propagation.")
    parser.add_argument("--batches", type=int, default=8, help="training batches to sum over")
    parser.add_argument("--device", type=Literal["auto", "cpu", "cuda"], default="auto")
    return parser


def _export_parser() -> ArgumentParser:
    parser = _run_parser("A trained network as files for simulators and chips.")
    parser.add_class_arguments(ExportOptions, skip={"learning"})
    parser.add_argument(
        "--learning", action="store_true", help="also what the chip needs to go on learning"
    )
    return parser


def _verify_parser() -> ArgumentParser:
    parser = Parser(description="Compare an exported file with what it computed, in all tools.")
    parser.add_argument("file", type=str, help=".nir file, or folder of an export")
    parser.add_argument(
        "--step", type=float | None, default=None, help="time step in s of a file that names none"
    )
    return parser


def build_parser() -> ArgumentParser:
    """The parser of all sub-commands."""
    parser = Parser(
        prog="clapp-snn",
        description="CLAPP: contrastive, local and predictive plasticity (Illing et al., NeurIPS 2021).",
    )
    commands = parser.add_subcommands(required=True, dest="command")
    commands.add_subcommand(
        "demo", _demo_parser(), help="train, probe, draw, report: embedded data"
    )
    commands.add_subcommand("train", train_parser(), help="train a network")
    commands.add_subcommand("stream", _stream_parser(), help="learn from fixations and saccades")
    commands.add_subcommand(
        "probe",
        _run_parser("Read out every layer, beside random init and the raw stimulus.", ProbeOptions),
        help="read out every layer of a run",
    )
    commands.add_subcommand("finetune", _finetune_parser(), help="supervised training from a run")
    commands.add_subcommand(
        "alignment", _alignment_parser(), help="updates of a run against back-propagation"
    )
    commands.add_subcommand(
        "figures", _run_parser("Draw every figure of a run.", FigureOptions), help="draw a run"
    )
    commands.add_subcommand(
        "report", _run_parser("Write report.html."), help="one self-contained HTML page of a run"
    )
    commands.add_subcommand("compare", _compare_parser(), help="several runs side by side")
    commands.add_subcommand(
        "reproduce", _reproduce_parser(), help="run a published protocol and compare"
    )
    commands.add_subcommand(
        "export",
        _export_parser(),
        help="write a run for NIR or a chip",
    )
    commands.add_subcommand("verify", _verify_parser(), help="compare an export again")
    commands.add_subcommand("info", _info_parser(), help="methods, network, machine, data, a run")
    return parser
