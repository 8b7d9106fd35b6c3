"""Weights are read from safetensors wherever they lie, and a pickle is never opened."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from clapp_snn.training.checkpoint import CheckpointError, load_weights, save_checkpoint

WEIGHTS = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


def test_weights_come_from_a_file_a_checkpoint_or_a_run(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "checkpoints", 7, WEIGHTS, {}, {})
    for path in (folder / "model.safetensors", folder, tmp_path):
        found = load_weights(path)
        assert found.keys() == WEIGHTS.keys()
        assert all(torch.equal(found[name], WEIGHTS[name]) for name in WEIGHTS)


class Trap:
    """Unpickling this makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("name", ["model.pt", "model.ckpt", "model.safetensors", "model"])
@pytest.mark.parametrize("protocol", [0, 2, 5, "torch"])
def test_a_pickle_is_refused_and_never_opened(
    tmp_path: Path, name: str, protocol: int | str
) -> None:
    sprung = tmp_path / "sprung"
    path = tmp_path / name
    if protocol == "torch":
        torch.save({"trap": Trap(sprung)}, path)
    else:
        path.write_bytes(pickle.dumps(Trap(sprung), protocol=int(protocol)))
    with pytest.raises(CheckpointError) as caught:
        load_weights(path)
    assert not sprung.exists()
    assert str(path) in str(caught.value)
    if protocol != 0 or name in {"model.pt", "model.ckpt"}:
        assert "pickle" in str(caught.value)


def test_a_header_length_that_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    # A header of 0x280 bytes makes the file start with 80 02, the magic of pickle protocol 2.
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).ljust(0x280)
    path = tmp_path / "model.safetensors"
    path.write_bytes((0x280).to_bytes(8, "little") + header.encode() + b"\0\0\x80\x3f")
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert torch.equal(load_weights(path)["w"], torch.ones(1))


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_other_files_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.safetensors"
    if content is None:
        save_file(WEIGHTS, path)
        content = path.read_bytes()[:-5]
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="safetensors file"):
        load_weights(path)
