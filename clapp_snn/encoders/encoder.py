"""The encoder: convolutional layers on patches, and nothing else."""

import math
from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clapp_snn.encoders.vgg import Architecture
from clapp_snn.functional import convolution
from clapp_snn.functional.engine import Engine
from clapp_snn.functional.patches import cut_patches, patch_grid


class ConvWeights(nn.Module):
    """Weights of one 3 x 3 convolution: `weight` (post, pre, 3, 3) and `bias` (post)."""

    def __init__(self, pre: int, post: int, pool: bool) -> None:
        super().__init__()
        self.pool = pool
        self.weight = nn.Parameter(torch.empty(post, pre, 3, 3))
        self.bias = nn.Parameter(torch.empty(post))

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw weight and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), the published default."""
        bound = 1 / math.sqrt(self.weight[0].numel())
        with torch.no_grad():
            self.weight.uniform_(-bound, bound, generator=generator)
            self.bias.uniform_(-bound, bound, generator=generator)


class Encoder(nn.Module):
    """A stack of convolutional layers applied to every patch of an image separately.

    Args:
        architecture: the table of layers at width 1.
        width: multiplies every channel count.
        in_channels: 1 for grey images, 3 for colour.

    Attributes:
        layers: `ConvWeights`, bottom up.
        channels: number of features of each layer.
        engine: "torch" on any device, "native" for the compiled float32 CPU kernels.
        precision: type of the convolutions (weights stay float32).
    """

    def __init__(
        self, architecture: Architecture, width: float = 1.0, in_channels: int = 1
    ) -> None:
        super().__init__()
        self.architecture = architecture.scaled(width)
        self.width = width
        self.in_channels = in_channels
        self.engine: Engine = "torch"
        self.precision = torch.float32
        self.channels = [layer.channels for layer in self.architecture.layers]
        pre = [in_channels, *self.channels[:-1]]
        self.layers = nn.ModuleList(
            ConvWeights(i, layer.channels, layer.pool)
            for i, layer in zip(pre, self.architecture.layers, strict=True)
        )

    def layer(self, index: int) -> ConvWeights:
        """Weights of one layer, counted from 0."""
        return cast(ConvWeights, self.layers[index])

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights anew, layer by layer, from one stream."""
        for index in range(len(self.layers)):
            self.layer(index).reset_parameters(generator)

    @property
    def unsettled(self) -> bool:
        """Whether layers normalise by running statistics that no stimulus has reached yet."""
        return False

    def settle(self, batches: Iterable[Float[Tensor, "image channel row col"]]) -> None:
        """Running statistics of normalised images, without learning; here there are none."""

    def patches(
        self, images: Float[Tensor, "image channel row col"]
    ) -> Float[Tensor, "patch row col channel"]:
        """Cut normalised images into patches in the precision of the encoder."""
        table = self.architecture
        return cut_patches(images, table.patch, table.stride).to(self.precision)

    def respond(
        self, index: int, x: Float[Tensor, "patch row col channel"], *, learn: bool
    ) -> convolution.Response:
        """Response of layer `index` to its input."""
        layer = self.layer(index)
        return convolution.respond(
            x,
            layer.weight.detach(),
            layer.bias.detach(),
            layer.pool,
            learn=learn,
            engine=self.engine,
        )

    @torch.no_grad()
    def features(
        self, images: Float[Tensor, "image channel row col"]
    ) -> list[Float[Tensor, "image gridrow gridcol channel"]]:
        """Mean activity of every patch in every layer, float32, bottom up; no graph is built."""
        x = self.patches(images)
        table = self.architecture
        rows, cols = (patch_grid(side, table.patch, table.stride) for side in images.shape[2:])
        found = []
        for index in range(len(self.layers)):
            response = self.respond(index, x, learn=False)
            feature = response.feature
            found.append(feature.view(len(images), rows, cols, feature.shape[1]))
            x = response.output
        return found
