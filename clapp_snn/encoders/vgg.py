"""VGG-6, the encoder of the paper's image experiments, as a table (paper Table 3 and published code)."""

from dataclasses import dataclass, replace

from clapp_snn.encoders.width import scaled_channels


@dataclass(frozen=True)
class ConvLayer:
    """A 3 x 3 convolution, rectified; `pool` adds a 2 x 2 max-pool after the rectification."""

    channels: int
    pool: bool


@dataclass(frozen=True)
class Architecture:
    """Convolutional layers on independent patches.

    Attributes:
        name: what users type.
        layers: the table, bottom up.
        patch: side of a patch in pixels.
        stride: distance between neighbouring patches in pixels.
        grid: patches per side of an image.
    """

    name: str
    layers: tuple[ConvLayer, ...]
    patch: int = 16
    stride: int = 8
    grid: int = 7

    def scaled(self, width: float) -> "Architecture":
        """The same table with every channel count multiplied by `width` (at least 1 channel).

        Raises ValueError for a `width` as `scaled_channels` does.
        """
        layers = tuple(
            ConvLayer(scaled_channels(layer.channels, width), layer.pool) for layer in self.layers
        )
        return Architecture(self.name, layers, self.patch, self.stride, self.grid)

    @property
    def image(self) -> int:
        """Side of the image the grid covers, in pixels."""
        return self.patch + (self.grid - 1) * self.stride


VGG6 = Architecture(
    "vgg6",
    (
        ConvLayer(128, pool=False),
        ConvLayer(256, pool=True),
        ConvLayer(256, pool=False),
        ConvLayer(512, pool=True),
        ConvLayer(1024, pool=True),
        ConvLayer(1024, pool=True),
    ),
)

VGG6_WHOLE = replace(VGG6, name="vgg6-whole", patch=96, stride=96, grid=1)
"""The same layers on whole images of 96 x 96 pixels (CLAPP++)."""

ARCHITECTURES = {VGG6.name: VGG6}
"""Tables by name, for streams of glances."""
