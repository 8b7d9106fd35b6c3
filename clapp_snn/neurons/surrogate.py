"""A threshold that is a step forward and smooth backward; the smooth part is snnTorch's."""

from collections.abc import Callable

from torch import Tensor

Surrogate = Callable[[Tensor], Tensor]


def spike(distance: Tensor, surrogate: Surrogate | None = None) -> Tensor:
    """1 where `distance` to threshold is positive, else 0, in the precision of `distance`.

    Args:
        distance: potential minus threshold, any shape.
        surrogate: such as `snntorch.surrogate.fast_sigmoid()`; None gives a step without gradient.
    """
    if surrogate is not None:
        return surrogate(distance).to(distance.dtype)
    return (distance > 0).to(distance.dtype)


def fast_sigmoid(slope: float = 25.0) -> Surrogate:
    """snnTorch's fast sigmoid: backward 1 / (1 + slope |x|)^2; raises ValueError unless slope > 0."""
    if not slope > 0:
        raise ValueError(f"The slope of a surrogate must be positive, not {slope}.")
    from snntorch.surrogate import fast_sigmoid as of_snntorch

    made: Surrogate = of_snntorch(slope=slope)
    return made


def arctan(alpha: float = 2.0) -> Surrogate:
    """snnTorch's arctangent, backward alpha / 2 / (1 + (pi alpha x / 2)^2).

    Raises ValueError unless alpha > 0.
    """
    if not alpha > 0:
        raise ValueError(f"The width of a surrogate must be positive, not {alpha}.")
    from snntorch.surrogate import atan

    made: Surrogate = atan(alpha=alpha)
    return made
