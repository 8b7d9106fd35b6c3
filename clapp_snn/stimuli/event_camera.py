"""Reading event-camera recordings: N-MNIST's binary files, and address-event lists in `.npz` files.

N-MNIST (G. Orchard, A. Jayawant, G. K. Cohen, N. Thakor, Front. Neurosci. 9:437, 2015,
DOI 10.3389/fnins.2015.00437): a file a recording, in folders 0 to 9. An event is 40 bits, most significant
first: column (8), row (8), polarity (1; 1 brighter), time in microseconds (23). Row 240 is no event but a
marker that adds 2^13 microseconds to all times from there on.
"""

from pathlib import Path

import numpy as np
import torch

from clapp_snn.stimuli.event_recordings import Recordings, Sensor, check_offsets, join
from clapp_snn.stimuli.npz import read_arrays

NMNIST = Sensor(2, 34, 34)
EVENT_BYTES = 5
OVERFLOW_ROW = 240
OVERFLOW_US = 1 << 13


def read_nmnist(path: str | Path, label: int | None = None, sensor: Sensor = NMNIST) -> Recordings:
    """One file of N-MNIST (or, with another sensor, of N-Caltech101).

    Raises FileNotFoundError if it is not there, ValueError if it is empty, truncated, unsorted or has events
    outside the sensor.
    """
    file = Path(path)
    data = np.frombuffer(_contents(file), np.uint8)
    if len(data) == 0:
        raise ValueError(f"{file} is empty: it holds no events; leave it out or fetch it again")
    if len(data) % EVENT_BYTES:
        raise ValueError(
            f"{file} has {len(data)} bytes, not a whole number of events of {EVENT_BYTES} bytes: it is "
            f"truncated or of another format; fetch it again"
        )
    col, row, high, middle, low = data.reshape(-1, EVENT_BYTES).astype(np.int64).T
    marker = row == OVERFLOW_ROW
    time = ((high & 0x7F) << 16 | middle << 8 | low) + OVERFLOW_US * np.cumsum(marker)
    event = ~marker
    return _one(file, sensor, time[event], (high >> 7)[event], row[event], col[event], label)


def open_nmnist(folder: str | Path, sensor: Sensor = NMNIST) -> Recordings:
    """All recordings in the folders `0`, `1`, ... of one split; the folder's number is the label.

    Raises FileNotFoundError if there are none, and what `read_nmnist` raises.
    """
    root = Path(folder)
    files = sorted(file for file in root.glob("*/*.bin") if file.parent.name.isdecimal())
    if not files:
        raise FileNotFoundError(
            f"no recordings in {root}: expected files such as {root / '0' / '00002.bin'}"
        )
    return join([read_nmnist(file, int(file.parent.name), sensor) for file in files])


def read_events(path: str | Path, sensor: Sensor = NMNIST) -> Recordings:
    """An `.npz` file with address-event lists, in one of two layouts.

    Many recordings: `addr`, `dt` (microseconds since the event before; of a first event, since the start),
    `offsets`, `size` (polarities, rows, columns; else `sensor`) and, if known, `labels`. One recording: `t`
    (microseconds), `x` (column), `y` (row), `p` (polarity).

    Raises FileNotFoundError if it is not there, ValueError if it is truncated, lacks arrays, or holds an
    empty recording, unsorted times or events outside the sensor.
    """
    file = Path(path)
    arrays = read_arrays(file)
    if arrays.keys() >= {"addr", "dt", "offsets"}:
        return _many(file, arrays, sensor)
    if arrays.keys() >= {"t", "x", "y", "p"}:
        time, polarity, row, col = (arrays[key].astype(np.int64) for key in "tpyx")
        return _one(file, sensor, time, polarity, row, col, None)
    raise ValueError(
        f"{file} holds the arrays {sorted(arrays)}, but event lists are either addr, dt and offsets or "
        f"t, x, y and p"
    )


def _contents(file: Path) -> bytes:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing; it should hold one recording of N-MNIST")
    return file.read_bytes()


def _many(file: Path, arrays: dict[str, np.ndarray], sensor: Sensor) -> Recordings:
    offsets, steps, address = (
        torch.from_numpy(arrays[key].astype(np.int64)) for key in ("offsets", "dt", "addr")
    )
    check_offsets(offsets, len(steps), len(address), str(file))
    clock = steps.cumsum(0)
    starts = torch.cat([clock.new_zeros(1), clock])[offsets[:-1]]
    labels = arrays.get("labels")
    return Recordings(
        Sensor(*arrays["size"].tolist()) if "size" in arrays else sensor,
        clock - starts.repeat_interleave(offsets.diff()),
        address,
        offsets,
        None if labels is None else torch.from_numpy(labels.astype(np.int64)),
        str(file),
    )


def _one(
    file: Path,
    sensor: Sensor,
    time: np.ndarray,
    polarity: np.ndarray,
    row: np.ndarray,
    col: np.ndarray,
    label: int | None,
) -> Recordings:
    """One recording from coordinates, which must lie on the sensor."""
    if len({len(time), len(polarity), len(row), len(col)}) != 1:
        raise ValueError(
            f"{file} has {len(time)} times, {len(polarity)} polarities, {len(row)} rows and {len(col)} "
            f"columns; it is truncated or mixed up"
        )
    pixel = np.stack([polarity, row, col])
    outside = ((pixel < 0) | (pixel >= np.array(sensor)[:, None])).any(0)
    if outside.any():
        event = int(outside.argmax())
        raise ValueError(
            f"{file}: event {event} has polarity {polarity[event]}, row {row[event]} and column "
            f"{col[event]}, outside the sensor ({sensor})"
        )
    return Recordings(
        sensor,
        torch.from_numpy(time),
        torch.from_numpy((polarity * sensor.rows + row) * sensor.cols + col),
        torch.tensor([0, len(time)]),
        None if label is None else torch.tensor([label]),
        str(file),
    )
