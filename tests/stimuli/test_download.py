import errno
import hashlib
import http.server
import io
import re
import socket
import tarfile
import threading
from pathlib import Path

import pytest

from clapp_snn.stimuli import download as module
from clapp_snn.stimuli.download import ChecksumError, RemoteFile, download, extract_tar
from clapp_snn.stimuli.stl10 import download_stl10, open_stl10

CONTENT = bytes(i * 7 % 251 for i in range(50_000))


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` for every path; notes the Range headers it is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.ranges = True
        self.stop_after: int | None = None
        self.requests: list[str | None] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append(wanted)
        content, start = self.server.content, 0
        if self.path == "/missing":
            self.send_error(404)
            return
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = len(content) if self.server.stop_after is None else start + self.server.stop_after
        self.wfile.write(content[start:stop])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def remote(server: Server, path: str = "/file.bin", content: bytes = CONTENT) -> RemoteFile:
    checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return RemoteFile(f"http://127.0.0.1:{server.server_port}{path}", checksum, len(content))


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_file_is_fetched_once_and_checked(server, tmp_path, algorithm):
    checksum = f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}"
    source = RemoteFile(remote(server).url, checksum, len(CONTENT))
    target = tmp_path / "new" / "file.bin"
    download(source, target)
    download(source, target)
    assert target.read_bytes() == CONTENT
    assert server.requests == [None]
    assert sorted(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_continued(server, tmp_path, ranges):
    target = tmp_path / "file.bin"
    server.ranges = ranges
    server.stop_after = 20_000
    with pytest.raises(ConnectionError, match=r"Run again"):
        download(remote(server), target)
    assert not target.exists()
    assert (tmp_path / "file.bin.part").stat().st_size == 20_000
    server.stop_after = None
    download(remote(server), target)
    assert target.read_bytes() == CONTENT
    assert server.requests == [None, "bytes=20000-"]


def test_a_part_that_is_already_whole_needs_no_server(tmp_path, server):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    download(remote(server), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.requests == []


def test_a_part_that_is_too_long_is_fetched_anew(tmp_path, server):
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"more")
    download(remote(server), tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.requests == [None]


def test_wrong_content_is_deleted_and_the_older_file_kept(server, tmp_path):
    target = tmp_path / "file.bin"
    target.write_bytes(b"older")
    server.content = CONTENT[:-1] + b"\x00"
    with pytest.raises(ChecksumError, match=r"wrong checksum"):
        download(remote(server), target)
    assert target.read_bytes() == b"older"
    assert sorted(tmp_path.iterdir()) == [target]


def test_a_file_longer_than_announced_is_refused(server, tmp_path):
    server.content = CONTENT + b"more"
    with pytest.raises(ChecksumError, match=r"longer than the 50000 bytes"):
        download(remote(server), tmp_path / "file.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_older_file_and_a_part_to_continue(server, tmp_path, monkeypatch):
    target = tmp_path / "file.bin"
    target.write_bytes(b"older")
    monkeypatch.setattr(module, "CHUNK", 10_000)
    copy = module._copy

    class FullDisk:
        """Takes 30 000 bytes."""

        def __init__(self, file):
            self.file, self.room = file, 30_000

        def write(self, chunk):
            self.room -= len(chunk)
            if self.room < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(chunk)

    with monkeypatch.context() as full:
        full.setattr(
            module, "_copy", lambda response, file, *rest: copy(response, FullDisk(file), *rest)
        )
        with pytest.raises(OSError, match=r"disk is full.*Free some space") as caught:
            download(remote(server), target)
    assert caught.value.errno == errno.ENOSPC
    assert target.read_bytes() == b"older"
    download(remote(server), target)
    assert target.read_bytes() == CONTENT
    assert server.requests == [None, "bytes=30000-"]


def test_an_unreachable_or_refusing_server_is_one_clear_error(server, tmp_path):
    with pytest.raises(ConnectionError, match=r"refused .*/missing: 404"):
        download(remote(server, "/missing"), tmp_path / "file.bin")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        source = RemoteFile(f"http://127.0.0.1:{unused.getsockname()[1]}/x", "md5:0", 1)
        with pytest.raises(ConnectionError, match=r"could not fetch"):
            download(source, tmp_path / "file.bin")


def tar_of(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("evil", ["../evil.txt", "good/../../evil.txt", "/{}/evil.txt"])
def test_a_member_outside_the_folder_is_refused(tmp_path, evil):
    home = tmp_path / "home"
    home.mkdir()
    name = evil.format(tmp_path)
    (home / "a.tar").write_bytes(tar_of({"good.txt": b"1", name: b"2"}, "w"))
    with pytest.raises(ValueError, match=r"damaged or unsafe .* outside the folder"):
        extract_tar(home / "a.tar", home)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.tar", "home"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(tmp_path, kind):
    """A link could lead a later member out of the folder."""
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member = tarfile.TarInfo("way_out")
        member.type, member.linkname = kind, "/tmp"
        tar.addfile(member)
    with pytest.raises(ValueError, match=r"way_out is neither a file nor a folder"):
        extract_tar(tmp_path / "a.tar", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar"]


def test_files_and_folders_come_out_as_they_went_in(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        folder = tarfile.TarInfo("data/empty")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        member = tarfile.TarInfo("./data/deep/x.bin")
        member.size = len(CONTENT)
        tar.addfile(member, io.BytesIO(CONTENT))
    extract_tar(tmp_path / "a.tar.gz", tmp_path)
    assert (tmp_path / "data" / "deep" / "x.bin").read_bytes() == CONTENT
    assert list((tmp_path / "data" / "empty").iterdir()) == []


def test_a_damaged_archive_leaves_nothing_behind(tmp_path):
    whole = tar_of({"data/x.bin": CONTENT})
    for damaged in (whole[: len(whole) // 2], b"no archive at all"):
        (tmp_path / "a.tar.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged or unsafe"):
            extract_tar(tmp_path / "a.tar.gz", tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


def test_unpacking_does_not_overwrite(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(tar_of({"data/x.bin": b"new"}))
    (tmp_path / "data").mkdir()
    with pytest.raises(FileExistsError, match=r"in the way"):
        extract_tar(tmp_path / "a.tar.gz", tmp_path)
    assert list((tmp_path / "data").iterdir()) == []


def test_stl10_is_fetched_unpacked_and_opened(server, tmp_path):
    pixels = bytes(3 * 96 * 96)
    server.content = tar_of(
        {
            f"stl10_binary/{name}": content
            for name, content in {
                "train_X.bin": pixels,
                "train_y.bin": b"\x01",
                "test_X.bin": pixels,
                "test_y.bin": b"\x01",
                "unlabeled_X.bin": pixels * 2,
                "class_names.txt": b"bird\n",
            }.items()
        }
    )
    source = remote(server, "/stl10_binary.tar.gz", server.content)
    folder: Path = tmp_path / "fetched"
    download_stl10(folder, source)
    download_stl10(folder, source)
    data = open_stl10(folder)
    assert len(data.unlabeled) == 2
    assert data.name == "fetched"
    assert len(server.requests) == 1
