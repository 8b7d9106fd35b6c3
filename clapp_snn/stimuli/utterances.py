"""The embedded speech: nonsense syllables of a formant synthesiser, with exactly known phone labels.

No package on PyPI that we looked at ships real speech with phone labels and several speakers in a few
megabytes under a permissive licence, so the default is synthesised (`formant_synthesis`). It is no speech
corpus, and accuracies on it say nothing about one: it shows that everything works, without a download.
"""

import numpy as np
import torch

from clapp_snn.stimuli.formant_synthesis import CONSONANTS, PHONES, VOWELS, Voice, speak
from clapp_snn.stimuli.speech_record import SpeechCorpus, SpeechSplit, Utterance

SPEAKERS = 6
TRAIN, TEST = 8, 3
"""Utterances of each speaker."""

SYLLABLES = 14


def voices(count: int = SPEAKERS) -> list[Voice]:
    """Speakers from low and long to high and short."""
    steps = [number / max(1, count - 1) for number in range(count)]
    return [
        Voice(f"voice{number + 1}", 95 + 125 * x, 0.95 + 0.25 * x, 1.1 - 0.2 * (number % 2))
        for number, x in enumerate(steps)
    ]


def open_utterances(
    speakers: int = SPEAKERS, train: int = TRAIN, test: int = TEST, seed: int = 0
) -> SpeechCorpus:
    """Synthesise the corpus; the same arguments always give the same sound.

    Learning without labels uses the training utterances. Fewer speakers and utterances make it quicker.
    """
    parts: dict[str, list[Utterance]] = {"train": [], "test": []}
    for index, voice in enumerate(voices(speakers)):
        for number in range(train + test):
            draws = np.random.default_rng((seed, index, number))
            wave, labels = speak(_syllables(draws), voice, draws)
            name = f"{voice.name}-{number}"
            part = "train" if number < train else "test"
            parts[part].append(
                Utterance(name, voice.name, wave, len(wave), torch.from_numpy(labels))
            )
    splits = {key: SpeechSplit(utterances) for key, utterances in parts.items()}
    splits["unlabeled"] = splits["train"]
    seconds = sum(one.samples for each in parts.values() for one in each) / 16000
    note = (
        f"Synthetic: {seconds:.0f} s of nonsense syllables by {speakers} voices of a formant synthesiser "
        f"({len(PHONES)} phones, labels exact); no recorded speech."
    )
    return SpeechCorpus("utterances", note, [phone.name for phone in PHONES], splits)


def _syllables(draws: np.random.Generator) -> list[int]:
    """Silence, consonant-vowel syllables with a pause now and then, silence."""
    phones = [0]
    for _ in range(SYLLABLES):
        phones += [int(draws.choice(CONSONANTS)), int(draws.choice(VOWELS))]
        if draws.random() < 0.15:
            phones.append(0)
    return [*phones, 0]
