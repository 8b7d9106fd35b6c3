"""Learning from a stream: progress, metrics, checkpoints, clean stop, exact resume at any time step."""

import sys
import time
from pathlib import Path
from typing import NamedTuple

import torch

from clapp_snn.circuit.engine_choice import Engine, choose_engine
from clapp_snn.circuit.ports import LIFPort
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.files import require_folder
from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.run_files import CHECKPOINTS, METRICS, STREAM_CONFIG
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.training.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from clapp_snn.training.device import device_of
from clapp_snn.training.environment import describe_environment, record_environment
from clapp_snn.training.interrupt import StopFlag, stop_on_signal
from clapp_snn.training.logbook import Logbook
from clapp_snn.training.progress import TrainingProgress
from clapp_snn.training.run_folder import require_run_folder
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import (
    StreamConfig,
    read_stream_config,
    require_same_stream,
    write_stream_config,
)
from clapp_snn.training.stream_learner import AreaWindow, StreamLearner
from clapp_snn.training.stream_objects import StreamObjects, open_objects
from clapp_snn.training.stream_runner import engine_of
from clapp_snn.training.stream_session import StreamSession


class StreamResult(NamedTuple):
    """Where a run stands: its folder, windows done and asked for, whether a signal stopped it."""

    folder: Path
    windows: int
    total: int
    interrupted: bool


def train_stream(
    config: StreamConfig,
    *,
    resume: bool = False,
    quiet: bool = False,
    objects: StreamObjects | None = None,
) -> StreamResult:
    """Learn as configured and leave everything in the run's folder.

    `objects` are those of `open_objects(config)` where they are open already.

    Raises:
        FileExistsError: the folder holds a run and `resume` is off.
        FileNotFoundError: `resume` is on and there is no run.
        FileNotFoundError, ValueError: data are missing or bad, as `open_objects` says.
        ValueError: the configuration is impossible, or differs from that of the run that is resumed.
        DivergenceError: weights are not finite; names area and window. Checkpoints are from before.
        OSError: the folder cannot be used, or a checkpoint could not be written; earlier ones are kept.
    """
    return _StreamRun(config, objects, resume=resume, quiet=quiet).go()


class _StreamRun:
    def __init__(
        self, config: StreamConfig, objects: StreamObjects | None, *, resume: bool, quiet: bool
    ) -> None:
        self.config, self.quiet, self.folder = config, quiet, config.folder()
        self._open_folder(resume)
        learn = (objects or open_objects(config)).learn
        stream = GlanceStream(learn, range(config.batch), config.seed, config.p_saccade)
        device = device_of(config.device)
        network = build_network(config).to(device)
        learner = StreamLearner(network, config.learning_rate, config.rule)
        stored = None
        if resume and list_checkpoints(self.folder / CHECKPOINTS):
            stored = load_checkpoint(self.folder)
        engine, why = self._engine(network, stored)
        self.engine = f"{why}, on {device.type}"
        self.session = StreamSession(learner, stream, config.seed, config.drawn, engine)
        self.recent: list[list[AreaWindow]] = []
        self.seconds = 0.0
        if stored is not None:
            self._restore(stored)
        if self.session.windows > config.windows:
            raise ValueError(
                f"The run has seen {self.session.windows} windows already, more than the {config.windows} "
                "asked for; give more windows."
            )

    def _open_folder(self, resume: bool) -> None:
        require_run_folder(require_folder(self.folder), STREAM_CONFIG, resume=resume)
        if resume:
            require_same_stream(read_stream_config(self.folder), self.config)

    def _engine(self, network: StreamHierarchy, stored: Checkpoint | None) -> tuple[Engine, str]:
        """Who computes windows, and what to say of it."""
        if self.config.engine != "auto":
            return self.config.engine, "as asked for"
        if stored is not None:
            return engine_of(stored.optimizer), "as the run was begun"
        return choose_engine(network, self.config.drawn)

    def _restore(self, checkpoint: Checkpoint) -> None:
        network, learner = self.session.network, self.session.learner
        network.load_state_dict(checkpoint.model)
        learner.require_finite()
        streams = {k: v for k, v in checkpoint.optimizer.items() if k.startswith("stream.")}
        learner.load({k: v for k, v in checkpoint.optimizer.items() if k not in streams})
        self.session.load(streams, checkpoint.step)
        self.recent = [[AreaWindow(*area) for area in row] for row in checkpoint.state["recent"]]
        self.seconds = checkpoint.state["seconds"]

    def go(self) -> StreamResult:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_stream_config(self.folder, self.config)
        command = [Path(sys.argv[0]).name, *sys.argv[1:]]
        record_environment(self.folder, describe_environment(self.config.seed, command))
        start = self.session.windows
        resumed = start if (self.folder / METRICS).exists() else None
        columns = ["step", "seconds"]
        columns += [
            f"{k}_{m + 1}"
            for k in AreaWindow._fields
            for m in range(len(self.session.network.areas))
        ]
        total = self.config.windows
        with (
            Logbook(self.folder, columns, resume_step=resumed) as logbook,
            TrainingProgress(total, start=start, quiet=self.quiet, unit="glances") as progress,
            stop_on_signal() as stop,
        ):
            progress.message(f"Engine: {self.session.runner.engine} ({self.engine}).")
            port = self.session.network.area(0).port
            if isinstance(port, LIFPort) and (least := port.least_activity()) > 0:
                progress.message(
                    f"Units whose activity is below {least:.2f} fire nothing with the calibrated soma; "
                    "--soma linear has no such floor."
                )
            return self._learn(logbook, progress, stop)

    def _learn(self, logbook: Logbook, progress: TrainingProgress, stop: StopFlag) -> StreamResult:
        config, session, began = self.config, self.session, time.monotonic()
        while session.windows < config.windows and not stop.requested:
            try:
                seen = session.advance()
            except DivergenceError as error:
                raise DivergenceError(f"Window {session.windows + 1}: {error}") from error
            if seen is None:
                continue
            self.recent.append(seen)
            done = session.windows
            if done % config.log_every == 0 or done == config.windows:
                self._log(logbook, progress, time.monotonic() - began)
            if done % config.checkpoint_every == 0 and done < config.windows:
                self._save(logbook, time.monotonic() - began)
        self._save(logbook, time.monotonic() - began)
        interrupted = session.windows < config.windows
        if interrupted:
            step = session.runner.elapsed
            progress.message(
                f"Stopped after {session.windows} of {config.windows} windows and {step} time steps; "
                "continue with --resume."
            )
        return StreamResult(self.folder, session.windows, config.windows, interrupted)

    def _log(self, logbook: Logbook, progress: TrainingProgress, elapsed: float) -> None:
        losses, gates, activity = torch.tensor(self.recent).mean(0).T.tolist()
        glances = len(self.recent) * self.config.batch
        self.recent = []
        progress.update(self.session.windows, glances, losses, gates)
        row: dict[str, float] = {"step": self.session.windows, "seconds": self.seconds + elapsed}
        for name, values in zip(AreaWindow._fields, (losses, gates, activity), strict=True):
            row |= {f"{name}_{index + 1}": value for index, value in enumerate(values)}
        logbook.write(row)

    def _save(self, logbook: Logbook, elapsed: float) -> None:
        logbook.sync()
        session = self.session
        save_checkpoint(
            self.folder / CHECKPOINTS,
            session.windows,
            session.network.state_dict(),
            session.learner.state() | session.tensors(),
            {"recent": self.recent, "seconds": self.seconds + elapsed},
            keep=self.config.keep,
            milestones=self.config.milestones,
        )
