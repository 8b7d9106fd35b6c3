"""Small sets of recordings, sounds and images, as files in the formats that users have."""

import io
import wave
from pathlib import Path

import numpy as np

SIDE = 34


def write_events(folder: Path, train: int = 36, test: int = 12, classes: int = 3) -> Path:
    """Packs in the layout of N-MNIST; recording i is of class i modulo `classes`, a bright row of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train), ("test", test)):
        draws = np.random.default_rng(count)
        addresses, steps, lengths = [], [], []
        for number in range(count):
            size = int(draws.integers(250, 350))
            time = np.sort(np.r_[draws.integers(0, 315_000, size - 1), 314_999])
            row = np.where(draws.random(size) < 0.8, 4 + 6 * (number % classes), SIDE // 2)
            pixel = row * SIDE + draws.integers(0, SIDE, size)
            addresses.append(draws.integers(0, 2, size) * SIDE * SIDE + pixel)
            steps.append(np.diff(time, prepend=0))
            lengths.append(size)
        np.savez(
            folder / f"small_{part}.npz",
            addr=np.concatenate(addresses).astype(np.uint16),
            dt=np.concatenate(steps).astype(np.uint32),
            offsets=np.cumsum([0, *lengths]),
            labels=(np.arange(count) % classes).astype(np.uint8),
        )
    return folder


def write_sounds(path: Path, count: int = 36, classes: int = 3) -> Path:
    """WAV files of 0.3 s; sound i is a tone of class i modulo `classes`; a fourth of them is for the test."""
    draws, files = np.random.default_rng(0), []
    for number in range(count):
        time = np.arange(2400) / 8000
        tone = np.sin(2 * np.pi * 300 * (1 + number % classes) * time)
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            loud = 8000 * (tone + 0.1 * draws.standard_normal(2400))
            file.writeframes(loud.astype("<i2").tobytes())
        files.append(buffer.getvalue())
    np.savez(
        path,
        data=np.frombuffer(b"".join(files), np.uint8),
        offsets=np.cumsum([0, *map(len, files)]),
        labels=(np.arange(count) % classes).astype(np.uint8),
        index=np.where(np.arange(count) < count // 4, 0, 9),
    )
    return path


def write_images(folder: Path, train: int = 12, test: int = 4, unlabeled: int = 6) -> Path:
    """STL-10 format, two classes: dark and bright noise."""
    folder.mkdir(parents=True, exist_ok=True)
    draws = np.random.default_rng(0)
    for part, count in (("train", train), ("test", test), ("unlabeled", unlabeled)):
        bright = 100 * (np.arange(count) % 2)
        pixels = draws.integers(0, 156, (count, 3, 96, 96)) + bright[:, None, None, None]
        pixels.astype(np.uint8).tofile(folder / f"{part}_X.bin")
        if part != "unlabeled":
            (np.arange(count) % 2 + 1).astype(np.uint8).tofile(folder / f"{part}_y.bin")
    (folder / "class_names.txt").write_text("dark\nbright\n")
    return folder
