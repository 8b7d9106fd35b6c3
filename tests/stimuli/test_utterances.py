"""The synthetic speech: resonances where they should be, labels that fit, speakers that differ."""

import numpy as np
import pytest
from scipy.signal import freqz, welch

from clapp_snn.stimuli.formant_synthesis import PHONES, Voice, resonator, speak
from clapp_snn.stimuli.utterances import open_utterances, voices

NAMES = [phone.name for phone in PHONES]
PLAIN = Voice("plain", 100.0, 1.0, 4.0)


def spoken(name: str, voice: Voice = PLAIN) -> tuple[np.ndarray, np.ndarray]:
    wave, labels = speak([0, NAMES.index(name), 0], voice, np.random.default_rng(0))
    inside = np.flatnonzero(np.repeat(labels, 160) == NAMES.index(name))
    return wave[inside[1600:-800]], labels


def power(wave: np.ndarray, low: float, high: float) -> float:
    frequency, density = welch(wave, 16000, nperseg=512)
    return float(density[(frequency >= low) & (frequency < high)].mean())


@pytest.mark.parametrize("frequency", [300.0, 1000.0, 3000.0])
def test_a_resonator_peaks_at_its_frequency_with_its_bandwidth(frequency: float) -> None:
    at, response = freqz(*resonator(frequency, 80.0), worN=2**15, fs=16000)
    gain = np.abs(response)
    assert gain[0] == pytest.approx(1)
    assert at[gain.argmax()] == pytest.approx(frequency, rel=0.01)
    wide = at[gain > gain.max() / np.sqrt(2)]
    assert wide[-1] - wide[0] == pytest.approx(80, rel=0.06)


@pytest.mark.parametrize("vowel", ["IY", "AA", "UW"])
def test_a_vowel_has_its_formants(vowel: str) -> None:
    """More power around the second formant than in the valleys on both sides of it."""
    wave, _ = spoken(vowel)
    first, second, third = PHONES[NAMES.index(vowel)].resonances
    peak = power(wave, second - 100, second + 100)
    valley = (second + third) / 2
    assert peak > 4 * power(wave, valley - 80, valley + 80)
    assert power(wave, first - 80, first + 80) > 4 * power(wave, 5000, 7000)


def test_manners_differ() -> None:
    assert power(spoken("S")[0], 5000, 7000) > 20 * power(spoken("S")[0], 200, 1000)
    wave, labels = speak([0, NAMES.index("AA"), 0], PLAIN, np.random.default_rng(0))
    silent = wave[: 160 * (int((labels == 0).argmin()) - 3)]
    assert np.abs(silent).max() < 0.1 * np.abs(wave).max()


def test_pitch_and_tract_belong_to_the_speaker() -> None:
    low, high = (spoken("AA", Voice("x", pitch, 1.0, 4.0))[0] for pitch in (100.0, 200.0))

    def period(wave: np.ndarray) -> int:
        """Lag with the highest correlation in the middle, where the falling pitch is near its mean."""
        part = wave[len(wave) // 2 :][:1000]
        return int(np.correlate(part, part[:600], "valid")[60:250].argmax()) + 60

    assert period(low) == pytest.approx(160, rel=0.15)
    assert period(high) == pytest.approx(80, rel=0.15)


def test_the_corpus_is_reproducible_and_labelled() -> None:
    one, two = open_utterances(2, 2, 1), open_utterances(2, 2, 1)
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint != open_utterances(2, 2, 1, seed=1).fingerprint
    assert "no recorded speech" in one.note
    assert (len(one.train), len(one.test), len(one.unlabeled)) == (4, 2, 4)
    for utterance in one.train.utterances:
        assert isinstance(utterance.source, np.ndarray)
        assert utterance.phones is not None
        assert len(utterance.source) == utterance.samples == 160 * len(utterance.phones) > 20480
        assert np.abs(utterance.source).max() == pytest.approx(0.5)
        assert float(utterance.audio().std()) > 0.5
    names = [voice.name for voice in voices()]
    assert len(set(names)) == 6
