"""Three layers on whole images of 16 x 16 pixels, and the methods of CLAPP++ on them."""

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from clapp_snn.circuit.image_network import ImageNetwork
from clapp_snn.circuit.map_hierarchy import MapHierarchy
from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import Architecture, ConvLayer
from clapp_snn.functional.map_score import MapObjective
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator

TABLE = Architecture(
    "small",
    (ConvLayer(5, pool=False), ConvLayer(6, pool=True), ConvLayer(7, pool=True)),
    patch=16,
    stride=16,
    grid=1,
)
WINDOWS = (4, 4, 2)
LOCAL = ("clapp-pp", "clapp-pp-dfb", "clapp-pp-both", "clapp-pp-pooled")
IMAGES, GROUP = 4, 2
AnyNetwork = TypeVar("AnyNetwork", bound=ImageNetwork)


def drawn(network: AnyNetwork, dtype: torch.dtype, gain: float) -> AnyNetwork:
    """Weights of seed 3 times `gain`, in this precision."""
    network.reset_parameters(seed=3)
    network.to(dtype)
    network.encoder.precision = dtype
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(gain)
    return network


def build(
    name: str, dtype: torch.dtype = torch.float64, gain: float = 4.0, **changes: object
) -> MapHierarchy:
    """`gain` on all weights brings the scores near the margin: some gates open, some closed."""
    method = get_method(name)
    assert method.maps is not None
    splits = (3,) if len(method.splits) == 1 else (1, 1, 1)
    windows = (None,) * len(splits) if None in method.maps.windows else WINDOWS
    maps = MapObjective(**({"windows": windows} | changes))  # type: ignore[arg-type]
    network = MapHierarchy(Encoder(TABLE), replace(method, splits=splits, maps=maps))
    return drawn(network, dtype, gain)


def views(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(2 * IMAGES, 1, 16, 16, generator=generator(0, "views")).to(dtype)


def streams(area: int, loss: int) -> list[torch.Generator]:
    return [generator(5, "saccade", area, loss, group) for group in range(IMAGES // GROUP)]
