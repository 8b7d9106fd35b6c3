"""Latent predictive learning (LPL): Halvagal and Zenke 2023, Nature Neuroscience, 10.1038/s41593-023-01460-y.

No saccades: each layer predicts its own activity in the other view of the same image and is kept from
collapsing by a Hebbian term (variance) and by decorrelation. With the activity z averaged over the map, C
neurons, a batch of B images, and means held fixed, the loss of a layer is

    mean (z_1 - z_2)^2
    + 1/2 sum over views [ - mean_i log(var_i + eps) + 10 sum_(i != k) cov_ik^2 / (C^2 - C) ]

and its slope with respect to z, spread over the active positions of the map, is the update. Coefficients, eps
and the symmetry between the views are those of the published code (fmi-basel/latent-predictive-learning).
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from clapp_snn.circuit.backprop import layer_output
from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.network import AreaUpdate, ModuleLoss, SaccadeStream
from clapp_snn.functional import convolution
from clapp_snn.functional.map_score import group_views, other_view, ungroup_views

HEBBIAN, DECORRELATION, EPSILON = 1.0, 10.0, 1e-4


def lpl_signals(
    z: Float[Tensor, "groups view channel"],
) -> tuple[Float[Tensor, ""], Float[Tensor, "groups view channel"]]:
    """Loss, averaged over groups, and minus its slope with respect to z (first views, then second views)."""
    groups, views, channels = z.shape
    images = views // 2
    error = z - other_view(z)
    own = z.view(2 * groups, images, channels)
    centred = own - own.mean(1, keepdim=True)
    variance = centred.square().sum(1, keepdim=True) / (images - 1) + EPSILON
    covariance = centred.transpose(1, 2) @ centred / (images - 1)
    covariance.diagonal(dim1=1, dim2=2).zero_()
    pairs = max(1, channels**2 - channels)
    loss = error[:, :images].square().mean()
    loss = loss - HEBBIAN * variance.log().mean()
    loss = loss + DECORRELATION * covariance.square().sum() / (pairs * 2 * groups)
    predictive = -2 * error / (images * channels)
    hebbian = HEBBIAN * centred / (variance * (images - 1) * channels)
    decorrelating = -2 * DECORRELATION * (centred @ covariance) / (pairs * (images - 1))
    signal = predictive + (hebbian + decorrelating).view_as(z)
    return loss, signal / groups


def lpl_loss(z: Float[Tensor, "groups view channel"]) -> Float[Tensor, ""]:
    """The same loss with a graph, for back-propagation through several layers."""
    _, views, channels = z.shape
    images = views // 2
    first, second = z[:, :images], z[:, images:]
    loss = (first - second).square().mean()
    for view in (first, second):
        centred = view - view.mean(1, keepdim=True).detach()
        variance = centred.square().sum(1) / (images - 1) + EPSILON
        covariance = torch.einsum("gbi,gbk->gik", centred, centred) / (images - 1)
        apart = 1 - torch.eye(channels, dtype=z.dtype, device=z.device)
        decorrelation = (covariance * apart).square().sum((1, 2)).mean()
        loss = loss - HEBBIAN / 2 * variance.log().mean()
        loss = loss + DECORRELATION / 2 * decorrelation / max(1, channels**2 - channels)
    return loss


class LatentPrediction(ImageNetwork):
    """An encoder of whole images whose layers learn by LPL, one after the other; there are no other weights.

    The stimulus of `learn` and `module_losses` is the first views of all images, then their second views.
    Statistics are those of a group. Gates do not exist and are reported as 0.
    """

    grid = 1

    @torch.no_grad()
    def learn(
        self, stimulus: Float[Tensor, "view channel row col"], streams: SaccadeStream, group: int
    ) -> Iterator[AreaUpdate]:
        """Updates layer by layer, each before the next layer has responded; nothing is drawn."""
        self._require_layers(group)
        x = self.encoder.patches(stimulus)
        for index in range(len(self.encoder.channels)):
            response = self.encoder.respond(index, x, learn=True)
            yield self._update(index, x, response, group)
            x = response.output

    @torch.no_grad()
    def learn_area(
        self,
        index: int,
        stimulus: Float[Tensor, "view channel row col"],
        streams: SaccadeStream,
        group: int,
    ) -> AreaUpdate:
        """What `learn` yields for this layer, while no other one learns."""
        self._require_layers(group)
        x = self.below(index, stimulus)
        return self._update(index, x, self.encoder.respond(index, x, learn=True), group)

    def _require_layers(self, group: int) -> None:
        self.require_explicit()
        if group < 2:
            raise ValueError(f"LPL needs variances: groups of 2 images or more, not {group}.")

    def _update(
        self, index: int, x: Tensor, response: convolution.Response, group: int
    ) -> AreaUpdate:
        layer, feature = self.encoder.layer(index), response.feature[:, None, None, :]
        loss, signal = lpl_signals(group_views(feature, group))
        felt = ungroup_views(signal, feature.shape)[:, 0, 0]
        assert response.code is not None
        change = convolution.update(
            x, response.code, felt.contiguous(), layer.pool, engine=self.encoder.engine
        )
        changes = [(layer.weight, change.weight), (layer.bias, change.bias)]
        return AreaUpdate(index, changes, loss, torch.zeros_like(loss), [], None)

    def module_losses(
        self,
        stimulus: Float[Tensor, "view channel row col"],
        streams: SaccadeStream,
        group: int,
        labels: Tensor | None = None,
    ) -> Iterator[ModuleLoss]:
        """Losses with a graph that ends at the lower border of every module."""
        x = self.encoder.patches(stimulus).permute(0, 3, 1, 2)
        first = 0
        for top in self.method.tops:
            x = x.detach()
            for index in range(first, top + 1):
                x = layer_output(self.encoder, index, x)
            first = top + 1
            wide = x if x.dtype == torch.float64 else x.float()
            loss = lpl_loss(group_views(wide.mean((2, 3))[:, None, None, :], group))
            yield ModuleLoss(loss, torch.zeros_like(loss.detach()), [], None)
