"""Streams on a device by name: what is not there is refused, and a run goes on where it began."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.device import device_of
from clapp_snn.training.stream_build import build_network, open_objects
from clapp_snn.training.stream_config import StreamConfig, read_stream_config
from clapp_snn.training.stream_loop import train_stream
from tests.training.test_stream_runner import TINY, session, window

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_names_of_devices(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto") == device_of("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="finds no CUDA device; use device='cpu'"):
        device_of("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of("auto").type == device_of("cuda").type == "cuda"


def test_a_device_that_is_not_there_leaves_no_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA device"):
        train_stream(replace(TINY, device="cuda", out=tmp_path / "run"), quiet=True)
    assert not (tmp_path / "run").exists()


def test_impossible_devices_and_engines() -> None:
    with pytest.raises(ValueError, match="device is one of auto, cpu, cuda, not 'tpu'"):
        StreamConfig(device="tpu")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="engine='native' computes on the CPU"):
        StreamConfig(device="cuda", engine="native")


def test_the_device_is_said_and_kept(tmp_path: Path, capsys) -> None:
    train_stream(replace(TINY, out=tmp_path / "run"))
    assert "by compiled kernels, on cpu)" in capsys.readouterr().err
    assert read_stream_config(tmp_path / "run").device == "cpu"


def test_random_numbers_of_another_device_are_refused() -> None:
    """States of CUDA generators have 16 bytes."""
    one = session(TINY, "torch")
    window(one)
    stored = one.tensors()
    stored["stream.random_1"] = torch.zeros(len(stored["stream.random_1"]), 16, dtype=torch.uint8)
    with pytest.raises(ValueError, match="begun on another device"):
        one.load(stored, 1)


@needs_gpu
@pytest.mark.parametrize("simulation", ["drawn", "stepped"])
def test_a_run_on_a_gpu_goes_on_bit_by_bit(tmp_path: Path, simulation) -> None:
    config = replace(TINY, device="cuda", simulation=simulation)
    train_stream(replace(config, out=tmp_path / "whole"), quiet=True)
    part = replace(config, out=tmp_path / "part")
    train_stream(replace(part, windows=2), quiet=True)
    train_stream(part, quiet=True, resume=True)
    one, two = (load_checkpoint(tmp_path / name) for name in ("whole", "part"))
    assert all(torch.equal(one.model[name], two.model[name]) for name in one.model)


@needs_gpu
def test_rates_learn_on_a_gpu_what_they_learn_on_the_cpu(tmp_path: Path) -> None:
    found = []
    for device in ("cpu", "cuda"):
        config = replace(
            TINY, device=device, neuron="rate", rule="sgd", engine="torch", out=tmp_path / device
        )
        train_stream(config, quiet=True)
        network = build_network(config)
        network.load_state_dict(load_checkpoint(tmp_path / device).model)
        found.append(list(network.parameters()))
    assert len(open_objects(TINY).train) > 0
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
