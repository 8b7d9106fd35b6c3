"""Which phone is it? A linear readout of every 10 ms, for every layer.

"fast" standardises cached features and fits a multinomial logistic regression of fixed penalty to every third
training frame: neighbours are 10 ms apart and much alike. All test frames count. "paper" follows the
published protocol (Lowe et al. 2019, arXiv:1905.11786): one linear layer, cross entropy, Adam with learning
rate 1e-4, one whole utterance a step in list order, 20 epochs, features as they are.
"""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.evaluation.bootstrap import bootstrap_interval, hits_per_owner
from clapp_snn.evaluation.fast_probe import fit_logistic
from clapp_snn.evaluation.features import standardise
from clapp_snn.evaluation.scores import LayerScore
from clapp_snn.evaluation.speech_features import SpokenFeatures
from clapp_snn.randomness import generator

EPOCHS, LEARNING_RATE = 20, 1e-4
THINNED, PENALTY, TOLERANCE = 3, 1e-3, 1e-3
"""Of the fast probe: one frame in three, ridge penalty, gradient tolerance."""


def phone_hits(
    guess: Int64[Tensor, "row"], features: SpokenFeatures
) -> tuple[Float[Tensor, "owner"], Float[Tensor, "owner"]]:
    """Right and all answers of each utterance, for guesses of its labelled frames."""
    known = features.labelled
    right = guess == features.phones[known]
    return hits_per_owner(right, features.owner[known], len(features.speakers))


def phone_score(
    layer: int,
    guess: Int64[Tensor, "row"],
    features: SpokenFeatures,
    note: str,
) -> LayerScore:
    """Share of labelled frames that are right, with the interval over utterances."""
    hits, count = phone_hits(guess, features)
    low, high = bootstrap_interval(hits, count)
    accuracy = 100 * float(hits.sum() / count.sum())
    return LayerScore(layer, accuracy, low, high, int(count.sum()), None, note)


def fast_phone_guesses(
    train: SpokenFeatures, test: SpokenFeatures, classes: int
) -> dict[int, Int64[Tensor, "row"]]:
    """Phone of every labelled test frame, by layer; raises ValueError when labels are missing."""
    require_labels(train, test)
    chosen = torch.nonzero(train.labelled).flatten()[::THINNED]
    labels = train.phones[chosen]
    guesses = {}
    for layer in sorted(train.layers):
        seen, judged = standardise(train.layers[layer][chosen], test.layers[layer][test.labelled])
        weight, bias = fit_logistic(seen, labels, classes, PENALTY, tolerance=TOLERANCE)
        guesses[layer] = torch.addmm(bias, judged, weight.t()).argmax(1)
    return guesses


def fast_phone_probe(train: SpokenFeatures, test: SpokenFeatures, classes: int) -> list[LayerScore]:
    """Accuracy of every layer; raises ValueError when labels are missing."""
    note = f"logistic regression on every third frame, l2 {PENALTY:g}"
    guesses = fast_phone_guesses(train, test, classes)
    return [phone_score(layer, guess, test, note) for layer, guess in guesses.items()]


def paper_phone_probe(
    train: SpokenFeatures,
    test: SpokenFeatures,
    classes: int,
    seed: int = 0,
    epochs: int = EPOCHS,
) -> list[LayerScore]:
    """Accuracy of every layer after the last epoch of the published protocol."""
    require_labels(train, test)
    known = train.labelled
    starts = torch.bincount(train.owner[known], minlength=len(train.speakers)).tolist()
    scores = []
    for layer in sorted(train.layers):
        size = train.layers[layer].shape[1]
        stream = generator(seed, "phone probe", layer)
        # Xavier-normal weight, default bias, as published.
        weight = torch.randn(classes, size, generator=stream) * math.sqrt(2 / (size + classes))
        bias = torch.empty(classes).uniform_(-(size**-0.5), size**-0.5, generator=stream)
        heads = [weight.requires_grad_(), bias.requires_grad_()]
        optimiser = torch.optim.Adam(heads, lr=LEARNING_RATE)
        features = train.layers[layer][known].split(starts)
        labels = train.phones[known].split(starts)
        for _ in range(epochs):
            for frames, phones in zip(features, labels, strict=True):
                loss = F.cross_entropy(F.linear(frames, weight, bias), phones)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        with torch.no_grad():
            guess = F.linear(test.layers[layer][test.labelled], weight, bias).argmax(1)
        scores.append(phone_score(layer, guess, test, f"epoch {epochs}, one utterance a step"))
    return scores


def require_labels(*parts: SpokenFeatures) -> None:
    """Raise ValueError when an utterance has no phone labels."""
    if not all(
        bool(torch.isin(torch.arange(len(p.speakers)), p.owner[p.labelled]).all()) for p in parts
    ):
        raise ValueError(
            "Some utterances of the train and test lists have no phone labels; a phone probe needs them for "
            "all (converted_aligned_phones.txt or aligned_phones.txt). The speaker probe needs none."
        )
