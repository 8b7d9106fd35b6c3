import io
import sys
import wave as wave_file
from pathlib import Path

import numpy as np
import pytest
import torch

from clapp_snn.randomness import generator
from clapp_snn.stimuli.cochlea import Cochlea
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.stimuli.sounds import SoundGlances, Sounds, open_sounds, read_sound

EAR = Cochlea(8000, bands=6, step=5.0)


def wav(samples: np.ndarray, rate: int = 8000) -> bytes:
    """A 16-bit WAV file (one row a channel), written by the standard library."""
    buffer = io.BytesIO()
    with wave_file.open(buffer, "wb") as file:
        file.setparams((len(samples), 2, rate, 0, "NONE", ""))
        file.writeframes((samples.T * 32768).astype("<i2").tobytes())
    return buffer.getvalue()


def words(count: int = 3) -> Sounds:
    noise = [torch.rand(1000 + 400 * n, generator=generator(0, n)) - 0.5 for n in range(count)]
    return Sounds(noise, torch.arange(count), 8000)


def streams(count: int) -> list[torch.Generator]:
    return [generator(1, sample) for sample in range(count)]


def pack(path: Path, files: list[bytes], **changes: object) -> Path:
    arrays = {
        "data": np.frombuffer(b"".join(files), np.uint8),
        "offsets": np.cumsum([0, *map(len, files)]),
        "labels": np.arange(len(files), dtype=np.uint8),
    }
    arrays.update({key: np.asarray(value) for key, value in changes.items()})
    np.savez(path, **arrays)
    return path


def test_a_glance_is_a_part_of_its_sound():
    heard = words()
    objects = SoundGlances(heard, EAR, steps=10)
    seen = objects.views(torch.tensor([2, 0, 2]), streams(3))
    assert seen.shape == (3, 10, 6)
    for index, view in zip([2, 0, 2], seen, strict=True):
        whole = EAR(heard.waves[index])
        assert any(torch.equal(view, whole[at : at + 10]) for at in range(len(whole) - 9))
    assert not torch.equal(seen[0], seen[2])
    assert len(objects) == 3
    assert objects.labels.tolist() == [0, 1, 2]


def test_short_sounds_are_followed_by_silence():
    heard = words(1)
    (seen,) = SoundGlances(heard, EAR, steps=40).views(torch.tensor([0]), streams(1))
    assert torch.equal(seen[:25], EAR(heard.waves[0]))
    assert not seen[25:].any()


@pytest.mark.parametrize("encoder", ["snntorch_rate", "norse_poisson"])
def test_loudness_becomes_spikes(encoder):
    heard = Sounds([torch.rand(8000, generator=generator(3)) - 0.5] * 2, torch.arange(2), 8000)
    loudness = SoundGlances(heard, EAR, steps=200)
    spikes = SoundGlances(heard, EAR, steps=200, encoder=encoder, rate=100.0)
    stream = GlanceStream(spikes, range(40), seed=0)
    glance, _ = stream.next(stream.start())
    assert ((glance.view == 0) | (glance.view == 1)).all()
    chance = loudness.views(torch.tensor([0]), streams(1)).double() * 100.0 * 5.0 / 1000
    # Bernoulli variances add up; 4.5 standard deviations.
    spread = (40 * (chance * (1 - chance)).sum()).sqrt()
    assert (glance.view.sum() - 40 * chance.sum()).abs() < 4.5 * spread


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cochlea": Cochlea(16000)}, "made for sound sampled at 16000 Hz, but this is"),
        ({"steps": 0}, "at least one time step, not 0"),
        ({"encoder": "norse_lif"}, "snntorch_rate or norse_poisson, not 'norse_lif'"),
    ],
)
def test_impossible_glances_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SoundGlances(words(), **{"cochlea": EAR, "steps": 5, **settings})


def test_sound_files_are_read_as_the_mean_of_their_channels(tmp_path):
    pytest.importorskip("soundfile")
    samples = np.array([[0.5, -0.25, 0.0], [0.0, -0.75, 0.25]])
    (tmp_path / "two.wav").write_bytes(wav(samples, 11025))
    for source in (tmp_path / "two.wav", wav(samples, 11025)):
        wave, rate = read_sound(source)
        assert rate == 11025
        assert wave.dtype == torch.float32
        assert wave.tolist() == [0.25, -0.5, 0.125]


def test_bad_sound_files_are_named(tmp_path):
    pytest.importorskip("soundfile")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.wav is missing"):
        read_sound(tmp_path / "nowhere.wav")
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"text\.wav is truncated or no sound file"):
        read_sound(tmp_path / "text.wav")
    with pytest.raises(ValueError, match="this sound holds no sound"):
        read_sound(wav(np.zeros((1, 0))))


def test_many_sounds_in_one_file(tmp_path):
    pytest.importorskip("soundfile")
    samples = [np.full((1, 5), 0.5), np.full((1, 3), -0.5)]
    known = open_sounds(pack(tmp_path / "words.npz", [wav(part) for part in samples]))
    assert known.sampling_rate == 8000
    assert [part.tolist() for part in known.waves] == [[0.5] * 5, [-0.5] * 3]
    assert known.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("files", "changes", "message"),
    [
        ([wav(np.zeros((1, 4)))], {"offsets": [0, 900]}, "1 labels, 2 offsets and 52 bytes do not"),
        ([wav(np.zeros((1, 4)))], {"labels": [1, 2]}, "2 labels, 2 offsets"),
        ([], {}, "0 labels, 1 offsets and 0 bytes"),
        ([wav(np.zeros((1, 4))), b"junk"], {}, "sound 1 is truncated or no sound file"),
        (
            [wav(np.zeros((1, 4))), wav(np.zeros((1, 4)), 16000)],
            {},
            r"different sampling rates: \[8000, 16000\] Hz",
        ),
    ],
)
def test_bad_packs_are_named(tmp_path, files, changes, message):
    pytest.importorskip("soundfile")
    file = pack(tmp_path / "bad.npz", files, **changes)
    with pytest.raises(ValueError, match=message) as error:
        open_sounds(file)
    assert str(file) in str(error.value)


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", data=np.zeros(3))
    with pytest.raises(ValueError, match=r"lacks the arrays \['labels', 'offsets'\]"):
        open_sounds(tmp_path / "other.npz")


def test_without_soundfile_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match=r"pip install 'clapp-snn\[sound\]'"):
        read_sound(b"")
