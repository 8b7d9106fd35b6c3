"""Fast linear probe: cached, standardised features and a multinomial logistic regression.

It is not the paper's protocol (`linear_probe`): features are computed once, from the centre crop and
optionally a few augmented views, standardised with the training statistics, and the classifier is the
optimum of a convex problem instead of the last of 300 epochs of Adam. The strength of its penalty is chosen
for every layer on training images that are held out, after which all training images are fitted.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.features import standardise
from clapp_snn.evaluation.scores import LayerScore, require_finite, score_logits
from clapp_snn.numerical_failures import ConvergenceError
from clapp_snn.randomness import generator

PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)
"""Strengths of the ridge penalty that are tried, from strong to weak (scikit-learn: C = 1 / (l2 images))."""

HELD_OUT = 5
"""Every fifth training image judges the strengths; test images never do."""


SEARCH = 1e-3
"""Gradient tolerance while strengths are compared; the final fit is tighter."""


def fit_logistic(
    features: Float[Tensor, "image channel"],
    labels: Int64[Tensor, "image"],
    classes: int,
    l2: float,
    tolerance: float = 1e-4,
    max_iterations: int = 500,
) -> tuple[Float[Tensor, "class channel"], Float[Tensor, "class"]]:
    """Weights and bias that minimise mean cross entropy + l2/2 * |weights|^2 (bias free), in float64.

    L-BFGS with a strong-Wolfe line search from zero, until no entry of the gradient exceeds `tolerance`.
    It runs in coordinates in which the loss curves alike in all directions at the start, namely
    weights = v L^-1 with L L^T = X^T X / (images * classes) + l2: neighbouring pixels and random features
    are so correlated that it takes many more steps otherwise. Deterministic.

    Raises:
        ValueError: if the features are not finite or `l2` is not positive.
        ConvergenceError: if the optimum is not reached in `max_iterations`.
    """
    require_finite(features, "The features")
    if not l2 > 0:
        raise ValueError(f"The penalty l2 must be positive, not {l2}.")
    x = features.double()
    count, size = x.shape
    target = torch.nn.functional.one_hot(labels.to(x.device), classes).double()
    curvature = (x.t() @ x) / (count * classes)
    curvature.diagonal().add_(l2)
    root = torch.linalg.cholesky(curvature)
    v = torch.zeros(classes, size, dtype=torch.float64, device=x.device)
    bias = torch.zeros(classes, dtype=torch.float64, device=x.device)

    def weights() -> Tensor:
        return torch.linalg.solve_triangular(root, v, upper=False, left=False)

    def loss_and_gradient() -> Tensor:
        weight = weights()
        log_p = torch.log_softmax(torch.addmm(bias, x, weight.t()), dim=1)
        error = (log_p.exp() - target) / count
        gradient = torch.addmm(weight, error.t(), x, beta=l2)
        scaled = torch.linalg.solve_triangular(root.t(), gradient, upper=True, left=False)
        v.grad = scaled.contiguous()
        bias.grad = error.sum(dim=0)
        return -(log_p * target).sum() / count + 0.5 * l2 * weight.square().sum()

    optimiser = torch.optim.LBFGS(
        [v, bias],
        max_iter=max_iterations,
        max_eval=4 * max_iterations,
        history_size=20,
        tolerance_grad=tolerance,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    with torch.no_grad():
        optimiser.step(loss_and_gradient)
        loss_and_gradient()
    residual = max(float(part.grad.abs().max()) for part in (v, bias) if part.grad is not None)
    if residual > 100 * tolerance:
        raise ConvergenceError(
            f"The logistic regression did not converge (gradient {residual:.1e} after at most "
            f"{max_iterations} iterations). Use a larger l2 or more iterations."
        )
    return weights(), bias


def choose_penalty(
    features: Float[Tensor, "image channel"],
    labels: Int64[Tensor, "image"],
    classes: int,
    held_out: Bool[Tensor, "image"],
) -> float:
    """The strongest of `PENALTIES` that recognises most of the held-out images."""
    best, choice = -1.0, PENALTIES[0]
    for l2 in PENALTIES:
        kept = ~held_out
        weight, bias = fit_logistic(features[kept], labels[kept], classes, l2, tolerance=SEARCH)
        guess = torch.addmm(bias, features[held_out].double(), weight.t()).argmax(1)
        right = float((guess == labels[held_out].to(guess.device)).double().mean())
        if right > best:
            best, choice = right, l2
    return choice


def in_span(
    train: Float[Tensor, "image channel"], test: Float[Tensor, "test channel"]
) -> tuple[Float[Tensor, "image size"], Float[Tensor, "test size"]]:
    """Both in coordinates of the span of the training images, where the optimal weights lie.

    Fewer unknowns when there are more features than images (pixels); else returned as they are.
    """
    if train.shape[1] <= train.shape[0]:
        return train, test
    basis = torch.linalg.qr(train.double().t()).Q
    return train.double() @ basis, test.double() @ basis


def fast_probe(cache: CachedFeatures, seed: int = 0) -> list[LayerScore]:
    """Accuracy of every cached layer over all test samples; `seed` picks the held-out images."""
    views = f" + {cache.extra_views} cached views" if cache.extra_views else ""
    order = torch.randperm(cache.centre_count, generator=generator(seed, "held out"))
    held_out = (order % HELD_OUT == 0).repeat(1 + cache.extra_views)
    scores = []
    for layer in sorted(cache.train):
        require_finite(cache.test[layer], f"The test features of layer {layer}")
        train, test = in_span(*standardise(cache.train[layer], cache.test[layer]))
        l2 = choose_penalty(train, cache.train_labels, cache.classes, held_out)
        weight, bias = fit_logistic(train, cache.train_labels, cache.classes, l2)
        logits = torch.addmm(bias, test, weight.t())
        note = f"centre crop{views}, l2 {l2:g}"
        scores.append(score_logits(layer, logits, cache.test_labels, note))
    return scores
