"""Runs in an environment with sinabs: a NIR file and input spikes to output spikes.

    python sinabs_run.py network_nir104.nir input.npy output.npy

Node map of our own: sinabs' importer ignores r, fires several spikes a step and resets by subtraction.
"""

import math
import sys

import nir
import nirtorch
import numpy as np
import sinabs.activation as sina
import sinabs.layers as sl
import torch
from torch import nn


def filled(layer: nn.Module, node: nir.NIRNode) -> nn.Module:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.array(node.weight, np.float32)))
        layer.bias.copy_(torch.from_numpy(np.array(node.bias, np.float32)))
    return layer


class Scaled(nn.Module):
    """What a unit of current adds in a step, then the neurons, one step after another."""

    def __init__(self, gain: float, neurons: nn.Module) -> None:
        super().__init__()
        self.gain, self.neurons = gain, neurons

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.neurons(self.gain * x)


def module_of(node: nir.NIRNode, steps: int, dt: float) -> nn.Module:
    if isinstance(node, nir.Affine):
        return filled(nn.Linear(node.weight.shape[1], node.weight.shape[0]), node)
    if isinstance(node, nir.Conv2d):
        post, pre, *kernel = node.weight.shape
        stride, padding = (tuple(int(n) for n in each) for each in (node.stride, node.padding))
        return filled(nn.Conv2d(pre, post, kernel, stride, padding), node)
    if isinstance(node, nir.SumPool2d):
        size = tuple(int(n) for n in node.kernel_size)
        return sl.SumPool2d(size, size)
    if isinstance(node, nir.Flatten):
        return nn.Flatten(1)
    if isinstance(node, nir.IF | nir.LIF):
        common = {
            "spike_threshold": torch.tensor(float(node.v_threshold.flat[0])),
            "spike_fn": sina.SingleSpike,
            "reset_fn": sina.MembraneReset(),
            "num_timesteps": steps,
            "min_v_mem": None,
        }
        r = float(node.r.flat[0])
        if isinstance(node, nir.IF):
            return Scaled(r * dt, sl.IAFSqueeze(**common))
        share = dt / float(node.tau.flat[0])
        tau = torch.tensor(-1 / math.log(1 - share), dtype=torch.float64)
        return Scaled(r * share, sl.LIFSqueeze(tau_mem=tau, norm_input=False, **common))
    return nn.Identity()


def main(graph_path: str, input_path: str, output_path: str) -> None:
    graph = nir.read(graph_path)
    dt = float(graph.metadata["dt"])
    x = np.load(input_path).astype(np.float32)
    steps, samples = x.shape[:2]
    # sinabs takes samples and time on one axis, time running faster.
    flat = torch.from_numpy(x.swapaxes(0, 1).reshape(steps * samples, *x.shape[2:]).copy())
    network = nirtorch.load(graph, lambda node: module_of(node, steps, dt))
    with torch.no_grad():
        found = network(flat)
    found = found[0] if isinstance(found, tuple) else found
    spikes = found.numpy().reshape(samples, steps, *found.shape[1:]).swapaxes(0, 1)
    np.save(output_path, spikes)


if __name__ == "__main__":
    main(*sys.argv[1:])
