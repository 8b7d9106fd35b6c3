"""Supervised training of a spiking network by surrogate gradients through time: the upper bound.

Layers of snnTorch's `Leaky` neurons, dense as the areas they are compared with, learn with labels and
back-propagation through all layers and time steps. Logits are linear in the spike counts of the last layer,
as in the linear probe.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from clapp_snn.numerical_failures import DivergenceError
from clapp_snn.randomness import generator
from clapp_snn.stimuli.glances import GlanceStream


class Learned(NamedTuple):
    """One presentation of a batch.

    Attributes:
        loss: cross entropy, before the step of the optimiser.
        accuracy: share of the batch that was recognised, likewise.
    """

    loss: float
    accuracy: float


class SurrogateNetwork(nn.Module):
    """Spiking layers and a linear read-out of the spike counts of the last one.

    Args:
        sizes: inputs, then units of each layer.
        classes: of the read-out.
        seed: of the weights, U(-gain, gain) / sqrt(inputs); read-out and biases with gain 1.
        beta: decay of the membranes in a time step.
        slope: of snnTorch's fast sigmoid.
        gain: 1 would leave upper layers nearly silent.

    Raises ValueError for fewer than two sizes or a size below 1.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        classes: int,
        seed: int,
        beta: float = 0.9,
        slope: float = 5.0,
        gain: float = 3.0,
    ) -> None:
        super().__init__()
        if len(sizes) < 2 or min(*sizes, classes) < 1:
            raise ValueError(f"no network has the sizes {list(sizes)} and {classes} classes")
        from snntorch import Leaky
        from snntorch.surrogate import fast_sigmoid

        pairs = list(pairwise(sizes))
        self.layers = nn.ModuleList(nn.Linear(pre, post) for pre, post in pairs)
        self.neurons = nn.ModuleList(
            Leaky(beta=beta, spike_grad=fast_sigmoid(slope=slope)) for _ in pairs
        )
        self.readout = nn.Linear(sizes[-1], classes)
        with torch.no_grad():
            for index, layer in enumerate([*self.layers, self.readout]):
                bound = float(layer.weight.shape[1]) ** -0.5
                stream = generator(seed, "init", "surrogate", index)
                spread = bound * (gain if index < len(pairs) else 1.0)
                layer.weight.uniform_(-spread, spread, generator=stream)
                layer.bias.uniform_(-bound, bound, generator=stream)

    def spikes(
        self, x: Float[Tensor, "sample step *input"]
    ) -> list[Float[Tensor, "step sample unit"]]:
        """Spikes of every layer, from rest. The input of all steps is weighted at once, as it is known."""
        x = x.flatten(2).transpose(0, 1)
        result = []
        for layer, leaky in zip(self.layers, self.neurons, strict=True):
            membrane, spikes = torch.zeros(()), []
            for current in layer(x).unbind():
                spike, membrane = leaky(current, membrane)
                spikes.append(spike)
            x = torch.stack(spikes)
            result.append(x)
        return result

    def forward(self, x: Float[Tensor, "sample step *input"]) -> Float[Tensor, "sample class"]:
        """Logits: read-out of the spike counts of the last layer."""
        logits: Tensor = self.readout(self.spikes(x)[-1].sum(0))
        return logits

    @torch.no_grad()
    def counts(self, x: Float[Tensor, "sample step *input"]) -> list[Float[Tensor, "sample unit"]]:
        """Spikes of every layer while these samples are shown from rest."""
        return [spikes.sum(0) for spikes in self.spikes(x)]


def train_supervised(
    network: SurrogateNetwork, stream: GlanceStream, windows: int, learning_rate: float = 1e-3
) -> Iterator[Learned]:
    """Adam on the cross entropy of every glance of a stream; yields after each window.

    The stream shows what unsupervised networks see, in the same order; its fixations and saccades mean
    nothing here.

    Raises ValueError for objects without labels, DivergenceError when the loss is not finite.
    """
    labels = stream.objects.labels
    if labels is None:
        raise ValueError("supervised training needs labelled objects")
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    position = stream.start()
    for window in range(windows):
        glance, position = stream.next(position)
        target = labels[glance.index]
        logits = network(glance.view)
        loss = F.cross_entropy(logits, target)
        if not bool(torch.isfinite(loss)):
            raise DivergenceError(
                f"The loss of window {window + 1} is not finite. Use a smaller learning rate."
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield Learned(float(loss.detach()), float((logits.argmax(1) == target).float().mean()))
