"""Two processes exchange tensors over Gloo on this machine; one process needs no exchange."""

import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file

from clapp_snn.training.distributed import World

TIMEOUT = timedelta(seconds=40)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(rank: int, port: int, folder: Path, work: Callable[[World, Path], None]) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE="2",
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    torch.set_num_threads(1)
    with World.from_environment("cpu", timeout=TIMEOUT) as world:
        assert (world.rank, world.size, world.device.type) == (rank, 2, "cpu")
        work(world, folder)


def in_two_processes(folder: Path, work: Callable[[World, Path], None]) -> None:
    processes = mp.spawn(start, (free_port(), folder, work), nprocs=2, join=False)
    end = time.monotonic() + 2 * TIMEOUT.total_seconds()
    try:
        while not processes.join(timeout=1):
            assert time.monotonic() < end, "the processes do not end"
    finally:
        for process in processes.processes:
            process.kill()


def values(rank: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(rank)
    conv = torch.randn(4, 3, 3, 3, generator=generator)
    return {
        "conv": conv.to(memory_format=torch.channels_last),
        "bias": torch.randn(4, generator=generator),
        "scalar": torch.randn((), generator=generator),
        "transposed": torch.randn(3, 5, generator=generator).T,
    }


def exchange(world: World, folder: Path) -> None:
    state = values(world.rank)
    world.broadcast_state(state)
    save_file({k: v.contiguous() for k, v in state.items()}, folder / f"state{world.rank}")

    first, second = values(world.rank), values(world.rank + 10)
    own = {name: tensor.clone() for name, tensor in first.items()}
    handles = [world.average_async(list(area.values())) for area in (first, second)]
    assert all(torch.equal(first[name], own[name]) for name in own)  # untouched until `wait`
    for handle in handles:
        handle.wait()
        handle.wait()
    found = {
        f"{i}.{k}": v.contiguous() for i, a in enumerate((first, second)) for k, v in a.items()
    }
    save_file(found, folder / f"mean{world.rank}")

    answers = [world.any(False), world.any(world.rank == 1), world.any(world.rank == 0)]
    assert answers == [False, True, True]

    assert world.broadcast(f"of {world.rank}") == "of 0"
    assert world.gather(world.rank) == [0, 1]
    assert world.together(lambda: world.rank) == world.rank
    for bad in (0, 1):

        def fails(bad: int = bad) -> None:
            if world.rank == bad:
                raise FileNotFoundError(f"nothing in {bad}")

        with pytest.raises(FileNotFoundError, match=f"nothing in {bad}"):
            world.together(fails)

    if world.rank == 1:
        time.sleep(0.3)
        (folder / "late").touch()
    world.barrier()
    assert (folder / "late").exists()
    with pytest.raises(ValueError, match="one dtype and device"):
        world.average_async([torch.zeros(1), torch.zeros(1).double()])


def test_two_processes_agree(tmp_path: Path) -> None:
    in_two_processes(tmp_path, exchange)
    for name, value in values(0).items():
        for rank in (0, 1):
            assert torch.equal(load_file(tmp_path / f"state{rank}")[name], value)
    means = [load_file(tmp_path / f"mean{rank}") for rank in (0, 1)]
    for area, seeds in enumerate(((0, 1), (10, 11))):
        for name in values(0):
            expected = (values(seeds[0])[name] + values(seeds[1])[name]) / 2
            assert torch.equal(means[0][f"{area}.{name}"], expected)
            assert torch.equal(means[1][f"{area}.{name}"], expected)


@pytest.fixture
def no_torchrun(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.usefixtures("no_torchrun")
def test_one_process_is_its_own_mean() -> None:
    with World.from_environment("cpu") as world:
        assert (world.rank, world.size, world.is_main) == (0, 1, True)
        tensor = torch.tensor([1.0, 2.0])
        world.average_async([tensor]).wait()
        world.broadcast_state({"tensor": tensor})
        world.barrier()
        assert torch.equal(tensor, torch.tensor([1.0, 2.0]))
        assert world.broadcast("own") == "own"
        assert world.gather("own") == ["own"]
        with pytest.raises(ValueError, match="own"):
            world.together(lambda: int("own"))
        assert world.any(True)
        assert not world.any(False)


def test_half_an_environment_is_refused(no_torchrun: pytest.MonkeyPatch) -> None:
    no_torchrun.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"MASTER_ADDR.*torchrun"):
        World.from_environment("cpu")


@pytest.mark.usefixtures("no_torchrun")
def test_asking_for_an_absent_gpu_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device"):
        World.from_environment("cuda")
    assert World.from_environment().device.type == "cpu"


def test_more_processes_than_gpus_is_an_error(no_torchrun: pytest.MonkeyPatch) -> None:
    no_torchrun.setattr(torch.cuda, "is_available", lambda: True)
    no_torchrun.setattr(torch.cuda, "device_count", lambda: 1)
    settings = {"RANK": 1, "LOCAL_RANK": 1, "WORLD_SIZE": 2, "MASTER_PORT": 1, "MASTER_ADDR": 1}
    for name, value in settings.items():
        no_torchrun.setenv(name, str(value))
    with pytest.raises(ValueError, match="process 1 of this machine has no GPU: there are 1"):
        World.from_environment()
