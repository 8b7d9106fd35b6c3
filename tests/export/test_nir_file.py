"""Files that a stranger may have written: each refused in one sentence, none executed, none half-written."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from clapp_snn.export.nir_encoder import encoder_graph
from clapp_snn.export.nir_file import Limits, read_graph, write_graph
from clapp_snn.export.nir_import import network_of
from tests.export.networks import dense


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_graph(tmp_path / "network.nir", encoder_graph(dense()))


def refused(path: Path, message: str, limits: Limits | None = None) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_graph(path, limits)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file"):
        read_graph(tmp_path / "absent.nir")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_truncated_files(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refused(path, "no HDF5 file, or a truncated or damaged one")


def test_something_else(path: Path) -> None:
    path.write_text("not HDF5" * 1000)
    refused(path, "no HDF5 file")


def test_damaged_files_never_do_worse_than_an_error(path: Path) -> None:
    """Some damage goes unnoticed (padding, weights), some keeps HDF5 busy for ever; the rest is refused."""
    data, r = path.read_bytes(), np.random.default_rng(0)
    outcomes = []
    for _ in range(8):
        damaged = bytearray(data)
        for place in r.integers(0, len(data), 8):
            damaged[place] = r.integers(256)
        path.write_bytes(damaged)
        try:
            network_of(read_graph(path, Limits(seconds=8)))
            outcomes.append("read")
        except ValueError as error:
            outcomes.append("hung" if "more than 8 s" in str(error) else "refused")
    assert set(outcomes) <= {"read", "hung", "refused"}
    assert "read" in outcomes
    assert outcomes.count("read") < 8


@pytest.mark.parametrize("version", ["1.0.9", "2.0", ""])
def test_other_versions(path: Path, version: str) -> None:
    with h5py.File(path, "r+") as file:
        file["version"][()] = version
    refused(path, f"written by NIR {version};.*1.0.8 and 1.0.4")


def test_version_is_no_text(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["version"]
        file["version"] = 3
    refused(path, "unknown version")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(file_bytes=100), "at most 100 are read"),
        (Limits(entries=10), "More than 10 groups"),
        (Limits(array_bytes=100), "more than 100 bytes"),
        (Limits(depth=1), "nested more than 1"),
        (Limits(text=3), "too long|longer than 3"),
    ],
)
def test_limits(path: Path, limits: Limits, message: str) -> None:
    refused(path, message, limits)


def test_arrays_that_unpack_to_more_than_the_limit(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.create_dataset(
            "node/bomb", shape=(2**30,), dtype="f8", compression="gzip", chunks=True
        )
    assert path.stat().st_size < 2**20
    refused(path, "Arrays have more than")


def external_link(file: h5py.File) -> None:
    file["node/nodes/stolen"] = h5py.ExternalLink("/etc/hostname", "/")


def soft_link(file: h5py.File) -> None:
    file["node/nodes/again"] = h5py.SoftLink("/node")


def loop(file: h5py.File) -> None:
    file["node/nodes/loop"] = file["node"]


def external_storage(file: h5py.File) -> None:
    secret = Path(file.filename).with_name("secret")
    secret.write_bytes(b"x" * 80)
    file.create_dataset("node/out", shape=(10,), dtype="f8", external=[(str(secret), 0, 80)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((10,), "f8")
    layout[:] = h5py.VirtualSource(Path(file.filename).with_name("other.h5"), "x", (10,))
    file.create_virtual_dataset("node/out", layout)


def reference(file: h5py.File) -> None:
    file.create_dataset("node/out", data=file["node"].ref, dtype=h5py.ref_dtype)


def compound(file: h5py.File) -> None:
    file.create_dataset("node/out", data=np.zeros(3, [("a", "f8"), ("b", "i4")]))


def named_type(file: h5py.File) -> None:
    file["node/out"] = np.dtype("f8")


def filtered(file: h5py.File) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((10,))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((10,))
    h5py.h5d.create(file["node"].id, b"out", h5py.h5t.NATIVE_DOUBLE, space, plist)


@pytest.mark.parametrize(
    ("trick", "message"),
    [
        (external_link, "'stolen' is a link"),
        (soft_link, "'again' is a link"),
        (loop, "nested more than"),
        (external_storage, "outside the file"),
        (virtual, "outside the file"),
        (reference, "neither numbers nor text"),
        (compound, "neither numbers nor text"),
        (named_type, "neither a group nor an array"),
        (filtered, "needs filter 32015"),
    ],
)
def test_tricks(path: Path, trick: Callable[[h5py.File], None], message: str) -> None:
    with h5py.File(path, "r+") as file:
        trick(file)
    refused(path, message)


def no_nodes(file: h5py.File) -> None:
    del file["node/nodes"]


def another_type(file: h5py.File) -> None:
    del file["node/nodes/lif_0/type"]
    file["node/nodes/lif_0/type"] = "os.system"


def no_weight(file: h5py.File) -> None:
    del file["node/nodes/affine_0/weight"]


def wrong_shape(file: h5py.File) -> None:
    del file["node/nodes/affine_0/weight"]
    file["node/nodes/affine_0/weight"] = np.zeros((3, 3))


def more_fields(file: h5py.File) -> None:
    file["node/nodes/affine_0/surprise"] = 1.0


def edge_to_nowhere(file: h5py.File) -> None:
    del file["node/edges"]
    file["node/edges"] = [["input", "nowhere"]]


@pytest.mark.parametrize(
    "change", [no_nodes, another_type, no_weight, wrong_shape, more_fields, edge_to_nowhere]
)
def test_graphs_that_are_none(path: Path, change: Callable[[h5py.File], None]) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    refused(path, "does not hold a valid NIR graph")


def test_weights_with_nan(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["node/nodes/affine_0/weight"][0, 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        network_of(read_graph(path))


def test_failed_writing_leaves_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    graph = encoder_graph(dense(seed=1))
    graph.metadata["object"] = object()
    with pytest.raises(TypeError):
        write_graph(path, graph)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
