"""Which speech runs differ? Phone accuracies of runs at the same step, and intervals of paired differences.

    python -m benchmarks.speech_pairs runs/speech-a runs/speech-b --step 1000 --layers 5 6

All runs are read out on the same utterances (fast probe, `evaluation.phone_probe`), beside the first run's
network at random initialisation and MFCC. A difference of two networks is taken on the same resampled test
utterances, layer by layer; "*" marks intervals that leave out 0.
"""

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor

from clapp_snn.evaluation.bootstrap import bootstrap_difference, bootstrap_interval
from clapp_snn.evaluation.phone_probe import fast_phone_guesses, phone_hits
from clapp_snn.evaluation.speech_features import (
    FrameFeatures,
    encoder_frames,
    mfcc_frames,
    spoken_features,
)
from clapp_snn.run_files import CHECKPOINTS
from clapp_snn.stimuli.corpus import open_corpus
from clapp_snn.stimuli.speech_record import SpeechCorpus
from clapp_snn.training.config import read_config
from clapp_snn.training.speech_build import load_speech_encoder, random_speech_encoder

Hits = dict[int, Tensor]
CPU = torch.device("cpu")


def hits_of(read: FrameFeatures, data: SpeechCorpus) -> tuple[Hits, Tensor]:
    """Right answers of each test utterance, by layer, and the number of its labelled frames."""
    train, test = spoken_features(read, data.train), spoken_features(read, data.test)
    guesses = fast_phone_guesses(train, test, len(data.class_names))
    found = {layer: phone_hits(guess, test) for layer, guess in guesses.items()}
    count = next(iter(found.values()))[1]
    return {layer: hits for layer, (hits, _) in found.items()}, count


def readers(runs: Sequence[Path], step: int | None) -> dict[str, FrameFeatures]:
    """Features of MFCC (layer 0), of the first run at random initialisation, and of every run.

    Raises ValueError if a run has no checkpoint at `step`.
    """
    first = read_config(runs[0])
    found = {
        "MFCC": mfcc_frames(),
        "random": encoder_frames(random_speech_encoder(first, CPU), CPU),
    }
    for run in runs:
        weights = run if step is None else run / CHECKPOINTS / f"step_{step:08d}"
        if not weights.exists():
            raise ValueError(
                f"{run} has no checkpoint at step {step}; choose a milestone of all runs."
            )
        encoder = load_speech_encoder(read_config(run), weights, CPU)
        found[run.name] = encoder_frames(encoder, CPU)
    return found


def compare(runs: Sequence[Path], step: int | None = None, layers: Sequence[int] = (5, 6)) -> None:
    """Print accuracies and paired differences.

    Args:
        runs: folders of speech runs on the same data.
        step: of the checkpoints; None: the newest of each run.
        layers: whose differences are taken.
    """
    data = open_corpus(read_config(runs[0]).data, False)
    found = {}
    for name, read in readers(runs, step).items():
        found[name], count = hits_of(read, data)
        scores = []
        for hits in found[name].values():
            low, high = bootstrap_interval(hits, count)
            scores.append(f"{100 * float(hits.sum() / count.sum()):.1f} ({low:.1f}-{high:.1f})")
        print(f"{name:<24}  " + "  ".join(scores), flush=True)
    for layer in layers:
        print(f"\nlayer {layer}: differences in points")
        for one, two in combinations(found, 2):
            # MFCC have one layer only.
            a, b = (found[name][layer if layer in found[name] else 0] for name in (one, two))
            apart, low, high = bootstrap_difference(b, a, count)
            mark = " *" if low > 0 or high < 0 else ""
            print(f"{two} - {one}: {apart:+.1f} [{low:+.1f}, {high:+.1f}]{mark}")


def main() -> None:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs", type=Path, nargs="+", help="folders of speech runs on the same data"
    )
    parser.add_argument(
        "--step", type=int, help="of the checkpoints; default: the newest of each run"
    )
    parser.add_argument(
        "--layers", type=int, nargs="+", default=[5, 6], help="whose differences are taken"
    )
    options = parser.parse_args()
    compare(options.runs, options.step, options.layers)


if __name__ == "__main__":
    main()
