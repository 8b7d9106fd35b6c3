"""Who speaks? A linear readout of the mean activity over 1.28 s, for every layer.

The published protocol averages the features of a window of 128 frames; here the windows lie side by side in
every utterance, their means are standardised, and a logistic regression takes the place of 50 epochs of Adam.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.evaluation.bootstrap import bootstrap_interval, hits_per_owner
from clapp_snn.evaluation.fast_probe import fit_logistic
from clapp_snn.evaluation.features import standardise
from clapp_snn.evaluation.scores import LayerScore
from clapp_snn.evaluation.speech_features import SpokenFeatures

FRAMES = 128
PENALTY = 1e-2


def window_means(
    values: Float[Tensor, "row channel"], owner: Int64[Tensor, "row"]
) -> tuple[Float[Tensor, "window channel"], Int64[Tensor, "window"]]:
    """Mean of every whole window of 128 frames, and the utterance it belongs to."""
    means, whose = [], []
    for number, rows in enumerate(values.split(torch.bincount(owner).tolist())):
        windows = rows[: len(rows) // FRAMES * FRAMES].unflatten(0, (-1, FRAMES)).mean(1)
        means.append(windows)
        whose.append(torch.full((len(windows),), number))
    return torch.cat(means), torch.cat(whose)


def speaker_probe(train: SpokenFeatures, test: SpokenFeatures) -> list[LayerScore]:
    """Share of test windows whose speaker is recognised, with the interval over utterances.

    Raises ValueError when there is one speaker only, or one that is only in the test.
    """
    names = sorted(set(train.speakers))
    if len(names) < 2 or not set(test.speakers) <= set(names):
        raise ValueError(
            "A speaker probe needs at least two speakers, and training utterances of all who are in the test."
        )
    of_train = torch.tensor([names.index(name) for name in train.speakers])
    of_test = torch.tensor([names.index(name) for name in test.speakers])
    scores = []
    for layer in sorted(train.layers):
        seen, seen_from = window_means(train.layers[layer], train.owner)
        judged, judged_from = window_means(test.layers[layer], test.owner)
        seen, judged = standardise(seen, judged)
        weight, bias = fit_logistic(seen, of_train[seen_from], len(names), PENALTY)
        right = torch.addmm(bias, judged, weight.t()).argmax(1) == of_test[judged_from]
        hits, count = hits_per_owner(right, judged_from, len(test.speakers))
        low, high = bootstrap_interval(hits, count)
        accuracy = 100 * float(hits.sum() / count.sum())
        note = f"{len(names)} speakers, means over 1.28 s"
        scores.append(LayerScore(layer, accuracy, low, high, len(right), None, note))
    return scores
