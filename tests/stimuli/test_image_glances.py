import numpy as np
import pytest
import torch

from clapp_snn.randomness import generator
from clapp_snn.stimuli.augment import centre_view
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.stimuli.image_glances import ImageGlances
from clapp_snn.stimuli.record import ArraySplit

ROWS, COLS = 7, 9


def split(count: int = 6, labelled: bool = True) -> ArraySplit:
    images = np.random.default_rng(0).integers(0, 256, (count, 3, ROWS, COLS), np.uint8)
    return ArraySplit(images, torch.arange(count) if labelled else None)


def streams(count: int, seed: int = 0) -> list[torch.Generator]:
    return [generator(seed, sample) for sample in range(count)]


@pytest.mark.parametrize("grey", [True, False])
def test_a_glance_is_an_unmirrored_crop_of_its_image(grey):
    images = split()
    index = torch.arange(6).repeat(60)
    seen = ImageGlances(images, 5, grey).views(index, streams(360))
    assert seen.shape == (360, 1 if grey else 3, 5, 5)
    places = set()
    for number, view in zip(index, seen, strict=True):
        whole = images.read(number[None])
        # The centre view of a crop of its own size is the crop itself, normalised.
        found = [
            (row, col)
            for row in range(ROWS - 4)
            for col in range(COLS - 4)
            if torch.equal(centre_view(whole[:, :, row : row + 5, col : col + 5], 5, grey)[0], view)
        ]
        assert len(found) == 1
        places.add(found[0])
    # 360 draws among 15 places miss one with probability 15 (14/15)^360 = 2e-10.
    assert len(places) == (ROWS - 4) * (COLS - 4)


def test_whole_images_can_be_seen():
    images = ArraySplit(split().images[..., :ROWS])
    seen = ImageGlances(images, ROWS).views(torch.tensor([4]), streams(1))
    assert torch.equal(seen, centre_view(images.read(torch.tensor([4])), ROWS))


def test_a_stream_of_image_glances():
    objects = ImageGlances(split(labelled=False), 4)
    assert objects.labels is None
    stream = GlanceStream(objects, [0, 1, 2], seed=0)
    glance, _ = stream.next(stream.start())
    assert glance.view.shape == (3, 1, 4, 4)
    assert ImageGlances(split(), 4).labels.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("size", [0, 8])
def test_a_window_that_does_not_fit_is_refused(size):
    with pytest.raises(ValueError, match=f"{size}x{size} pixels does not fit into images of 7x9"):
        ImageGlances(split(), size)


def test_an_image_is_inspected_through_windows_that_tile_its_centre():
    objects = ImageGlances(split(), size=3, grey=False)
    seen = objects.inspect(torch.tensor([4, 1]), [])
    assert objects.looks == 4
    assert seen.shape == (2, 4, 3, 3, 3)
    centre = centre_view(objects.images.read(torch.tensor([4, 1])), 6, grey=False)
    for row in range(2):
        for col in range(2):
            window = centre[:, :, 3 * row : 3 * row + 3, 3 * col : 3 * col + 3]
            assert torch.equal(seen[:, 2 * row + col], window)
    assert torch.equal(objects.raw(seen).sort(1).values, centre.flatten(1).sort(1).values)
