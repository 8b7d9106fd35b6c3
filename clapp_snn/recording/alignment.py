"""How far the update of a local rule points the way back-propagation would go.

The reference is the objective of the method's own top area, sent back through all layers: the same weights,
the same stimulus, the same saccades. A layer's alignment is the cosine between its change by the rule and
minus that gradient, over the weights and biases of the layer. The top layer scores 1 where the rule is the
gradient of the top area's objective (CLAPP-s, CLAPP++).
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from clapp_snn.circuit.hierarchy import Hierarchy
from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.lpl import LatentPrediction
from clapp_snn.circuit.map_hierarchy import MapHierarchy
from clapp_snn.circuit.network import SaccadeStream
from clapp_snn.circuit.self_contrastive import SelfContrastive, SelfContrastiveEncoder
from clapp_snn.circuit.top_loss import TopLossNetwork


class AlignmentMonitor:
    """Sums updates and gradients over batches; `cosines` compares the sums, so noise of draws averages out.

    Args:
        network: a network on images whose method learns by an explicit rule that follows an objective.

    Raises ValueError for other methods.
    """

    def __init__(self, network: ImageNetwork) -> None:
        method = network.method
        if not method.explicit:
            raise ValueError(
                f"Method {method.name!r} learns by back-propagation or not at all; there is no local "
                "update to compare."
            )
        if method.task == "hebbian":
            raise ValueError(
                f"Method {method.name!r} follows no objective, so there is no gradient to compare its "
                "updates with."
            )
        self.network = network
        self.twin = end_to_end(network)
        layers = len(network.encoder.channels)
        self._updates: list[Tensor | None] = [None] * layers
        self._gradients: list[Tensor | None] = [None] * layers

    def record(
        self, stimulus: Float[Tensor, "image channel row col"], streams: SaccadeStream, group: int
    ) -> None:
        """Compare on one batch; nothing is learned."""
        for update in self.network.learn(stimulus, streams, group):
            layer = {id(p) for p in self.network.encoder.layer(update.area).parameters()}
            change = [d.flatten() for p, d in update.changes if id(p) in layer]
            _add(self._updates, update.area, torch.cat(change))
        for index, gradient in enumerate(self._gradient(stimulus, streams, group)):
            _add(self._gradients, index, gradient)

    def cosines(self) -> Float64[Tensor, "layer"]:
        """Alignment of every layer, bottom up; NaN before anything was recorded or where nothing changes."""
        found = []
        for update, gradient in zip(self._updates, self._gradients, strict=True):
            if update is None or gradient is None:
                found.append(torch.tensor(torch.nan, dtype=torch.float64))
                continue
            a, b = update.double(), -gradient.double()
            found.append((a @ b / (a.norm() * b.norm())).cpu())
        return torch.stack(found)

    def _gradient(
        self, stimulus: Tensor, streams: SaccadeStream, group: int
    ) -> list[Float[Tensor, "weight"]]:
        top = 0 if isinstance(self.network, TopLossNetwork | MapHierarchy) else self._last()

        def of_the_top(module: int, loss: int) -> list[torch.Generator]:
            return streams(top + module, loss)

        encoder = self.network.encoder
        asked = [parameter.requires_grad for parameter in encoder.parameters()]
        encoder.requires_grad_(True)
        try:
            with torch.enable_grad():
                (module,) = self.twin.module_losses(stimulus, of_the_top, group, None)
                found = iter(torch.autograd.grad(module.loss, list(encoder.parameters())))
        finally:
            for parameter, before in zip(encoder.parameters(), asked, strict=True):
                parameter.requires_grad_(before)
        counts = [len(list(encoder.layer(i).parameters())) for i in range(len(encoder.channels))]
        return [torch.cat([next(found).flatten() for _ in range(count)]) for count in counts]

    def _last(self) -> int:
        return len(self.network.method.splits) - 1


def end_to_end(network: ImageNetwork) -> ImageNetwork:
    """The network of one module that shares encoder and top area with `network`."""
    method, encoder = network.method, network.encoder
    splits = (len(encoder.channels),)
    twin: ImageNetwork
    if method.task == "predict":
        return LatentPrediction(encoder, replace(method, splits=splits))
    if isinstance(encoder, SelfContrastiveEncoder):
        return SelfContrastive(encoder, replace(method, splits=splits))
    if method.maps is not None:
        maps = replace(method.maps, windows=method.maps.windows[-1:])
        twin = MapHierarchy(encoder, replace(method, splits=splits, maps=maps))
    else:
        twin = Hierarchy(encoder, replace(method, splits=splits, rule="own", context="same"))
    twin.areas = nn.ModuleList([network.areas[-1]])
    return twin


def _add(sums: list[Tensor | None], index: int, value: Tensor) -> None:
    before = sums[index]
    sums[index] = value.clone() if before is None else before + value
