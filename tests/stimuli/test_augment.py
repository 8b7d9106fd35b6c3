import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from clapp_snn.stimuli.augment import (
    CropDraw,
    apply_view,
    centre_view,
    draw_crops,
    to_grey,
    training_view,
)

# Mean and standard deviation in the image loader of both published repositories (Greedy InfoMax and CLAPP):
# the train and unlabelled images of STL-10 together, not the train images alone.
GREY = (0.4120, 0.2570)
RGB = ((0.4313, 0.4156, 0.3663), (0.2683, 0.2610, 0.2687))


def random_images(n: int, rows: int = 96, cols: int = 96, seed: int = 0) -> torch.Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, rows, cols), generator=stream, dtype=torch.uint8)


def pil_view(image: torch.Tensor, row: int, col: int, flip: bool, crop: int, grey: bool):
    """The published order, one PIL image at a time: crop, flip, grey, [0, 1], normalise."""
    picture = Image.fromarray(image.permute(1, 2, 0).numpy()).crop(
        (col, row, col + crop, row + crop)
    )
    if flip:
        picture = ImageOps.mirror(picture)
    if grey:
        picture = picture.convert("L")
    values = np.asarray(picture, dtype=np.float32).reshape(crop, crop, -1) / np.float32(255)
    mean, std = GREY if grey else RGB
    return ((values - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)


def test_grey_equals_pillow_for_every_byte_of_each_colour_and_many_mixtures():
    ramp = torch.arange(256, dtype=torch.uint8)
    pure = torch.zeros(4, 3, 1, 256, dtype=torch.uint8)
    for channel in range(3):
        pure[channel, channel, 0] = ramp
    pure[3] = ramp
    mixtures = random_images(1, 1024, 1024).reshape(4, 3, -1, 256)
    images = torch.cat([pure, mixtures], dim=2)
    for image, grey in zip(images, to_grey(images), strict=True):
        wanted = np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L"))
        assert np.array_equal(grey[0].numpy(), wanted)


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize(("rows", "cols", "crop"), [(96, 96, 64), (70, 101, 33), (64, 64, 64)])
def test_views_equal_the_pillow_pipeline_bit_for_bit(grey, rows, cols, crop):
    images = random_images(12, rows, cols, seed=3)
    draw = draw_crops(12, rows - crop, cols - crop, torch.Generator().manual_seed(5))
    views = apply_view(images, draw, crop, grey)
    assert views.dtype == torch.float32
    assert views.is_contiguous()
    for image, view, row, col, flip in zip(images, views, *(d.tolist() for d in draw), strict=True):
        assert np.array_equal(view.numpy(), pil_view(image, row, col, flip, crop, grey))


def test_column_major_images_give_the_same_view():
    images = random_images(4)
    strided = images.transpose(2, 3).contiguous().transpose(2, 3)
    draw = draw_crops(4, 32, 32, torch.Generator().manual_seed(5))
    for grey in (True, False):
        assert torch.equal(
            apply_view(images, draw, grey=grey), apply_view(strided, draw, grey=grey)
        )
        assert torch.equal(centre_view(images, grey=grey), centre_view(strided, grey=grey))


@pytest.mark.parametrize("grey", [True, False])
def test_the_centre_view_starts_at_pixel_16_and_is_never_flipped(grey):
    images = random_images(3, seed=2)
    for image, view in zip(images, centre_view(images, grey=grey), strict=True):
        assert np.array_equal(view.numpy(), pil_view(image, 16, 16, False, 64, grey))


def test_the_training_view_is_the_drawn_view_and_repeats_with_the_stream():
    images = random_images(8)
    draw = draw_crops(8, 32, 32, torch.Generator().manual_seed(9))
    view = training_view(images, torch.Generator().manual_seed(9))
    assert torch.equal(view, apply_view(images, draw))
    assert not torch.equal(view, training_view(images, torch.Generator().manual_seed(10)))


def test_a_batch_of_groups_equals_its_groups():
    images = random_images(6)
    draws = [draw_crops(3, 32, 32, torch.Generator().manual_seed(s)) for s in (1, 2)]
    whole = apply_view(images, CropDraw.concatenate(draws))
    parts = [apply_view(images[3 * i : 3 * i + 3], draw) for i, draw in enumerate(draws)]
    assert torch.equal(whole, torch.cat(parts))


def test_crops_cover_all_corners_evenly_and_half_are_flipped():
    draw = draw_crops(33 * 400, 32, 7, torch.Generator().manual_seed(0))
    rows, cols = torch.bincount(draw.row), torch.bincount(draw.col)
    assert len(rows) == 33
    assert len(cols) == 8
    # Counts are binomial: five standard deviations around the mean.
    assert ((rows - 400).abs() < 5 * 400**0.5).all()
    assert ((cols - 1650).abs() < 5 * 1650**0.5).all()
    assert abs(draw.flip.float().mean() - 0.5) < 5 * 0.5 / len(draw.flip) ** 0.5


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="cannot crop 64x64 pixels from images of 32x96"):
        training_view(random_images(1, 32, 96), torch.Generator())
    with pytest.raises(ValueError, match="images must be uint8"):
        centre_view(torch.zeros(1, 3, 96, 96))
    with pytest.raises(ValueError, match="2 crops were drawn for 3 images"):
        apply_view(random_images(3), draw_crops(2, 32, 32, torch.Generator()))
