"""The reader of LibriSpeech's layout: what it finds, counts, and refuses."""

import hashlib
import http.server
import io
import shutil
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from clapp_snn.stimuli.corpus import open_corpus
from clapp_snn.stimuli.download import ChecksumError, RemoteFile
from clapp_snn.stimuli.librispeech import ARCHIVE, download_librispeech, open_librispeech
from clapp_snn.stimuli.phone_labels import read_list
from clapp_snn.stimuli.speech_record import WINDOW
from tests.stimuli.speech_files import soundfile, write_corpus


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("speech") / "corpus")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(original, tmp_path / "corpus"))


def first(folder: Path) -> Path:
    return folder / "LibriSpeech" / "small" / "1" / "1" / "1-1-0000.flac"


def test_a_corpus_and_its_splits(original: Path) -> None:
    corpus = open_corpus(f"librispeech:{original}")
    assert corpus.name == "corpus"
    assert "6 utterances of 2 speakers" in corpus.note
    assert "not LibriSpeech train-clean-100" in corpus.note
    assert corpus.class_names[0] == "SIL"
    assert corpus.chance == 100 / 16
    assert [u.name for u in corpus.test.utterances] == ["1-1-0002", "2-1-0002"]
    assert corpus.train.speakers == ["1", "2"]
    assert {u.name for u in corpus.unlabeled.utterances} == {
        u.name for u in corpus.train.utterances
    }
    one = corpus.train.utterances[0]
    assert one.phones is not None
    assert len(one.phones) == one.frames == one.samples // 160
    read, _ = soundfile.read(first(original), dtype="float32")
    # -1456218.75 and 135303504 in the loader of Greedy InfoMax, which reads samples as 32-bit integers.
    unscaled = (one.audio() * 135303504.0 - 1456218.75) / 2**31
    assert torch.allclose(unscaled, torch.from_numpy(read), atol=1e-6)


def test_windows_and_their_labels(original: Path) -> None:
    split = open_librispeech(original).train
    whole, phones = split.utterances[1].audio(), split.utterances[1].phones
    assert phones is not None
    last = split.utterances[1].frames - 128
    for share, begin in ((0.0, 0), (0.5, (last + 1) // 2), (0.99999, last)):
        audio, labels = split.windows(torch.tensor([1]), torch.tensor([share], dtype=torch.float64))
        assert labels is not None
        assert torch.equal(audio[0], whole[160 * begin : 160 * begin + WINDOW])
        assert torch.equal(labels[0], phones[begin : begin + 128])


def test_labels_that_are_a_little_shorter_belong_to_the_end(folder: Path) -> None:
    file = folder / "LibriSpeech" / "aligned_phones.txt"
    lines = [line.split() for line in file.read_text().splitlines()]
    file.write_text("\n".join(" ".join([words[0], *words[4:]]) for words in lines))
    split = open_librispeech(folder).train
    one = split.utterances[0]
    assert one.phones is not None
    assert one.unlabelled == one.frames - len(one.phones) == 3
    audio, labels = split.windows(torch.tensor([0]), torch.tensor([0.0]))
    assert labels is not None
    assert torch.equal(labels[0], one.phones[:128])
    assert torch.equal(audio[0], one.audio()[3 * 160 : 3 * 160 + WINDOW])


def test_labels_shorter_than_a_window_leave_an_utterance_out(folder: Path) -> None:
    """Audio of 130 frames whose last 125 are labelled has no window with labels."""
    soundfile.write(first(folder), np.zeros(130 * 160), 16000)
    file = folder / "LibriSpeech" / "aligned_phones.txt"
    lines = [line.split() for line in file.read_text().splitlines()]
    name = first(folder).stem
    cut = [words[:126] if words[0] == name else words for words in lines]
    file.write_text("\n".join(" ".join(words) for words in cut))
    corpus = open_librispeech(folder)
    assert len(corpus.train) == 3
    assert "1 left out" in corpus.note


def test_short_utterances_are_left_out_and_counted(folder: Path) -> None:
    soundfile.write(first(folder), np.zeros(WINDOW - 1), 16000)
    corpus = open_librispeech(folder)
    assert "1 left out because they are shorter than 1.28 s" in corpus.note
    assert len(corpus.train) == 3


def test_a_list_of_which_nothing_is_left_says_so(folder: Path) -> None:
    names = read_list(folder / "LibriSpeech" / "test_split.txt")
    for file in folder.rglob("*.flac"):
        if file.stem in names:
            soundfile.write(file, np.zeros(WINDOW - 1), 16000)
    with pytest.raises(FileNotFoundError, match=rf"none of the {len(names)} utterances"):
        _ = open_librispeech(folder).test


def test_an_empty_list_says_so(folder: Path) -> None:
    (folder / "LibriSpeech" / "test_split.txt").write_text("\n")
    with pytest.raises(FileNotFoundError, match=r"test_split\.txt names no utterance"):
        _ = open_librispeech(folder).test


def test_another_file_makes_another_fingerprint(folder: Path, original: Path) -> None:
    before = open_librispeech(original).fingerprint
    assert open_librispeech(folder).fingerprint == before
    samples, _ = soundfile.read(first(folder))
    soundfile.write(first(folder), -samples, 16000)
    assert open_librispeech(folder).fingerprint != before


def test_without_lists_one_can_learn_but_not_read_out(folder: Path) -> None:
    for name in ("train_split.txt", "test_split.txt", "aligned_phones.txt", "phones.txt"):
        (folder / "LibriSpeech" / name).unlink()
    corpus = open_librispeech(folder)
    assert len(corpus.unlabeled) == 6
    assert "no phone labels" in corpus.note
    with pytest.raises(FileNotFoundError, match="no list of test utterances"):
        _ = corpus.test


def test_a_truncated_file_says_so(folder: Path) -> None:
    data = first(folder).read_bytes()
    first(folder).write_bytes(data[: len(data) // 2])
    corpus = open_librispeech(folder)
    with pytest.raises(ValueError, match=r"1-1-0000\.flac is (truncated|damaged)"):
        corpus.train.utterances[0].audio()


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(30000), 8000, "sample rate of 8000 Hz; the network expects 16000 Hz"),
        (np.zeros((30000, 2)), 16000, "has 2 channels; the network hears one"),
    ],
)
def test_other_audio_is_refused(folder: Path, samples: np.ndarray, rate: int, message: str) -> None:
    soundfile.write(first(folder), samples, rate)
    with pytest.raises(ValueError, match=rf"1-1-0000\.flac .*{message}"):
        open_librispeech(folder)


def test_without_soundfile_the_message_says_what_to_install(
    original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match=r"pip install 'clapp-snn\[sound\]'"):
        open_librispeech(original)


def test_what_is_no_audio_is_refused(folder: Path) -> None:
    first(folder).write_bytes(b"this is not a sound")
    with pytest.raises(ValueError, match=r"1-1-0000\.flac is no readable audio file"):
        open_librispeech(folder)


@pytest.mark.parametrize("change", [lambda words: words[:-30], lambda words: [*words, "0"]])
def test_labels_that_do_not_fit_the_audio(folder: Path, change) -> None:
    file = folder / "LibriSpeech" / "aligned_phones.txt"
    lines = [line.split() for line in file.read_text().splitlines()]
    lines[0] = change(lines[0])
    file.write_text("\n".join(" ".join(words) for words in lines))
    with pytest.raises(ValueError, match=r"1-1-0000 has \d+ phone labels, but its audio"):
        open_librispeech(folder)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("aligned_phones.txt", "1-1-0000 0 x 1\n", "line 1: expected a name and one whole number"),
        ("aligned_phones.txt", "a 0 1\na 0 1\n", "line 2: a has labels already"),
        ("phones.txt", "0 SIL\n2 AA\n", "expected lines 'number name'"),
        ("phones.txt", "0 SIL\n1 AA\n", "names 2 phones, but there is a label"),
        (
            "test_split.txt",
            "9-9-9\n",
            "names 1 of 1 utterances that are not there, the first is 9-9-9",
        ),
    ],
)
def test_damaged_lists(folder: Path, name: str, text: str, message: str) -> None:
    (folder / "LibriSpeech" / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        open_librispeech(folder)


def test_classes_without_names_are_numbers(folder: Path) -> None:
    (folder / "LibriSpeech" / "phones.txt").unlink()
    (folder / "LibriSpeech" / "aligned_phones.txt").rename(folder / "converted_aligned_phones.txt")
    names = open_librispeech(folder).class_names
    assert names == [str(number) for number in range(len(names))]
    assert len(names) > 10


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no data: .*is no folder.*--download"):
        open_corpus(f"librispeech:{tmp_path / 'absent'}")
    with pytest.raises(FileNotFoundError, match="holds no speech"):
        open_librispeech(tmp_path)
    with pytest.raises(ValueError, match="needs a folder"):
        open_corpus("librispeech:")
    with pytest.raises(ValueError, match="need no download"):
        open_corpus("utterances", download=True)


class Resuming(http.server.BaseHTTPRequestHandler):
    """Serves one archive; the first answer breaks off."""

    content = b""
    asked: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        stop = None if wanted else len(self.content) // 2
        self.wfile.write(self.content[start:stop])

    def log_message(self, *_: object) -> None:
        pass


def test_download_resumes_and_checks(original: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(original / "LibriSpeech", "LibriSpeech")
    Resuming.content, Resuming.asked = buffer.getvalue(), []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Resuming) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        archive = RemoteFile(
            f"http://127.0.0.1:{server.server_port}/train-clean-100.tar.gz",
            "md5:" + hashlib.md5(Resuming.content, usedforsecurity=False).hexdigest(),
            len(Resuming.content),
        )
        with pytest.raises(ConnectionError, match="Run again"):
            download_librispeech(tmp_path / "new", archive)
        download_librispeech(tmp_path / "new", archive)
        assert Resuming.asked == [None, f"bytes={len(Resuming.content) // 2}-"]
        assert len(open_librispeech(tmp_path / "new").train) == 4
        download_librispeech(tmp_path / "new", archive)
        assert len(Resuming.asked) == 2
        wrong = RemoteFile(archive.url, "md5:" + "0" * 32, archive.size)
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "train-clean-100.tar.gz.part").write_bytes(Resuming.content)
        with pytest.raises(ChecksumError):
            download_librispeech(tmp_path / "other", wrong)
        server.shutdown()


def test_the_archive_is_the_official_one() -> None:
    assert ARCHIVE.url.endswith("/resources/12/train-clean-100.tar.gz")
    assert ARCHIVE.checksum.startswith("md5:")
    assert ARCHIVE.size == 6_387_309_499
