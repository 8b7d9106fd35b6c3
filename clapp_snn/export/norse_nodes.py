"""LIF and IF nodes of NIR as neurons of norse."""

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import torch
from norse.torch.functional.iaf import IAFFeedForwardState, IAFParameters, iaf_feed_forward_step
from norse.torch.functional.lif_box import (
    LIFBoxFeedForwardState,
    LIFBoxParameters,
    lif_box_feed_forward_step,
)
from torch import Tensor, nn


class BoxLIF(nn.Module):
    """LIF box of norse, its resistance folded into the current."""

    def __init__(self, tau: float, r: float, threshold: float, step: float) -> None:
        super().__init__()
        self.r, self.step = r, step
        inverse, level = torch.tensor(1 / tau), torch.tensor(threshold)
        self.parameters_of = LIFBoxParameters(tau_mem_inv=inverse, v_th=level)

    def forward(
        self, x: Tensor, state: LIFBoxFeedForwardState | None = None
    ) -> tuple[Tensor, LIFBoxFeedForwardState]:
        """Spikes and state after one step."""
        now = LIFBoxFeedForwardState(torch.zeros_like(x)) if state is None else state
        return lif_box_feed_forward_step(self.r * x, now, self.parameters_of, self.step)


class IntegrateAndFire(nn.Module):
    """Integrate-and-fire neuron of norse."""

    def __init__(self, threshold: float, gain: float) -> None:
        super().__init__()
        self.gain, self.parameters_of = gain, IAFParameters(v_th=torch.tensor(threshold))

    def forward(
        self, x: Tensor, state: IAFFeedForwardState | None = None
    ) -> tuple[Tensor, IAFFeedForwardState]:
        """Spikes and state after one step."""
        now = IAFFeedForwardState(torch.zeros_like(x)) if state is None else state
        return iaf_feed_forward_step(self.gain * x, now, self.parameters_of)


def node_map(step: float) -> dict[type, Callable[[Any], nn.Module]]:
    """Builders of neurons for an Euler step of `step` s."""

    def lif(node: nir.LIF) -> nn.Module:
        return BoxLIF(_one(node.tau), _one(node.r), _one(node.v_threshold), step)

    def integrate(node: nir.IF) -> nn.Module:
        return IntegrateAndFire(_one(node.v_threshold), _one(node.r) * step)

    return {nir.LIF: lif, nir.IF: integrate}


def _one(values: Any) -> float:
    return float(np.asarray(values).flat[0])
