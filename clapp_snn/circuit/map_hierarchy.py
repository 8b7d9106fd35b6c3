"""A stack of CLAPP++ areas: whole images, two views of each, learning area by area.

Areas learn as in `Hierarchy`: each yields its update before the next has responded, and only the input, the
winner code and the output of one area are in memory at a time. Direct feedback needs the top area's activity
first; instead of storing what lies between, a first sweep runs to the top and remembers nothing else.
"""

from collections.abc import Iterator
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from clapp_snn.circuit.backprop import layer_output
from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.map_area import MapArea
from clapp_snn.circuit.network import AreaUpdate, ModuleLoss, SaccadeStream
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.functional import convolution
from clapp_snn.functional.losses import hinge_loss
from clapp_snn.functional.map_score import (
    MapObjective,
    draw_map_saccades,
    group_views,
    other_view,
    ungroup_views,
)
from clapp_snn.functional.score import pair_scores
from clapp_snn.methods.record import Method


class MapHierarchy(ImageNetwork):
    """An encoder of whole images and one `MapArea` for each module of a method.

    Args:
        encoder: one whose patches are whole images (`encoders.vgg.VGG6_WHOLE`).
        method: a row with a `MapObjective`.

    The stimulus of `learn` and `module_losses` is the first views of all images, then their second views.
    """

    grid = 1

    def __init__(self, encoder: Encoder, method: Method) -> None:
        if method.maps is None:
            raise ValueError(f"Method {method.name!r} does not compare maps.")
        super().__init__(encoder, method)
        self.objective: MapObjective = method.maps
        sizes = self._sizes()
        self.areas = nn.ModuleList(MapArea(size, sizes[-1], method.context) for size in sizes)

    def _sizes(self) -> list[int]:
        """Values of the flattened map of every module; raises ValueError for windows that do not fill it."""
        side, sides = self.encoder.architecture.patch, []
        for layer in self.encoder.architecture.layers:
            side = side // 2 if layer.pool else side
            sides.append(side)
        found = []
        for top, window in zip(self.method.tops, self.objective.windows, strict=True):
            if window is not None and sides[top] % window:
                raise ValueError(
                    f"Windows of {window} x {window} do not fill the {sides[top]} x {sides[top]} map of "
                    f"layer {top + 1}."
                )
            count = 1 if window is None else sides[top] // window
            found.append(count**2 * self.encoder.channels[top])
        return found

    def area(self, index: int) -> MapArea:
        """Area of module `index`, counted from 0."""
        return cast(MapArea, self.areas[index])

    @torch.no_grad()
    def learn(
        self, stimulus: Float[Tensor, "view channel row col"], streams: SaccadeStream, group: int
    ) -> Iterator[AreaUpdate]:
        """Updates area by area; all areas see the same saccades, drawn from the stream of area 0.

        Raises ValueError for methods whose modules are not single layers.
        """
        self.require_explicit()
        landing = draw_map_saccades(self.objective, streams(0, 0), group, stimulus.device)
        top = None if self.method.context == "same" else self._top_context(stimulus, group)
        x = self.encoder.patches(stimulus)
        for index in range(len(self.areas)):
            response = self.encoder.respond(index, x, learn=True)
            yield self._update(index, x, response, top, landing, group)
            x = response.output

    @torch.no_grad()
    def learn_area(
        self,
        index: int,
        stimulus: Float[Tensor, "view channel row col"],
        streams: SaccadeStream,
        group: int,
    ) -> AreaUpdate:
        """What `learn` yields for this area, while no other area learns."""
        self.require_explicit()
        landing = draw_map_saccades(self.objective, streams(0, 0), group, stimulus.device)
        top = None if self.method.context == "same" else self._top_context(stimulus, group)
        x = self.below(index, stimulus)
        response = self.encoder.respond(index, x, learn=True)
        return self._update(index, x, response, top, landing, group)

    def _top_context(self, stimulus: Tensor, group: int) -> Float[Tensor, "groups view top"]:
        x = self.below(len(self.areas), stimulus)
        return group_views(convolution.window_means(x, self.objective.windows[-1]), group)

    def _update(
        self,
        index: int,
        x: Tensor,
        response: convolution.Response,
        top: Tensor | None,
        landing: Tensor,
        group: int,
    ) -> AreaUpdate:
        layer = self.encoder.layer(index)
        windows = convolution.window_means(response.output, self.objective.windows[index])
        compared = self.area(index).compare(group_views(windows, group), top, landing)
        signals = [each for _, each in compared]
        summed = torch.stack([each.target for each in signals]).sum(0)
        felt = ungroup_views(summed, windows.shape)
        assert response.code is not None
        change = convolution.update_windows(
            x, response.code, felt, layer.pool, engine=self.encoder.engine
        )
        changes = [(layer.weight, change.weight), (layer.bias, change.bias)]
        changes += [(matrix, each.W) for matrix, each in compared]
        loss = torch.stack([each.loss for each in signals]).sum()
        gate = torch.stack([each.gate for each in signals]).mean()
        return AreaUpdate(index, changes, loss, gate, [each.scores for each in signals], None)

    def module_losses(
        self,
        stimulus: Float[Tensor, "view channel row col"],
        streams: SaccadeStream,
        group: int,
        labels: Tensor | None = None,
    ) -> Iterator[ModuleLoss]:
        """Losses with a graph that ends at the lower border of every module; for the end-to-end twin."""
        landing = draw_map_saccades(self.objective, streams(0, 0), group, stimulus.device)
        maps = list(self._maps(stimulus, group))
        for index, z in enumerate(maps):
            area = self.area(index)
            pairs = [(area.W_pred, z), (area.W_top, maps[-1])]
            losses = [_loss(z, c.detach(), W, landing) for W, c in pairs if W is not None]
            loss = torch.stack([each.loss for each in losses]).sum()
            gate = torch.stack([each.gate for each in losses]).mean()
            yield ModuleLoss(loss, gate, [u for each in losses for u in each.scores], None)

    def _maps(self, stimulus: Tensor, group: int) -> Iterator[Float[Tensor, "groups view z"]]:
        x = self.encoder.patches(stimulus).permute(0, 3, 1, 2)
        first = 0
        for top, side in zip(self.method.tops, self.objective.windows, strict=True):
            x = x.detach()
            for index in range(first, top + 1):
                x = layer_output(self.encoder, index, x)
            first = top + 1
            wide = x if x.dtype == torch.float64 else x.float()
            means = F.avg_pool2d(wide, wide.shape[2] if side is None else side)
            yield group_views(means.permute(0, 2, 3, 1), group)


def _loss(z: Tensor, c: Tensor, W: Tensor, landing: Tensor) -> ModuleLoss:
    u = pair_scores(c @ W.transpose(0, 1), other_view(z), landing)
    hinge = torch.cat((hinge_loss(u[..., :1], 1.0), hinge_loss(u[..., 1:], -1.0)), 2)
    loss = hinge[..., 0].mean() + hinge[..., 1:].mean()
    gates = (hinge.detach() > 0).to(u.dtype)
    gate = (gates[..., 0].mean() + gates[..., 1:].mean()) / 2
    return ModuleLoss(loss, gate, [u.detach()], None)
