"""Reading speech from FLAC and WAV files, with one clear message for everything that can be wrong."""

from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Float

EXPECTED_RATE = 16000


def _soundfile() -> ModuleType:
    try:
        import soundfile
    except ImportError as error:
        raise ImportError(
            "speech files are read with soundfile, which is not installed: pip install 'clapp-snn[sound]'"
        ) from error
    module: ModuleType = soundfile
    return module


def audio_length(path: Path) -> int:
    """Number of samples according to the header.

    Raises ValueError for a file that is no audio, has another rate than 16 kHz or more than one channel, and
    ImportError without the package soundfile.
    """
    soundfile = _soundfile()
    try:
        found = soundfile.info(str(path))
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path} is no readable audio file: {error}") from error
    if found.samplerate != EXPECTED_RATE:
        raise ValueError(
            f"{path} has a sample rate of {found.samplerate} Hz; the network expects {EXPECTED_RATE} Hz: "
            "resample it"
        )
    if found.channels != 1:
        raise ValueError(
            f"{path} has {found.channels} channels; the network hears one: mix it down to mono"
        )
    return int(found.frames)


def read_audio(path: Path, start: int, stop: int) -> Float[np.ndarray, "time"]:
    """Samples start, ..., stop - 1 in [-1, 1), float32; raises ValueError for a damaged or truncated file."""
    soundfile = _soundfile()
    try:
        found, _ = soundfile.read(str(path), start=start, stop=stop, dtype="float32")
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged: {error}; fetch it again or remove it") from error
    if len(found) != stop - start:
        raise ValueError(
            f"{path} is truncated: it ends {stop - start - len(found)} samples before sample {stop}, which "
            "its header announces; fetch it again or remove it"
        )
    return np.asarray(found, np.float32)
