"""The training loop: progress, metrics, checkpoints, exact resume, clean stop."""

import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from clapp_snn.circuit.network import SaccadeStream
from clapp_snn.files import write_text
from clapp_snn.functional.engine import Engine
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.run_files import CHECKPOINTS, CONFIG, DATA, METRICS
from clapp_snn.training.adam_state import flatten_adam, restore_adam
from clapp_snn.training.batches import Plan, smaller_groups
from clapp_snn.training.begun import build_as_begun, other_threads, require_same_start
from clapp_snn.training.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from clapp_snn.training.config import TrainConfig, read_config, require_same, write_config
from clapp_snn.training.critical_periods import choose_learner
from clapp_snn.training.distributed import World
from clapp_snn.training.environment import describe_environment, record_environment
from clapp_snn.training.interrupt import StopFlag, stop_on_signal
from clapp_snn.training.learner import (
    AreaReport,
    average_reports,
    optimizer_names,
)
from clapp_snn.training.logbook import Logbook
from clapp_snn.training.modality import Stimuli, Trainable
from clapp_snn.training.progress import TrainingProgress
from clapp_snn.training.run_folder import require_run_folder
from clapp_snn.training.score_histogram import ScoreHistogram

DIVERGED = 1e6
SHARED = {"contrast": "negatives", "goodness": "negatives", "predict": "statistics"}


@dataclass(frozen=True)
class TrainResult:
    """Where a run stands: its folder, steps done, steps asked for, whether a signal stopped it, and whether
    this process is the one that writes."""

    folder: Path
    step: int
    total: int
    interrupted: bool
    is_main: bool


def total_steps(config: TrainConfig, plan: Plan, published_epochs: int) -> int:
    """Number of steps that epochs or steps of the configuration amount to."""
    if config.steps is not None:
        return config.steps
    epochs = published_epochs if config.epochs is None else config.epochs
    return epochs * plan.steps_per_epoch


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """Learning rate of the step with this index: constant, then falling linearly towards 0 at `total`."""
    falling = config.decay * total
    return config.learning_rate * min(1.0, (total - step) / falling if falling > 0 else 1.0)


def train(
    config: TrainConfig,
    dataset: Stimuli,
    world: World,
    modality: Trainable,
    *,
    resume: bool = False,
    quiet: bool = False,
) -> TrainResult:
    """Train as configured and leave everything in the run's folder.

    `modality` is that of the configuration (`modalities.modality_of`). Of several processes only the first
    reads and writes the folder; what it or another cannot begin with is raised in all of them.

    Raises:
        FileExistsError: the folder holds a run and `resume` is off.
        FileNotFoundError: `resume` is on and there is no run.
        ValueError: the configuration or the data differ from those of the run that is resumed, or the engine
            that began it cannot run here.
        DivergenceError: a loss is not finite; names area and step.
        OSError: a checkpoint could not be written; earlier ones are kept.
    """
    run = _Run(config, dataset, world, modality, resume=resume, quiet=quiet)
    return run.go()


class _Run:
    def __init__(
        self,
        config: TrainConfig,
        dataset: Stimuli,
        world: World,
        modality: Trainable,
        *,
        resume: bool,
        quiet: bool,
    ) -> None:
        self.config, self.dataset, self.world, self.quiet = config, dataset, world, quiet
        self.modality = modality
        self.folder = config.folder()
        found = world.together(lambda: self._open_folder(resume) if world.is_main else None)
        stored = world.broadcast(found)
        world.together(lambda: self._prepare(stored))
        self.engines = world.gather(self.network.engine)
        self.threads = world.gather(torch.get_num_threads())
        self._warn(stored)

    def _prepare(self, stored: Checkpoint | None) -> None:
        config, world, dataset, modality = self.config, self.world, self.dataset, self.modality
        # Checkpoints of earlier versions do not name their engines.
        engines: list[Engine] | None = None
        if stored is not None:
            require_same_start(stored.state, config.data, dataset.fingerprint, world.size)
            engines = stored.state.get("engines")
        unit, begun = modality.unit, None if engines is None else engines[world.rank]
        classes = len(dataset.class_names)
        self.network, sentence = build_as_begun(config, modality, world.device, classes, begun)
        method = self.network.method
        supervised = method.task == "supervised"
        self.split = dataset.train if supervised else dataset.unlabeled
        self.plan = Plan(
            len(self.split),
            config.batch,
            config.samples_in_group,
            world.rank,
            world.size,
            config.seed,
            unit,
        )
        self.total = 0 if method.task == "none" else total_steps(config, self.plan, method.epochs)
        self.learner = choose_learner(config, self.network, world)
        self.histogram = ScoreHistogram(len(method.splits), self.network.grid)
        self.recent: list[Tensor] = []
        self.silent: set[int] = set()
        self.seconds = 0.0
        self.start = 0 if stored is None else self._restore(stored)
        if self.start > self.total:
            raise ValueError(
                f"The run has done {self.start} steps already, more than the {self.total} asked for; give "
                "more steps or epochs."
            )
        self._say(
            f"{method.title} on {dataset.name}: {len(self.split)} {unit}, width {config.width:g}, "
            f"{self.total} steps of {self.plan.global_batch} {unit} on {world.device}, {sentence}"
        )

    def _open_folder(self, resume: bool) -> Checkpoint | None:
        """The checkpoint to go on from, if there is one."""
        alone = self.world.size == 1
        require_run_folder(self.folder, CONFIG, resume=resume, alone=alone)
        if resume:
            require_same(read_config(self.folder), self.config)
        if resume and list_checkpoints(self.folder / CHECKPOINTS):
            return load_checkpoint(self.folder)
        return None

    def _warn(self, stored: Checkpoint | None) -> None:
        """Also in a quiet run: it hides progress, not what its result is worth."""
        config, world = self.config, self.world
        found = []
        if stored is not None and world.device.type == "cpu":
            before = stored.state.get("threads", self.threads)
            found.append(other_threads(before, self.threads))
        if (what := SHARED.get(self.network.method.task)) is not None:
            found.append(smaller_groups(config, world.size, what, self.modality.unit))
        for text in filter(None, found):
            if world.is_main:
                print(f"clapp_snn: {text}", file=sys.stderr, flush=True)

    def _restore(self, checkpoint: Checkpoint) -> int:
        state = checkpoint.state
        self.network.load_state_dict(checkpoint.model)
        restore_adam(self.learner.optimizers, optimizer_names(self.network), checkpoint.optimizer)
        self.recent = [
            torch.tensor([math.nan if v is None else v for v in row], device=self.world.device)
            for row in state["recent"]
        ]
        self.seconds = state["seconds"]
        if "scores" in state:
            self.histogram.load(state["scores"])
        else:
            self._say(
                "The checkpoint is from an earlier version without counts of scores; they begin here."
            )
        return checkpoint.step

    def go(self) -> TrainResult:
        main = self.world.is_main
        if main:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_config(self.folder, self.config)
            described = json.dumps(self.dataset.describe(), indent=2, ensure_ascii=False)
            write_text(self.folder / DATA, described + "\n")
            record_environment(
                self.folder,
                describe_environment(self.config.seed, [Path(sys.argv[0]).name, *sys.argv[1:]]),
            )
        self.world.broadcast_state(self.network.state_dict())
        modules = len(self.network.method.splits)
        unit = self.modality.unit
        columns = ["step", "epoch", unit, "seconds", f"{unit}_per_second"]
        columns += [f"loss_{m + 1}" for m in range(modules)]
        columns += [f"gate_{m + 1}" for m in range(modules)]
        resumed = self.start if (self.folder / METRICS).exists() else None
        with (
            Logbook(self.folder, columns, resume_step=resumed, rank=self.world.rank) as logbook,
            TrainingProgress(
                self.total,
                start=self.start,
                quiet=self.quiet or not main,
                unit=unit,
                gate=self.network.method.gate_name,
            ) as progress,
            stop_on_signal() as stop,
        ):
            return self._learn(logbook, progress, stop)

    def _learn(self, logbook: Logbook, progress: TrainingProgress, stop: StopFlag) -> TrainResult:
        config = self.config
        batches = self.modality.batches(
            config, self.split, self.plan, self.network, self.world.device
        )
        every = config.checkpoint_every or self.plan.steps_per_epoch
        if self.start == 0:
            self._save(0)
        done, began = self.start, time.monotonic()
        for step, stimulus, labels in batches.between(self.start, self.total):
            self.learner.set_learning_rate(learning_rate(config, step, self.total))
            self.learner.begin(step, self.total)
            reports = self.learner.step(stimulus, labels, self._streams(step))
            done = step + 1
            self.recent.append(torch.cat(average_reports(reports, self.world)))
            logging = done % config.log_every == 0 or done == self.total
            if logging or self.world.device.type == "cpu":
                self._require_finite(done)
            if logging:
                self._log(logbook, progress, reports, done, time.monotonic() - began)
            else:
                progress.update(done, self.plan.global_batch)
            stopping = self.world.any(stop.requested)
            if done % every == 0 or done == self.total or stopping:
                self._require_finite(done)
                self._save(done, time.monotonic() - began)
                logbook.sync()
            if stopping:
                break
        interrupted = done < self.total
        if interrupted:
            self._say(f"Stopped at step {done} of {self.total}; continue with --resume.")
        return TrainResult(self.folder, done, self.total, interrupted, self.world.is_main)

    def _streams(self, step: int) -> SaccadeStream:
        def streams(module: int, loss: int) -> list[torch.Generator]:
            return self.plan.streams(step, "saccade", module, loss, device=self.world.device)

        return streams

    def _log(
        self,
        logbook: Logbook,
        progress: TrainingProgress,
        reports: list[AreaReport],
        step: int,
        elapsed: float,
    ) -> None:
        values = torch.stack(self.recent).nanmean(0).tolist()
        self.recent = []
        modules = len(values) // 2
        losses, gates = values[:modules], values[modules:]
        self.histogram.add(reports)
        self._name_silent(reports, step)
        progress.update(step, self.plan.global_batch, losses, gates)
        unit = self.modality.unit
        row: dict[str, float] = {
            "step": step,
            "epoch": step / self.plan.steps_per_epoch,
            unit: step * self.plan.global_batch,
            "seconds": self.seconds + elapsed,
            f"{unit}_per_second": progress.samples_per_second,
        }
        row |= {f"loss_{m + 1}": loss for m, loss in enumerate(losses)}
        row |= {f"gate_{m + 1}": gate for m, gate in enumerate(gates)}
        logbook.write(row)

    def _name_silent(self, reports: list[AreaReport], step: int) -> None:
        """Say once of every area that its scores have become 0, which no gamma can change."""
        found = [
            str(module + 1)
            for module, report in enumerate(reports)
            if module not in self.silent
            and report.scores
            and not any(bool(score.any()) for score in report.scores)
        ]
        self.silent |= {int(module) - 1 for module in found}
        if found:
            areas = "area" if len(found) == 1 else "areas"
            self._say(
                f"Step {step}: all scores of {areas} {', '.join(found)} are 0. Silent neurons learn nothing "
                "more; if this stays so, try a lower --learning_rate."
            )

    def _require_finite(self, step: int) -> None:
        """Look at all losses since the last look; on a GPU this is the only place that waits for it."""
        for back, row in enumerate(reversed(self.recent)):
            losses = row.tolist()
            for module in self.learner.measured(step - back - 1, self.total):
                loss = losses[module]
                if not math.isfinite(loss) or loss > DIVERGED:
                    raise DivergenceError(
                        f"Area {module + 1} diverged at step {step - back}: its loss is {loss:g}. The last "
                        f"checkpoint in {self.folder} may be too late already; start again with a lower "
                        "--learning_rate."
                    )
            if self.world.device.type == "cpu":
                return

    def _save(self, step: int, elapsed: float = 0.0) -> None:
        for name, values in self.network.state_dict().items():
            if values.is_floating_point() and not bool(torch.isfinite(values).all()):
                raise DivergenceError(
                    f"{name} diverged at step {step}: it holds NaN or infinity, and is not saved. Start "
                    "again with a lower --learning_rate."
                )
        if not self.world.is_main:
            return
        save_checkpoint(
            self.folder / CHECKPOINTS,
            step,
            self.network.state_dict(),
            flatten_adam(self.learner.optimizers, optimizer_names(self.network)),
            {
                "data": self.dataset.fingerprint,
                "processes": self.world.size,
                "engines": self.engines,
                "threads": self.threads,
                "recent": [
                    [None if math.isnan(v) else v for v in row.tolist()] for row in self.recent
                ],
                "seconds": self.seconds + elapsed,
                "epoch": step / self.plan.steps_per_epoch,
                "scores": self.histogram.state(),
            },
            keep=self.config.keep,
            milestones=self.config.milestones,
        )
        if step > 0 and self.network.method.task == "contrast":
            self.histogram.write(self.folder)

    def _say(self, text: str) -> None:
        if self.world.is_main and not self.quiet:
            print(text, flush=True)
