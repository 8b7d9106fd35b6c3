import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from clapp_snn.evaluation.embedding import embed
from clapp_snn.evaluation.interfaces import standard_views
from clapp_snn.evaluation.preferred_patches import (
    preferred_images,
    preferred_patches,
    random_channels,
)
from tests.evaluation.fakes import MatrixEncoder, dataset

VIEW = standard_views().centre


def test_embedding_keeps_clusters_apart_and_is_fixed_by_the_seed() -> None:
    stream = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    features = 30 * torch.eye(3)[labels] + torch.randn(60, 3, generator=stream)
    points = embed(features, seed=1)
    assert points.shape == (60, 2)
    np.testing.assert_array_equal(points, embed(features, seed=1))
    neighbours = KNeighborsClassifier(3).fit(points[:30], labels[:30])
    assert neighbours.score(points[30:], labels[30:]) == 1


def test_embedding_of_almost_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 images, not 3"):
        embed(torch.zeros(3, 2), 0)
    with pytest.raises(ValueError, match="NaN"):
        embed(torch.full((9, 2), float("nan")), 0)


@pytest.mark.parametrize("batch", [4, 100])
def test_preferred_patches_equal_a_full_sort(batch: int) -> None:
    encoder, split = MatrixEncoder(), dataset().test
    found = preferred_patches(encoder, split, VIEW, 2, [4, 1], top=6, batch=batch)
    maps = encoder.features(VIEW(split.read(torch.arange(31))))[1]
    for place, channel in enumerate((4, 1)):
        cells = [
            (-float(maps[i, r, c, channel]), i, r, c)
            for i in range(31) for r in range(7) for c in range(7)
        ]  # fmt: skip
        chosen, used = [], set()
        for value, image, row, col in sorted(cells):
            if image not in used and len(chosen) < 6:
                used.add(image)
                chosen.append((image, row, col, -value))
        image, row, col, value = zip(*chosen, strict=True)
        assert found.image[place].tolist() == list(image)
        assert found.row[place].tolist() == list(row)
        assert found.col[place].tolist() == list(col)
        torch.testing.assert_close(found.activity[place], torch.tensor(value))


def test_images_are_the_colour_centre() -> None:
    split = dataset().test
    found = preferred_patches(MatrixEncoder(), split, VIEW, 1, [0, 2], top=3)
    images = preferred_images(split, found)
    assert images.shape == (2, 3, 64, 64, 3)
    raw = split.read(found.image[1, 2:])[0]
    assert torch.equal(images[1, 2], raw[:, 16:80, 16:80].permute(1, 2, 0))


def test_channels_are_different_and_no_more_than_there_are() -> None:
    stream = torch.Generator().manual_seed(0)
    assert len(set(random_channels(64, 8, stream).tolist())) == 8
    assert random_channels(5, 8, stream).tolist() == [0, 1, 2, 3, 4]


def test_layers_channels_and_counts_that_do_not_exist_are_refused() -> None:
    encoder, split = MatrixEncoder(), dataset().test
    with pytest.raises(ValueError, match="layers 1 to 2, not 0"):
        preferred_patches(encoder, split, VIEW, 0, [0])
    with pytest.raises(ValueError, match="channels 0 to 4"):
        preferred_patches(encoder, split, VIEW, 2, [5])
    with pytest.raises(ValueError, match="the split has 31"):
        preferred_patches(encoder, split, VIEW, 2, [0], top=32)
