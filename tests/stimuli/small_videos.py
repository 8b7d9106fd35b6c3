"""Tiny video files and clip packs made on the spot; the brightness of a video's frame tells its number."""

import io
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

ACTIONS = ("Archery", "Bowling", "Diving")


def write_video(
    path: Path, frames: int, rows: int = 48, cols: int = 64, noise: bool = False
) -> Path:
    """An MPEG-4 video whose frame number i is uniformly grey with value `brightness(i)`, or all noise."""
    random = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = cols, rows, "yuv420p"
        stream.codec_context.gop_size = 10
        for number in range(frames):
            image = np.full((rows, cols, 3), brightness(number), np.uint8)
            if noise:
                image = random.integers(0, 256, image.shape, np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def brightness(number: int) -> int:
    """Grey value of a frame; far enough apart to be told from each other after compression."""
    return 30 + 6 * (number % 32)


def number_of(image: np.ndarray) -> int:
    """The number of a frame, modulo 32."""
    return round((float(image.astype(float).mean()) - 30) / 6)


def write_ucf101(root: Path, frames: tuple[int, ...] = (30, 40, 20), each: int = 2) -> Path:
    """A folder like UCF-101: three actions, `each` videos of every length in each list."""
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for number, action in enumerate(ACTIONS, start=1):
        for group, key in enumerate(("test", "train"), start=1):
            for clip in range(each):
                name = f"{action}/v_{action}_g{group:02d}_c{clip + 1:02d}.avi"
                write_video(root / "UCF-101" / name, frames[(number + clip) % len(frames)])
                lists[key].append(name + (f" {number}" if key == "train" else ""))
    folder = root / "ucfTrainTestlist"
    folder.mkdir()
    classes = "".join(f"{n} {action}\n" for n, action in enumerate(ACTIONS, start=1))
    (folder / "classInd.txt").write_text(classes, encoding="utf-8")
    for key, lines in lists.items():
        (folder / f"{key}list01.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def encoded(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "WEBP", lossless=True)
    return file.getvalue()


def write_pack(path: Path, clips: int, frames: int = 5, **changes: object) -> np.ndarray:
    """A pack of random images; returns them. `changes` replace arrays, None removes one."""
    images = np.random.default_rng(len(path.name)).integers(
        0, 255, (clips, frames, 8, 10, 3), np.uint8
    )
    parts = [encoded(image) for clip in images for image in clip]
    arrays: dict[str, object] = {
        "data": np.frombuffer(b"".join(parts), np.uint8),
        "offsets": np.cumsum([0, *map(len, parts)]),
        "n_frames": np.int64(frames),
        "labels": np.arange(clips, dtype=np.uint8) % 2,
        "class_names": np.array(["sit", "walk"]),
        "meta": np.array(json.dumps({"source": "made up", "frame": "webp"})),
    }
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})  # type: ignore[arg-type]
    return images
