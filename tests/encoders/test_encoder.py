"""Features of the image encoder lie where their patches lie."""

import torch

from clapp_snn.encoders.encoder import Encoder
from clapp_snn.encoders.vgg import VGG6
from clapp_snn.randomness import generator


def test_features_of_any_image_keep_their_places() -> None:
    """Each patch alone gives what it gives in a grid, also in images that are not square; none give none."""
    encoder = Encoder(VGG6, width=1 / 64)
    encoder.reset_parameters(generator(0))
    images = torch.randn(2, 1, 24, 72, generator=generator(1))
    for index, layer in enumerate(encoder.features(images)):
        assert layer.shape[:3] == (2, 2, 8)
        for row, col in ((0, 0), (1, 0), (0, 5), (1, 7)):
            patch = images[:, :, 8 * row : 8 * row + 16, 8 * col : 8 * col + 16]
            alone = encoder.features(patch)[index][:, 0, 0]
            torch.testing.assert_close(layer[:, row, col], alone)
    assert all(len(layer) == 0 for layer in encoder.features(images[:0]))
