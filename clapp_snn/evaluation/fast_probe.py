"""Fast linear probe: cached, standardised features and a multinomial logistic regression.

It is not the paper's protocol (`linear_probe`): features are computed once, from the centre crop and
optionally a few augmented views, standardised with the training statistics, and the classifier is the
optimum of a convex problem instead of the last of 300 epochs of Adam.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn.evaluation.cache import CachedFeatures
from clapp_snn.evaluation.features import standardise
from clapp_snn.evaluation.scores import LayerScore, require_finite, score_logits

PENALTY = 1e-5
"""Weight of the penalty for each feature: `fast_probe` uses l2 = PENALTY * number of features.

So the classifier is held back alike in narrow and wide layers and in pixels (4096 features), which would
otherwise overfit. In scikit-learn's terms C = 1 / (l2 * number of training images).
"""


def fit_logistic(
    features: Float[Tensor, "image channel"],
    labels: Int64[Tensor, "image"],
    classes: int,
    l2: float,
    tolerance: float = 1e-5,
    max_iterations: int = 500,
) -> tuple[Float[Tensor, "class channel"], Float[Tensor, "class"]]:
    """Weights and bias that minimise mean cross entropy + l2/2 * |weights|^2 (bias free), in float64.

    L-BFGS with a strong-Wolfe line search from zero, until no entry of the gradient exceeds `tolerance`.
    It runs in coordinates in which the loss curves alike in all directions at the start, namely
    weights = v L^-1 with L L^T = X^T X / (images * classes) + l2: neighbouring pixels and random features
    are so correlated that it takes many more steps otherwise. Deterministic.

    Raises:
        ValueError: if the features are not finite or `l2` is not positive.
        RuntimeError: if the optimum is not reached in `max_iterations`.
    """
    require_finite(features, "The features")
    if not l2 > 0:
        raise ValueError(f"The penalty l2 must be positive, not {l2}.")
    x = features.double()
    count, size = x.shape
    if size > count:
        # The optimal weights lie in the span of the images: solve there, with fewer unknowns.
        basis, coordinates = torch.linalg.qr(x.t())
        weight, bias = fit_logistic(coordinates.t(), labels, classes, l2, tolerance, max_iterations)
        return weight @ basis.t(), bias
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
        raise RuntimeError(
            f"The logistic regression did not converge (gradient {residual:.1e} after at most "
            f"{max_iterations} iterations). Use a larger l2 or more iterations."
        )
    return weights(), bias


def fast_probe(cache: CachedFeatures, penalty: float = PENALTY) -> list[LayerScore]:
    """Accuracy of every cached layer over all test samples."""
    views = f" + {cache.extra_views} cached views" if cache.extra_views else ""
    scores = []
    for layer in sorted(cache.train):
        require_finite(cache.test[layer], f"The test features of layer {layer}")
        train, test = standardise(cache.train[layer], cache.test[layer])
        l2 = penalty * train.shape[1]
        weight, bias = fit_logistic(train, cache.train_labels, cache.classes, l2)
        logits = torch.addmm(bias, test, weight.t())
        scores.append(score_logits(layer, logits, cache.test_labels, f"centre crop{views}"))
    return scores
