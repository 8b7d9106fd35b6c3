"""Networks that differ in seed alone learn side by side: one call of every operation serves all of them.

A study learns with the same areas again and again, and most of the time of a small network is the overhead
of its many small operations. `stack` puts the weights of several dense networks along an axis of their own;
the samples of all of them lie one behind another. Neurons, detectors, nuclei, memories and ablations work on
samples and do not notice. Only what meets weights is done for each network by itself: basal drive, prediction
and plasticity. All networks draw from one pair of random streams, so their spikes are as likely as those of
networks that learn alone (`StreamSession`), but not the same.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Adam

from clapp_snn.circuit.basal import Dense
from clapp_snn.circuit.drawn_window import drawn_windows
from clapp_snn.circuit.stream_hierarchy import StreamHierarchy
from clapp_snn.functional.objective import Retro
from clapp_snn.functional.window_plasticity import WindowTraces, WindowUpdate
from clapp_snn.neurons.noise import Streams


class ManyDense(Dense):
    """Dense projections of several networks; weights (post, network, pre), biases (network, post)."""

    def __init__(self, networks: int) -> None:
        self.networks = networks

    def split(self, samples: Tensor) -> Tensor:
        """(network, sample, ...)"""
        return samples.unflatten(0, (self.networks, -1))

    def drive(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """a = W x + b of every network."""
        return torch.baddbmm(bias[:, None], self.split(x), weight.permute(1, 2, 0)).flatten(0, 1)

    def change(self, signal: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Summed over the samples of every network."""
        signals = self.split(signal)
        weight = torch.bmm(signals.mT, self.split(x))
        return weight.transpose(0, 1).contiguous(), signals.sum(1)


class _SideBySide:
    """What a stacked area does with its lateral matrices, (network, post, post)."""

    basal: ManyDense
    W_pred: Tensor
    W_retro: Tensor | None
    retro: Retro

    def predict(self, c: Tensor) -> Tensor:
        return torch.bmm(self.basal.split(c), self.W_pred.mT).flatten(0, 1)

    def learned(self, gamma: Tensor, held: WindowTraces) -> WindowUpdate:
        """Eqs. 6-8, as `window_update`."""
        x, z, d, A, c, x_prev, d_prev = held
        signal = gamma[:, None] * A * d
        weight, bias = self.basal.change(signal, x)
        split = self.basal.split
        if self.retro != "zero":
            retro = self.W_pred if self.W_retro is None else self.W_retro.mT
            R = torch.bmm(split(z), retro).flatten(0, 1)
            before = self.basal.change(gamma[:, None] * R * d_prev, x_prev)
            weight, bias = weight + before[0], bias + before[1]
        coincidence = torch.bmm(split(gamma[:, None] * z).mT, split(c))
        own = None if self.W_retro is None else coincidence.mT.contiguous()
        return WindowUpdate(weight, bias, coincidence, own)


def stack(networks: Sequence[StreamHierarchy]) -> StreamHierarchy:
    """One network of networks that have equal areas; the given ones stay as they are.

    Raises ValueError for areas that are not dense.
    """
    result = copy.deepcopy(networks[0])
    for index in range(len(result.areas)):
        area, each = result.area(index), [network.area(index) for network in networks]
        if type(area.basal) is not Dense:
            raise ValueError("Only dense areas can be put side by side.")
        for name, _ in list(each[0].named_parameters()):
            values = torch.stack([one.get_parameter(name) for one in each], _axis(name))
            owner, _, leaf = name.rpartition(".")
            setattr(
                area.get_submodule(owner),
                leaf,
                nn.Parameter(values.contiguous(), requires_grad=False),
            )
        area.basal = ManyDense(len(networks))
        area.__class__ = type("SideBySide", (_SideBySide, type(area)), {})
    return result


def unstack(stacked: StreamHierarchy, networks: Sequence[StreamHierarchy]) -> None:
    """Copy the weights of every network back."""
    with torch.no_grad():
        for number, network in enumerate(networks):
            for name, weights in stacked.named_parameters():
                leaf = name.split(".", 2)[2]
                network.get_parameter(name).copy_(weights.select(_axis(leaf), number))


def _axis(name: str) -> int:
    """Where the networks lie: an area takes its number of units from the first axis of its weights."""
    return 1 if name == "weight" else 0


@dataclass
class SideBySide:
    """Stacked networks that learn as `StreamLearner` lets one learn with Adam.

    Attributes:
        network: from `stack`.
        networks: how many.
        batch: samples of each.
        sources: of random numbers, one an area.
        learning_rate: of Adam.
        drawn: True draws the counts of a window at once.
        windows: done so far.
        gates: sum over windows of the share of samples that learned, for every area and network.
    """

    network: StreamHierarchy
    networks: int
    batch: int
    sources: Sequence[Streams]
    learning_rate: float
    drawn: bool
    windows: int = 0
    gates: Tensor = field(init=False)

    def __post_init__(self) -> None:
        areas = [self.network.area(index) for index in range(len(self.network.areas))]
        self.optimizers = [
            Adam(area.parameters(), lr=self.learning_rate, fused=True) for area in areas
        ]
        self.states = self.network.initial_state(self.networks * self.batch)
        self.gates = torch.zeros(len(areas), self.networks)

    def learn(self, x: Tensor, y: Tensor) -> None:
        """One window; samples of the networks one behind another.

        Raises RuntimeError when weights are not finite any more.
        """
        if self.drawn:
            self.states = drawn_windows(self.network, x, self.states, self.sources)
        else:
            self.states = self.network.window(x, self.states, self.sources)
        for area, changes, reading in self.network.learn(self.states, y):
            for parameter, change in changes:
                parameter.grad = change / -self.batch
            self.optimizers[area].step()
            self.optimizers[area].zero_grad()
            self.gates[area] += reading.gamma.abs().view(self.networks, -1).mean(1)
            if not all(bool(torch.isfinite(parameter).all()) for parameter, _ in changes):
                raise RuntimeError(f"Weights of area {area + 1} are not finite any more.")
        self.states = self.network.latch(self.states)
        self.windows += 1
