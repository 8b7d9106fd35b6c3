"""Input activity as spikes: p spikes a step on average, evenly or by chance."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float

from clapp_snn.randomness import generator

Code = Literal["regular", "bernoulli"]

GOLDEN = (5**0.5 - 1) / 2
"""Phases of inputs are multiples of it, modulo 1: no two are close for long."""


def encode(
    p: Float[np.ndarray, "sample *input"], steps: int, code: Code = "regular", seed: int = 0
) -> Bool[np.ndarray, "time sample *input"]:
    """Spikes of `steps` steps.

    "regular": the k-th input, counted through the input of one sample, has fired floor(p t + phi_k) times
    after t steps, with the phase phi_k = k (sqrt(5) - 1) / 2 modulo 1; counts are exact to one spike, and
    inputs of equal p do not fire together. "bernoulli": in every step with probability p, independently.

    Raises ValueError for values outside [0, 1] or an unknown code.
    """
    if not (np.isfinite(p).all() and p.min(initial=0) >= 0 and p.max(initial=0) <= 1):
        raise ValueError("The input of a rate code must lie between 0 and 1 spikes a step.")
    if code == "bernoulli":
        draws = torch.rand(
            (steps, *p.shape), generator=generator(seed, "input spikes"), dtype=torch.float64
        )
        return draws.numpy() < p
    if code != "regular":
        raise ValueError(f"The input code is regular or bernoulli, not {code!r}.")
    phase = (np.arange(p[0].size) * GOLDEN % 1).reshape(p.shape[1:])
    time = np.arange(steps + 1).reshape(-1, *(1 for _ in p.shape))
    return np.diff(np.floor(time * p + phase), axis=0) > 0
