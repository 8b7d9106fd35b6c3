"""SoftHebb: Journe, Garcia Rodriguez, Guo and Moraitis, ICLR 2023 (arXiv:2209.11883).

No error, target or feedback: at every place of the map the neurons of a layer compete in a soft
winner-take-all, and each moves its weights towards or away from what it sees,

    y = softmax(u / tau)      s_k = +1 for the neuron with the largest u, -1 for all others (anti-Hebbian)
    dw_k = eta_k sum over images and places of s_k y_k (x - u_k w_k)
    eta_k = eta | |w_k| - 1 |^(1/2)

where the sum is scaled so that the largest change of the layer is 1. The decay draws |w_k| to 1, and a
neuron stops to learn when it is there. Inputs have mean 0 and variance 1 in every channel (statistics of the
batch; running ones when the layer does not learn). Settings are those of the published code (repository
NeuromorphicComputing/SoftHebb) for its deepest network on STL-10, which has four such layers; layers 5 and 6
take those of the fourth.
"""

from collections.abc import Iterable, Iterator
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from clapp_snn import native
from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.network import AreaUpdate, ModuleLoss, SaccadeStream
from clapp_snn.encoders.competing import CompetingEncoder
from clapp_snn.encoders.vgg import Architecture
from clapp_snn.functional.competition import Map, by_place, correlate

RATES = (0.08, 0.005, 0.01, 0.01, 0.01, 0.01)
INVERSE_TEMPERATURES = (1.0, 0.65, 0.45, 0.25, 0.25, 0.25)
POWERS = (0.7, 0.7, 1.4, 1.0, 1.0, 1.0)
RADIUS = 25.0
"""Expected norm of the initial weights of a neuron."""

TOGETHER = 2
"""Images whose maps are held at once."""

PUBLISHED = 2e-4
"""The learning rate of a run that stands for `RATES`; others scale them."""


class SoftHebbEncoder(CompetingEncoder):
    """Channels are normalised over the batch; neurons have no bias.

    Attributes:
        mean_N, variance_N: running statistics of the input of layer N (from 0), for responses without
            learning.
        momentum: share of a batch in them.

    Raises ValueError for more layers than there are settings.
    """

    powers = POWERS
    momentum = 0.1

    def __init__(
        self, architecture: Architecture, width: float = 1.0, in_channels: int = 1
    ) -> None:
        super().__init__(architecture, width, in_channels)
        if len(self.channels) > len(RATES):
            raise ValueError(
                f"SoftHebb has settings for {len(RATES)} layers, not {len(self.channels)}."
            )
        for index, pre in enumerate([in_channels, *self.channels[:-1]]):
            self.register_buffer(f"mean_{index}", torch.zeros(pre))
            self.register_buffer(f"variance_{index}", torch.ones(pre))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator) -> None:
        """The directions of weights that every encoder starts from, with norms around `RADIUS`."""
        super().reset_parameters(generator)
        for index in range(len(self.channels)):
            self.layer(index).weight.mul_(RADIUS * 3**0.5)
            self.layer(index).bias.zero_()
            self.get_buffer(f"mean_{index}").zero_()
            self.get_buffer(f"variance_{index}").fill_(1)

    def normalise(self, index: int, x: Map, *, learn: bool) -> Map:
        """Mean 0 and variance 1 of every channel; `learn` takes those of the batch and remembers them."""
        mean, variance = self.get_buffer(f"mean_{index}"), self.get_buffer(f"variance_{index}")
        return F.batch_norm(x, mean, variance, training=learn, momentum=self.momentum)

    @property
    def unsettled(self) -> bool:
        """Whether all running statistics are those of initialisation."""
        return all(
            not self.get_buffer(f"mean_{index}").any()
            and bool((self.get_buffer(f"variance_{index}") == 1).all())
            for index in range(len(self.channels))
        )

    @torch.no_grad()
    def settle(self, batches: Iterable[Float[Tensor, "image channel row col"]]) -> None:
        """Running statistics as the plain means of those of some batches; weights stay."""
        usual = self.momentum
        try:
            for number, images in enumerate(batches, start=1):
                self.momentum = 1 / number
                x = self.patches(images)
                for index in range(len(self.channels)):
                    x = self.respond(index, x, learn=True).output
        finally:
            self.momentum = usual

    def change(
        self, index: int, seen: Map, u: Map, bias: Map | None = None
    ) -> Float[Tensor, "post pre 3 3"]:
        """Hebbian change of layer `index`, not yet scaled; the native kernels may overwrite `u`.

        `bias` is added to the summed input in the competition for plasticity, and nowhere else.
        """
        weight, inverse = self.layer(index).weight, INVERSE_TEMPERATURES[index]
        if self.active != "native":
            rivals = u if bias is None else u + bias
            return hebbian_change(seen, u, soft_winner(rivals, inverse), weight)
        signal = by_place(u if bias is None else u + bias)
        decay = native.soft_winner_(signal, inverse)
        if bias is not None:
            decay -= (signal * by_place(bias)).sum((0, 1, 2))
        return (
            native.conv_correlate(by_place(seen), signal)[0] - decay[:, None, None, None] * weight
        )


def soft_winner(u: Map, inverse_temperature: float) -> Map:
    """s_k y_k: the soft winner-take-all at every place, positive for the winner and negative for the rest."""
    y = (inverse_temperature * u).softmax(1)
    return torch.where(y == y.amax(1, keepdim=True), y, -y)


def hebbian_change(
    seen: Map, u: Map, activity: Map, weight: Float[Tensor, "post pre 3 3"]
) -> Float[Tensor, "post pre 3 3"]:
    """Sum over images and places of activity_k (x - u_k w_k)."""
    decay = (activity * u).sum((0, 2, 3))
    return correlate(seen, activity)[0] - decay[:, None, None, None] * weight


def scaled(
    index: int, weight: Float[Tensor, "post pre 3 3"], change: Float[Tensor, "post pre 3 3"]
) -> tuple[Float[Tensor, "post pre 3 3"], Float[Tensor, ""]]:
    """eta_k dw_k over `PUBLISHED`, scaled to the rate of the layer, and the mean distance of norms from 1."""
    apart = (weight.flatten(1).norm(dim=1) - 1).abs()
    rate = RATES[index] / PUBLISHED * apart.sqrt() / (change.abs().amax() + 1e-30)
    return rate[:, None, None, None] * change, apart.mean()


class SoftHebb(ImageNetwork):
    """An encoder of whole images whose layers learn by SoftHebb; there are no other weights.

    Changes are steps to be taken as they are (`plain_steps`). The loss of a layer is the mean distance of its
    norms from 1, which falls as it converges; gates do not exist and are reported as 0.
    """

    grid = 1
    plain_steps = True

    @torch.no_grad()
    def learn(
        self, stimulus: Float[Tensor, "image channel row col"], streams: SaccadeStream, group: int
    ) -> Iterator[AreaUpdate]:
        """Updates layer by layer, each before the next layer has responded; nothing is drawn."""
        x = self.encoder.patches(stimulus)
        for index in range(len(self.encoder.channels)):
            update, x = self._update(index, x)
            yield update

    @torch.no_grad()
    def learn_area(
        self,
        index: int,
        stimulus: Float[Tensor, "image channel row col"],
        streams: SaccadeStream,
        group: int,
    ) -> AreaUpdate:
        """The update of one layer; those below respond with their running statistics."""
        x = self.below(index, stimulus)
        return self._update(index, x)[0]

    def running_statistics(self) -> list[Tensor]:
        """Mean and variance of the input of every layer."""
        return list(self.encoder.buffers())

    def _update(self, index: int, x: Tensor) -> tuple[AreaUpdate, Tensor]:
        """Update and output; a few images at a time, so that maps stay small."""
        encoder, weight = cast(SoftHebbEncoder, self.encoder), self.encoder.layer(index).weight
        change, outputs = torch.zeros_like(weight), []
        for seen in encoder.normalise(index, x.permute(0, 3, 1, 2), learn=True).split(TOGETHER):
            u = encoder.sum_inputs(index, seen)
            outputs.append(encoder.fire(index, u))
            change += encoder.change(index, seen, u)
        step, loss = scaled(index, weight, change)
        update = AreaUpdate(index, [(weight, step)], loss, torch.zeros_like(loss), [], None)
        return update, torch.cat(outputs)

    def module_losses(
        self,
        stimulus: Float[Tensor, "image channel row col"],
        streams: SaccadeStream,
        group: int,
        labels: Tensor | None = None,
    ) -> Iterator[ModuleLoss]:
        """Raises ValueError: the rule is not the gradient of a loss."""
        raise ValueError(
            f"Method {self.method.name!r} follows no loss; its layers learn by `learn`."
        )
