"""Augmentations of clips against Pillow and colorsys, one frame at a time."""

import colorsys
import itertools

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from clapp_snn.randomness import generator
from clapp_snn.stimuli import clip_colour, clip_geometry
from clapp_snn.stimuli.clip_colour import Jitter, JitterDraw, draw_channels, draw_jitter
from clapp_snn.stimuli.clip_geometry import (
    Box,
    centre_box,
    crop_side,
    draw_crop,
    draw_sized_crop,
    nearest,
    take,
    take_all,
)
from clapp_snn.stimuli.clip_views import central_view, classifier_view, learning_view

CPU = torch.device("cpu")


def clip(frames: int = 2, rows: int = 60, cols: int = 80, seed: int = 0) -> Tensor:
    stream = generator(seed, "clip")
    return torch.randint(0, 256, (frames, rows, cols, 3), dtype=torch.uint8, generator=stream)


def smooth(rows: int = 60, cols: int = 80) -> Tensor:
    """Three colour gradients: no edges at which resampling could round far apart."""
    row, col = torch.meshgrid(torch.linspace(0, 1, rows), torch.linspace(0, 1, cols), indexing="ij")
    image = torch.stack((row, col, (row + col) / 2), 2)
    return (255 * image).to(torch.uint8).unsqueeze(0)


def pil(image: Tensor) -> Image.Image:
    return Image.fromarray(image.numpy())


@pytest.mark.parametrize(("size", "side"), [(224, 128), (67, 72), (128, 128), (5, 3)])
def test_nearest_scaling_is_that_of_pillow(size: int, side: int) -> None:
    row = np.arange(size, dtype=np.uint8)[None].repeat(4, 0)
    scaled = np.asarray(Image.fromarray(row).resize((side, 4), Image.Resampling.NEAREST))
    assert nearest(size, side, CPU).tolist() == scaled[0].tolist()


def test_the_standard_crop_is_published_for_240_pixels() -> None:
    assert crop_side(240, 320) == 224
    assert centre_box(240, 320) == Box(8, 48, 224, 224)


@pytest.mark.parametrize("flip", [False, True])
def test_crops_flips_and_scaling_equal_pillow(flip: bool) -> None:
    frames, box = clip(), Box(3, 11, 50, 50, flip)
    taken = take(frames, box, 32)
    for own, frame in zip(taken, frames, strict=True):
        image = pil(frame)
        if flip:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = image.crop((11, 3, 61, 53)).resize((32, 32), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(own.numpy(), np.asarray(image))


@pytest.mark.parametrize("flip", [False, True])
def test_sized_crops_equal_pillow_to_one_level(flip: bool) -> None:
    frames, box = smooth(), Box(2, 5, 57, 70, flip, sized=True)
    image = pil(frames[0])
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = crop_side(60, 80)
    image = image.crop((5, 2, 75, 59)).resize((side, side), Image.Resampling.BILINEAR)
    wanted = np.asarray(image.resize((40, 40), Image.Resampling.NEAREST)).astype(int)
    assert np.abs(take(frames, box, 40)[0].numpy().astype(int) - wanted).max() <= 1


def test_boxes_outside_the_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="not inside a frame of 60x80"):
        take(clip(), Box(20, 0, 50, 50), 32)


def test_batches_may_mix_sizes() -> None:
    clips = [clip(), clip(rows=40, cols=30)]
    boxes = [centre_box(60, 80), centre_box(40, 30)]
    taken = take_all(clips, boxes, 24)
    assert torch.equal(taken[1], take(clips[1], boxes[1], 24))


def test_drawn_crops_lie_inside_and_everywhere() -> None:
    stream = generator(0, "crops")
    boxes = [draw_crop(60, 80, stream) for _ in range(2000)]
    assert {box.rows for box in boxes} == {56}
    assert {box.top for box in boxes} == set(range(5))
    assert {box.left for box in boxes} == set(range(25))
    # Within 4.5 standard errors of a half.
    flips = sum(box.flip for box in boxes)
    assert abs(flips - 1000) < 4.5 * 500**0.5


def test_sized_crops_keep_to_their_ranges() -> None:
    stream = generator(1, "crops")
    boxes = [draw_sized_crop(60, 80, 0.3, stream) for _ in range(2000)]
    sized = [box for box in boxes if box.sized]
    # Within 4.5 standard errors; ten tries hardly ever fail.
    assert abs(len(sized) / 2000 - 0.3) < 4.5 * (0.21 / 2000) ** 0.5
    for box in sized:
        assert 0 <= box.top <= 60 - box.rows
        assert 0 <= box.left <= 80 - box.cols
        assert 0.48 < box.rows * box.cols / 4800 < 1.02
        assert 0.73 < box.cols / box.rows < 1.37
    assert {box[:4] for box in boxes if not box.sized} == {centre_box(60, 80)[:4]}
    assert not any(draw_sized_crop(60, 80, 0.0, stream).sized for _ in range(20))


def test_jitter_equals_pillow_and_colorsys_in_any_order() -> None:
    """One frame for each of the 24 orders, each step on a picture rounded to 8 bits."""
    frames = clip(24, 6, 7).permute(0, 3, 1, 2).float()
    orders = torch.tensor(list(itertools.permutations(range(4))))
    factor = draw_jitter(1, 24, Jitter(0.5, 0.5, 0.5, 0.25), 1.0, True, generator(2, "j")).factor
    changed = clip_colour.jitter(frames, JitterDraw(factor, orders, torch.ones(24).bool()))
    for number in range(24):
        image = pil(frames[number].permute(1, 2, 0).to(torch.uint8).contiguous())
        for change in orders[number].tolist():
            image = by_pillow(image, change, float(factor[number, change]))
        wanted = torch.from_numpy(np.asarray(image).copy()).float()
        # Four roundings to 8 bits; a later contrast or saturation enlarges early ones by up to 1.5 each.
        assert float((changed[number].permute(1, 2, 0) - wanted).abs().max()) < 6


def by_pillow(image: Image.Image, change: int, amount: float) -> Image.Image:
    if change < 3:
        kind = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)[change]
        return kind(image).enhance(amount)
    turned = [turn(pixel, amount) for pixel in np.asarray(image).reshape(-1, 3) / 255]
    values = (255 * np.array(turned)).round().astype(np.uint8)
    return Image.fromarray(values.reshape(image.height, image.width, 3))


def turn(pixel: np.ndarray, shift: float) -> tuple[float, float, float]:
    hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
    return colorsys.hsv_to_rgb((hue + shift) % 1, saturation, value)


def test_frames_without_jitter_stay_as_they_are() -> None:
    frames = clip(50, 4, 4).permute(0, 3, 1, 2).float()
    drawn = draw_jitter(50, 1, Jitter(0.5, 0.5, 0.5, 0.25), 0.5, True, generator(3, "j"))
    changed = clip_colour.jitter(frames, drawn)
    assert 0 < int(drawn.use.sum()) < 50
    assert torch.equal(changed[~drawn.use], frames[~drawn.use])
    assert not torch.equal(changed[drawn.use], frames[drawn.use])


def test_jitter_ranges_and_sharing_within_a_clip() -> None:
    drawn = draw_jitter(500, 3, Jitter(0.5, 0.4, 0.3, 0.25), 1.0, False, generator(4, "j"))
    assert torch.equal(drawn.factor[0::3], drawn.factor[2::3])
    assert torch.equal(drawn.order[0::3], drawn.order[1::3])
    low, high = drawn.factor.amin(0), drawn.factor.amax(0)
    assert (low >= torch.tensor([0.5, 0.6, 0.7, -0.25])).all()
    assert (high <= torch.tensor([1.5, 1.4, 1.3, 0.25])).all()
    assert (high - low > torch.tensor([0.9, 0.7, 0.5, 0.45])).all()
    own = draw_jitter(500, 3, Jitter(0.5, 0.4, 0.3, 0.25), 1.0, True, generator(4, "j"))
    assert len(own.factor[:, 0].unique()) == 1500


def test_grey_is_one_channel_copied() -> None:
    frames = clip(300, 2, 2).permute(0, 3, 1, 2).float()
    channel = draw_channels(300, 0.5, generator(5, "c"))
    counts = torch.bincount(channel + 1)
    # 150 keep their colours, 50 lose them to each channel; within 4.5 standard errors.
    assert ((counts - torch.tensor([150, 50, 50, 50])).abs() < 4.5 * 75**0.5).all()
    changed = clip_colour.one_channel(frames, channel)
    for number in range(300):
        chosen = int(channel[number])
        wanted = frames[number] if chosen < 0 else frames[number][[chosen] * 3]
        assert torch.equal(changed[number], wanted)


def test_the_central_view_is_the_crop_normalised() -> None:
    clips = [clip(2), clip(2, seed=1)]
    view = central_view(clips, 48, CPU)
    assert view.shape == (2, 2, 48, 48, 3)
    image = clip_geometry.take(clips[1], centre_box(60, 80), 48).numpy() / 255
    wanted = (image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(view[1].numpy(), wanted, rtol=1e-5, atol=1e-5)


def test_views_follow_their_stream() -> None:
    clips = [clip(3), clip(3, seed=1)]
    one = learning_view(clips, 32, generator(0, "v"), CPU)
    assert one.shape == (2, 3, 32, 32, 3)
    assert torch.equal(one, learning_view(clips, 32, generator(0, "v"), CPU))
    assert not torch.equal(one, learning_view(clips, 32, generator(1, "v"), CPU))
    train = classifier_view(clips, 32, generator(0, "v"), CPU)
    assert train.shape == one.shape
    assert not torch.equal(train, classifier_view(clips, 32, generator(0, "v"), CPU, test=True))
