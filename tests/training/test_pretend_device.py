"""Runs on a device of their own: nothing is left on the CPU that a GPU would miss, and no number changes.

Images alone: speech has cells (GRU) with kernels of their own on a GPU, which the CPU lacks.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from clapp_snn.cli import main
from clapp_snn.methods import TABLES, get_method
from clapp_snn.training import distributed
from clapp_snn.training.batches import Plan
from clapp_snn.training.build import build_network
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.critical_periods import choose_learner
from clapp_snn.training.device import device_of
from clapp_snn.training.distributed import World
from tests.small_data import write_images

try:
    from tests import pretend_device
except ImportError as error:  # the interface for devices in Python is experimental
    pytest.skip(f"this PyTorch cannot pretend a device: {error}", allow_module_level=True)

CPU = torch.device("cpu")
LEARNING = [name for name in TABLES["images"] if get_method(name).task != "none"]


def test_devices_do_not_mix() -> None:
    with pretend_device.pretend() as device:
        x = torch.ones(2, 2, device=device)
        with pytest.raises(RuntimeError, match=r"meet tensors on the CPU: \(2,\)"):
            x + torch.ones(2)
        with pytest.raises(RuntimeError, match="generator is on cpu"):
            torch.rand(2, generator=torch.Generator(), device=device)
        with pytest.raises(RuntimeError, match="numpy"):
            x.numpy()
        assert (x[0] + torch.tensor(1.0)).tolist() == [2.0, 2.0]
        assert x.cpu().numpy().sum() == 4
        x[0].mul_(3)
        assert torch.equal(x.cpu(), torch.tensor([[3.0, 3.0], [1.0, 1.0]]))


def step(name: str, precision: str, device: torch.device) -> tuple[list[Tensor], list[float]]:
    """All weights after a step, and the losses."""
    method = get_method(name)
    config = TrainConfig(
        method=name, data="photographs", out=Path("none"), width=0.03125, batch=4, steps=1,
        precision=precision, engine="torch", learning_rate=1e-3,
    )  # fmt: skip
    network, _ = build_network(config, device, 3)
    learner = choose_learner(config, network, World(0, 1, device))
    plan = Plan(20, config.batch, config.samples_in_group, 0, 1, config.seed)
    side, count = network.encoder.architecture.image, 8 if method.pairs else 4
    stimulus = torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0]).to(device) if method.task == "supervised" else None
    learner.begin(0, 1)
    reports = learner.step(
        stimulus.to(device), labels,
        lambda module, loss: plan.streams(0, "saccade", module, loss, device=device),
    )  # fmt: skip
    weights = [parameter.detach().cpu() for parameter in network.parameters()]
    return weights, [float(report.loss) for report in reports]


@pytest.mark.parametrize("name", LEARNING)
def test_every_method_learns_there(name: str) -> None:
    competing = get_method(name).task in ("hebbian", "goodness")
    for precision in ("float32",) if competing else ("float32", "bfloat16"):
        weights, losses = step(name, precision, CPU)
        with pretend_device.pretend() as device:
            found, lost = step(name, precision, device)
        assert lost == losses
        assert all(torch.equal(a, b) for a, b in zip(found, weights, strict=True))


def call(options: list[str], *, elsewhere: bool) -> None:
    """A command, on the CPU or on the pretended device."""
    with ExitStack() as stack:
        if elsewhere:
            device = stack.enter_context(pretend_device.pretend())
            for name, module in list(sys.modules.items()):
                if name.startswith("clapp_snn") and getattr(module, "device_of", None) is device_of:
                    stack.enter_context(patch.object(module, "device_of", lambda _: device))
            stack.enter_context(patch.object(distributed, "_device", lambda *_: device))
            pool = "clapp_snn.training.batches.ThreadPoolExecutor"
            stack.enter_context(patch(pool, pretend_device.InTurn))
        assert main(options) == 0


def both(folder: Path, *commands: list[str]) -> tuple[Path, Path]:
    """The folders of two runs, made by the same commands on both devices; "RUN" stands for the folder."""
    runs = folder / "cpu", folder / "elsewhere"
    for run in runs:
        for command in commands:
            options = [str(run) if word == "RUN" else word for word in command]
            call(options, elsewhere=run.name == "elsewhere")
    cpu, elsewhere = (load_checkpoint(run) for run in runs)
    for one, other in ((cpu.model, elsewhere.model), (cpu.optimizer, elsewhere.optimizer)):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert torch.equal(value, other[name]), name
    return runs


def same(runs: tuple[Path, Path], *names: str) -> bool:
    """Whether the files are the same in both runs."""
    return all((runs[0] / name).read_bytes() == (runs[1] / name).read_bytes() for name in names)


SMALL = [
    "--batch", "2", "--steps", "2", "--checkpoint_every", "1", "--log_every", "1", "--quiet", "--out", "RUN",
]  # fmt: skip


def test_a_run_on_images_and_all_that_follows(tmp_path: Path) -> None:
    write_images(tmp_path / "data", train=20)
    data = ["--data", str(tmp_path / "data"), "--width", "0.03125", "--engine", "torch"]
    runs = both(
        tmp_path,
        ["train", *data, "--method", "clapp", *SMALL],
        ["probe", "RUN", "--protocols", "[fast,paper]", "--paper_epochs", "1"],
        ["finetune", "RUN", "--epochs", "1", "--batch", "8"],
        ["alignment", "RUN"],
    )
    assert same(runs, "probe.csv", "finetune.csv", "alignment.csv")
