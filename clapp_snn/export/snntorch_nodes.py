"""LIF and IF nodes of NIR as neurons of snnTorch."""

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import snntorch
import torch
from torch import Tensor, nn


class Leaky(nn.Module):
    """Leaky of snnTorch as nirtorch calls it.

    Args:
        beta: factor of the membrane in one step.
        threshold: of spikes.
        gain: what one unit of current adds to the membrane in a step.
    """

    def __init__(self, beta: float, threshold: float, gain: float) -> None:
        super().__init__()
        self.neuron = snntorch.Leaky(beta=beta, threshold=threshold, reset_mechanism="zero")
        self.gain = gain

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Spikes and membrane after one step."""
        return self.neuron(self.gain * x, torch.zeros_like(x) if state is None else state)


def node_map(step: float) -> dict[type, Callable[[Any], nn.Module]]:
    """Builders of neurons for an Euler step of `step` s."""

    def lif(node: nir.LIF) -> nn.Module:
        share = step / _one(node.tau)
        return Leaky(1 - share, _one(node.v_threshold), _one(node.r) * share)

    def integrate(node: nir.IF) -> nn.Module:
        return Leaky(1.0, _one(node.v_threshold), _one(node.r) * step)

    return {nir.LIF: lif, nir.IF: integrate}


def _one(values: Any) -> float:
    return float(np.asarray(values).flat[0])
