"""Self-contrastive forward-forward (SCFF): Chen, Liu, Laydevant and Grollier, Nature Communications 2025,
10.1038/s41467-025-61037-0 (arXiv:2409.11593).

Every layer is to respond strongly to an image laid over itself and weakly to an image laid over another one.
Both halves pass the same weights, so with n the standardised input, p = W n + b and goodness
G = mean over neurons of rho(.)^2 at a place,

    G_pos = G(p_k + p_k)      G_neg = G(p_k + p_m)      m another image of the group
    loss = mean softplus(theta_pos - G_pos) + mean softplus(G_neg - theta_neg)

Its slope with respect to p gives the update. What a layer passes on is its response to the image laid over
itself; the next layer makes its own pairs, and all layers learn at once. Thresholds and outputs are those
that the published code has for this scheme with four layers on STL-10 (repository neurophysics-cnrsthales/
contrastive-forward-forward, config.json, "STL_Parallel"; the penalty on the norm of G_pos is 0 there); layers
5 and 6 take those of the fourth.
"""

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.network import AreaUpdate, ModuleLoss, SaccadeStream
from clapp_snn.encoders.competing import CompetingEncoder
from clapp_snn.encoders.vgg import Architecture
from clapp_snn.functional.competition import Map, by_channel, by_place


class Goals(NamedTuple):
    """Thresholds of goodness for one layer."""

    positive: float
    negative: float


GOALS = (Goals(0, 3), Goals(4, 5), Goals(7, 8), *(Goals(6, 9),) * 3)


class SelfContrastiveEncoder(CompetingEncoder):
    """Every image is standardised before every layer; all layers but the third are competitive.

    Raises ValueError for more layers than there are settings.
    """

    powers = (1.0, 1.0, None, 1.0, 1.0, 1.0)
    gain = 2.0

    def __init__(
        self, architecture: Architecture, width: float = 1.0, in_channels: int = 1
    ) -> None:
        super().__init__(architecture, width, in_channels)
        if len(self.channels) > len(GOALS):
            raise ValueError(
                f"SCFF has settings for {len(GOALS)} layers, not {len(self.channels)}."
            )

    def normalise(self, index: int, x: Map, *, learn: bool) -> Map:
        """Mean 0 and standard deviation 1 of every image."""
        centred = x - x.mean((1, 2, 3), keepdim=True)
        size = centred[0].numel()
        # Of what is centred the norm is the standard deviation, and quicker to get.
        deviation = (
            torch.linalg.vector_norm(centred, dim=(1, 2, 3), keepdim=True) / (size - 1) ** 0.5
        )
        return centred / (deviation + 1e-10)


def draw_partners(
    streams: list[torch.Generator], group: int, device: torch.device | str
) -> Int64[Tensor, "image"]:
    """The other image of every image: the one that is `shift` further in its group, one shift a group.

    Raises ValueError for groups of one image.
    """
    if group < 2:
        raise ValueError(f"SCFF needs another image: groups of 2 or more, not {group}.")
    place = torch.arange(group, device=device)
    shifts = [torch.randint(1, group, (1,), generator=g, device=g.device) for g in streams]
    moved = [(place + shift.to(device)) % group + group * k for k, shift in enumerate(shifts)]
    return torch.cat(moved)


def goodness(p: Map) -> Float[Tensor, "image row col"]:
    """Mean over neurons of the squared, rectified input."""
    return F.relu(p).square().mean(1)


def goodness_loss(p: Map, partner: Int64[Tensor, "image"], goals: Goals) -> Float[Tensor, ""]:
    """The loss of a layer, with a graph where one is recorded."""
    positive, negative = goodness(2 * p), goodness(p + p[partner])
    return (
        F.softplus(goals.positive - positive).mean() + F.softplus(negative - goals.negative).mean()
    )


def of_partner(p: Map, partner: Int64[Tensor, "image"]) -> Map:
    """p[partner]: whole images at a time, much quicker where channels come last in memory."""
    if p.is_contiguous():
        return p.index_select(0, partner)
    return by_channel(by_place(p).index_select(0, partner))


def goodness_signals(
    p: Map, partner: Int64[Tensor, "image"], goals: Goals
) -> tuple[Float[Tensor, ""], Map]:
    """The loss of a layer and minus its slope with respect to p, in closed form; `partner` permutes."""
    images, channels, rows, cols = p.shape
    own, mixed = (2 * p).relu_(), of_partner(p, partner).add_(p).relu_()
    # Norms need no squared copy of all maps, which would be the largest tensor of the step.
    positive, negative = (
        torch.linalg.vector_norm(each, dim=1).square() / channels for each in (own, mixed)
    )
    loss = (
        F.softplus(goals.positive - positive).mean() + F.softplus(negative - goals.negative).mean()
    )
    places = images * rows * cols
    louder = torch.sigmoid(goals.positive - positive) / places
    softer = torch.sigmoid(negative - goals.negative) / places
    signal = own.mul_(4 / channels * louder[:, None])
    mixed.mul_(2 / channels * softer[:, None])
    return loss, signal.sub_(mixed).index_add_(0, partner, mixed, alpha=-1)


class SelfContrastive(ImageNetwork):
    """An encoder of whole images whose layers learn by SCFF; there are no other weights.

    Gates do not exist and are reported as 0.
    """

    grid = 1

    @torch.no_grad()
    def learn(
        self, stimulus: Float[Tensor, "image channel row col"], streams: SaccadeStream, group: int
    ) -> Iterator[AreaUpdate]:
        """Updates layer by layer, each before the next layer has responded; every layer draws its pairs."""
        self.require_explicit()
        x = self.encoder.patches(stimulus)
        for index in range(len(self.encoder.channels)):
            seen, u = self._encoder.drive(index, x, learn=True)
            x = self._encoder.fire(index, u)
            yield self._update(index, seen, u.div_(self._encoder.gain), streams, group)

    @torch.no_grad()
    def learn_area(
        self,
        index: int,
        stimulus: Float[Tensor, "image channel row col"],
        streams: SaccadeStream,
        group: int,
    ) -> AreaUpdate:
        """What `learn` yields for this layer, while no other one learns."""
        self.require_explicit()
        x = self.below(index, stimulus)
        seen, u = self._encoder.drive(index, x, learn=True)
        return self._update(index, seen, u.div_(self._encoder.gain), streams, group)

    @property
    def _encoder(self) -> SelfContrastiveEncoder:
        return cast(SelfContrastiveEncoder, self.encoder)

    def _update(
        self, index: int, seen: Tensor, p: Tensor, streams: SaccadeStream, group: int
    ) -> AreaUpdate:
        layer = self.encoder.layer(index)
        partner = draw_partners(streams(index, 0), group, p.device)
        loss, signal = goodness_signals(p, partner, GOALS[index])
        weight, bias = self._encoder.correlate(seen, signal)
        changes = [(layer.weight, weight), (layer.bias, bias)]
        return AreaUpdate(index, changes, loss, torch.zeros_like(loss), [], None)

    def module_losses(
        self,
        stimulus: Float[Tensor, "image channel row col"],
        streams: SaccadeStream,
        group: int,
        labels: Tensor | None = None,
    ) -> Iterator[ModuleLoss]:
        """Losses with a graph that ends at the lower border of every module."""
        x = self.encoder.patches(stimulus)
        first = 0
        for module, top in enumerate(self.method.tops):
            x = x.detach()
            for index in range(first, top + 1):
                _, u = self._encoder.drive(index, x, learn=True)
                x = self._encoder.fire(index, u)
            first = top + 1
            partner = draw_partners(streams(module, 0), group, u.device)
            loss = goodness_loss(u / self._encoder.gain, partner, GOALS[top])
            yield ModuleLoss(loss, torch.zeros_like(loss.detach()), [], None)
