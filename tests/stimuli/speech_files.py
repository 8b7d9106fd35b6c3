"""A small corpus in LibriSpeech's layout, synthesised, with labels and split lists."""

from pathlib import Path

import numpy as np
import pytest

from clapp_snn.stimuli.utterances import open_utterances

soundfile = pytest.importorskip("soundfile")


def write_corpus(folder: Path, speakers: int = 2, train: int = 2, test: int = 1) -> Path:
    """FOLDER/LibriSpeech/small/SPEAKER/1/SPEAKER-1-000N.flac, aligned_phones.txt, train and test lists."""
    made = open_utterances(speakers, train, test)
    home = folder / "LibriSpeech"
    lines, lists = [], {"train": [], "test": []}
    for part, split in (("train", made.train), ("test", made.test)):
        for number, utterance in enumerate(split.utterances):
            speaker = utterance.speaker.removeprefix("voice")
            count = number % (train if part == "train" else test) + (train if part == "test" else 0)
            name = f"{speaker}-1-{count:04d}"
            file = home / "small" / speaker / "1" / f"{name}.flac"
            file.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(file, np.asarray(utterance.source), 16000)
            assert utterance.phones is not None
            lines.append(" ".join([name, *map(str, utterance.phones.tolist())]))
            lists[part].append(name)
    (home / "aligned_phones.txt").write_text("\n".join(lines) + "\n")
    (home / "phones.txt").write_text("".join(f"{i} {n}\n" for i, n in enumerate(made.class_names)))
    for part, names in lists.items():
        (home / f"{part}_split.txt").write_text("\n".join(names) + "\n")
    return folder
