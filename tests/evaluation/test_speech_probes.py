"""Phone and speaker probes on features made by hand, and their intervals."""

import math

import pytest
import torch

from clapp_snn.encoders.speech import SPEECH6, SpeechEncoder
from clapp_snn.evaluation.bootstrap import (
    bootstrap_difference,
    bootstrap_interval,
    hits_per_owner,
)
from clapp_snn.evaluation.phone_probe import fast_phone_probe, paper_phone_probe
from clapp_snn.evaluation.speaker_probe import speaker_probe, window_means
from clapp_snn.evaluation.speech_features import (
    SpokenFeatures,
    encoder_frames,
    mfcc_frames,
    spoken_features,
)
from clapp_snn.randomness import generator
from clapp_snn.stimuli.utterances import open_utterances

CLASSES, SIZE, FRAMES = 4, 6, 260


def made(seed: int, utterances: int = 10, noise: float = 0.5, skip: int = 0) -> SpokenFeatures:
    """Layer 1 tells phones apart, layer 2 only speakers; the first `skip` frames have no label."""
    stream = generator(seed, "features")
    phones = torch.randint(0, CLASSES, (utterances * FRAMES,), generator=stream)
    owner = torch.arange(utterances).repeat_interleave(FRAMES)
    codes = torch.eye(SIZE)
    telling = codes[phones] + noise * torch.randn(len(phones), SIZE, generator=stream)
    voices = codes[owner % 3] + noise * torch.randn(len(phones), SIZE, generator=stream)
    known = phones.clone()
    known[torch.arange(len(phones)) % FRAMES < skip] = -1
    names = [f"speaker{number % 3}" for number in range(utterances)]
    return SpokenFeatures({1: telling, 2: voices}, owner, known, names)


def best_accuracy(noise: float) -> float:
    """Of the optimal classifier: the right code is nearest; by integration over its noise."""
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    density = torch.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
    below = 0.5 * (1 + torch.erf((grid + 1 / noise) / math.sqrt(2)))
    return float(100 * torch.trapezoid(density * below ** (CLASSES - 1), grid))


def test_the_fast_probe_reaches_the_optimal_classifier() -> None:
    layers = fast_phone_probe(made(0), made(1, skip=3), CLASSES)
    assert [score.layer for score in layers] == [1, 2]
    expected = best_accuracy(0.5)
    # 2570 test frames: 4.5 standard errors of a share.
    assert layers[0].n_test == 10 * (FRAMES - 3)
    tolerance = 4.5 * 100 * math.sqrt(expected / 100 * (1 - expected / 100) / layers[0].n_test)
    assert abs(layers[0].accuracy - expected) < tolerance
    assert layers[0].low < layers[0].accuracy < layers[0].high
    assert layers[1].accuracy < 35


def test_the_papers_probe_learns_slowly_but_learns() -> None:
    first = paper_phone_probe(made(0), made(1), CLASSES, epochs=1)[0]
    later = paper_phone_probe(made(0), made(1), CLASSES, epochs=150)[0]
    assert later.accuracy > first.accuracy + 10
    assert later.note == "epoch 150, one utterance a step"


def test_the_speaker_probe_reads_means_of_windows() -> None:
    layers = speaker_probe(made(0), made(1))
    assert layers[1].accuracy == 100
    assert layers[0].accuracy < 80
    assert layers[1].n_test == 20
    features = made(0)
    means, owner = window_means(features.layers[1], features.owner)
    assert torch.allclose(means[1], features.layers[1][128:256].mean(0))
    assert owner[:4].tolist() == [0, 0, 1, 1]


def test_refusals() -> None:
    bare = made(0)
    bare.phones[:FRAMES] = -1
    with pytest.raises(ValueError, match="have no phone labels"):
        fast_phone_probe(bare, made(1), CLASSES)
    alone = SpokenFeatures(bare.layers, bare.owner, bare.phones, ["one"] * 10)
    with pytest.raises(ValueError, match="at least two speakers"):
        speaker_probe(alone, alone)
    with pytest.raises(ValueError, match="no answers"):
        bootstrap_interval(torch.zeros(0), torch.zeros(0))


def test_the_bootstrap_interval_is_that_of_the_mean_of_utterances() -> None:
    """Equal lengths: half the width is 1.96 standard errors of the mean over utterances (normal limit)."""
    stream = generator(0, "hits")
    hits = torch.randint(20, 80, (400,), generator=stream).double()
    count = torch.full((400,), 100.0, dtype=torch.float64)
    low, high = bootstrap_interval(hits, count)
    error = 1.96 * float(hits.std()) / math.sqrt(400)
    assert (low + high) / 2 == pytest.approx(float(hits.mean()), abs=0.15)
    # 2000 resamples: a quantile of 2.5 % is known to about 4 % of the half width (1 sd).
    assert (high - low) / 2 == pytest.approx(error, rel=0.15)


def test_hits_are_counted_by_utterance() -> None:
    right = torch.tensor([True, False, True, True])
    hits, count = hits_per_owner(right, torch.tensor([0, 0, 2, 2]), 3)
    assert hits.tolist() == [1, 0, 2]
    assert count.tolist() == [2, 0, 2]


def test_features_of_utterances_lie_beside_their_labels() -> None:
    split = open_utterances(2, 1, 1).train
    encoder = SpeechEncoder(SPEECH6, 1 / 128)
    encoder.reset_parameters(generator(0, "x"))
    found = spoken_features(encoder_frames(encoder, torch.device("cpu")), split)
    cepstra = spoken_features(mfcc_frames(), split)
    assert sorted(found.layers) == [1, 2, 3, 4, 5, 6]
    assert {len(values) for values in found.layers.values()} == {len(cepstra.layers[0])}
    assert len(found.phones) == sum(utterance.frames for utterance in split.utterances)
    second = split.utterances[1]
    start = split.utterances[0].frames
    assert torch.equal(found.phones[start:], second.phones)
    direct = encoder.features(second.audio()[None])[3][0]
    assert torch.allclose(found.layers[4][start:], direct)


def test_a_paired_difference_leaves_out_what_utterances_share() -> None:
    """Utterances differ much, encoders by 3 points in each: the interval of the difference is that of 3."""
    stream = generator(3, "utterances")
    count = torch.full((20,), 100.0, dtype=torch.float64)
    one = torch.randint(20, 80, (20,), generator=stream).double()
    apart, low, high = bootstrap_difference(one + 3, one, count)
    assert apart == pytest.approx(3)
    assert (low, high) == pytest.approx((3, 3))
    wide = bootstrap_interval(one, count)
    assert wide[1] - wide[0] > 10
    # Against the closed form: the standard error of a mean of 20, 1.96 to each side, within a fifth.
    noisy = one + torch.randn(20, generator=stream, dtype=torch.float64) * 5
    apart, low, high = bootstrap_difference(noisy, one, count)
    expected = 2 * 1.96 * float((noisy - one).std()) / math.sqrt(20)
    assert high - low == pytest.approx(expected, rel=0.2)
    assert low < apart < high
