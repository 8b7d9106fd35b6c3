import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from clapp_snn.evaluation.cache import cache_features
from clapp_snn.evaluation.features import (
    index_batches,
    pixel_features,
    pooled_features,
    standardise,
)
from clapp_snn.evaluation.interfaces import labels_of, standard_views
from clapp_snn.stimuli.record import ArraySplit
from tests.evaluation.fakes import MatrixEncoder, dataset

VIEWS = standard_views()


@pytest.mark.parametrize("batch", [1, 7, 31, 100])
def test_pooling_keeps_order_and_does_not_depend_on_the_batch(batch: int) -> None:
    encoder, split = MatrixEncoder(), dataset().test
    layers = pooled_features(encoder, split, VIEWS.centre, batch)
    assert [tuple(layer.shape) for layer in layers] == [(31, 3), (31, 5)]
    for index in (0, 13, 30):
        image = VIEWS.centre(split.read(torch.tensor([index])))
        for layer, maps in zip(layers, encoder.features(image), strict=True):
            expected = sum(maps[0, row, col] for row in range(7) for col in range(7)) / 49
            torch.testing.assert_close(layer[index], expected)


def test_one_encoder_pass_serves_all_layers() -> None:
    encoder = MatrixEncoder()
    pooled_features(encoder, dataset().test, VIEWS.centre, 10)
    assert encoder.calls == [10, 10, 10, 1]


def test_pixels_are_the_grey_normalised_centre_of_the_image() -> None:
    split = dataset().test
    pixels = pixel_features(split, VIEWS.centre, batch=9)
    assert pixels.shape == (31, 4096)
    image = Image.fromarray(split.read(torch.tensor([20]))[0].permute(1, 2, 0).numpy())
    grey = np.asarray(image.crop((16, 16, 80, 80)).convert("L"), dtype=np.float64)
    expected = torch.from_numpy((grey / 255 - 0.4120) / 0.2570).flatten()
    torch.testing.assert_close(pixels[20].double(), expected, atol=1e-5, rtol=0)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 100), st.floats(-50, 50), st.integers(0, 1000))
def test_standardising_undoes_scale_and_shift(scale: float, shift: float, seed: int) -> None:
    values = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    plain, other = standardise(values, values[:4])
    moved, _ = standardise(scale * values + shift, values)
    torch.testing.assert_close(plain, moved, atol=1e-7, rtol=1e-7)
    torch.testing.assert_close(plain.mean(dim=0), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(plain.square().mean(dim=0), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(other, plain[:4])


def test_a_constant_channel_becomes_zero_also_where_it_varies_later() -> None:
    train = torch.tensor([[0.1, 1.0], [0.1, 2.0], [0.1, 6.0]])
    scaled, other = standardise(train, torch.tensor([[5.0, 3.0]]))
    assert scaled[:, 0].tolist() == [0, 0, 0]
    assert other.tolist() == [[0, 0]]


def test_cached_views_repeat_the_labels_and_begin_with_the_centre() -> None:
    data = dataset()
    plain = cache_features(MatrixEncoder(), data, VIEWS, seed=3)
    more = cache_features(MatrixEncoder(), data, VIEWS, seed=3, extra_views=2)
    again = cache_features(MatrixEncoder(), data, VIEWS, seed=3, extra_views=2)
    assert len(more.train[1]) == len(more.train_labels) == 3 * 48
    assert more.centre_count == plain.centre_count == 48
    assert torch.equal(more.train[2][:48], plain.train[2])
    assert torch.equal(more.train[2], again.train[2])
    assert not torch.equal(more.train[2][48:96], more.train[2][96:])
    assert torch.equal(more.train_labels[96:], plain.train_labels)
    assert list(cache_features(None, data, VIEWS).test) == [0]


def test_splits_without_labels_or_images_are_refused() -> None:
    images = np.zeros((2, 3, 96, 96), dtype=np.uint8)
    with pytest.raises(ValueError, match="train split has no labels"):
        labels_of(ArraySplit(images), "train")
    with pytest.raises(ValueError, match="test split is empty"):
        labels_of(ArraySplit(images[:0], torch.zeros(0, dtype=torch.long)), "test")
    with pytest.raises(ValueError, match="at least 1, not 0"):
        list(index_batches(5, 0))
