"""Random views equal Pillow, colorsys and PyTorch's own resizing, and are drawn within their ranges."""

import colorsys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.nn import functional as F

from clapp_snn.randomness import generator
from clapp_snn.stimuli import colour
from clapp_snn.stimuli.augment import normalise
from clapp_snn.stimuli.random_views import (
    ViewDraw,
    apply_random_view,
    draw_views,
    resized_crop,
)


def photographs(n: int = 3, side: int = 24) -> Tensor:
    return torch.randint(
        0, 256, (n, 3, side, side), generator=generator(1, "views"), dtype=torch.uint8
    )


def untouched(n: int, side: int) -> ViewDraw:
    return ViewDraw(
        torch.tensor([[0, 0, side, side]] * n),
        torch.zeros(n, dtype=torch.bool),
        torch.zeros(n, dtype=torch.bool),
        torch.zeros(n, 4),
        torch.arange(4).repeat(n, 1),
        torch.zeros(n, dtype=torch.bool),
        torch.zeros(n),
    )


@pytest.mark.parametrize("factor", [0.2, 0.7, 1.0, 1.8])
@pytest.mark.parametrize(
    ("ours", "pillow"),
    [
        (colour.brightness, ImageEnhance.Brightness),
        (colour.contrast, ImageEnhance.Contrast),
        (colour.saturation, ImageEnhance.Color),
    ],
)
def test_colours_change_as_in_pillow(
    ours: Callable[[Tensor, Tensor], Tensor], pillow: type, factor: float
) -> None:
    """Pillow rounds the greys and the result to whole numbers: at most 2.5 of 255 apart."""
    image = photographs(1)
    found = ours(image.float(), torch.tensor([factor]))[0].permute(1, 2, 0)
    wanted = pillow(Image.fromarray(image[0].permute(1, 2, 0).numpy())).enhance(factor)
    assert float((found - torch.from_numpy(np.array(wanted)).float()).abs().max()) < 2.5


@pytest.mark.parametrize("shift", [-0.2, 0.0, 0.13])
def test_hue_turns_as_in_colorsys(shift: float) -> None:
    image = photographs(1, 8)
    image[0, :, 0, 0] = 77  # a grey pixel has no hue
    found = colour.hue(image.float(), torch.tensor([shift]))[0].flatten(1).T
    for pixel, ours in zip(image[0].flatten(1).T.tolist(), found, strict=True):
        h, s, v = colorsys.rgb_to_hsv(*(value / 255 for value in pixel))
        wanted = torch.tensor(colorsys.hsv_to_rgb((h + shift) % 1, s, v)) * 255
        torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-3)


def test_crops_are_resized_as_by_pytorch() -> None:
    images = photographs().double()
    boxes = torch.tensor([[0, 0, 24, 24], [3, 5, 10, 17], [23, 2, 1, 1]])
    found = resized_crop(images, boxes, 16)
    for image, (top, left, high, wide), ours in zip(images, boxes.tolist(), found, strict=True):
        cut = image[None, :, top : top + high, left : left + wide]
        wanted = F.interpolate(cut, size=16, mode="bilinear", align_corners=False)[0]
        torch.testing.assert_close(ours, wanted, rtol=1e-12, atol=1e-9)


def test_an_untouched_view_is_the_image() -> None:
    images = photographs()
    view = apply_random_view(images, untouched(3, 24), 24, grey=False)
    torch.testing.assert_close(view, normalise(images.float()), rtol=1e-6, atol=1e-6)
    assert apply_random_view(images, untouched(3, 24), 24, grey=True).shape == (3, 1, 24, 24)


def test_each_part_of_a_draw_does_its_work_and_no_more() -> None:
    images, plain = photographs(), untouched(3, 24)
    base = apply_random_view(images, plain, 24, grey=False)
    second = torch.tensor([False, True, False])
    flipped = apply_random_view(images, plain._replace(flip=second), 24, grey=False)
    assert torch.equal(flipped[1], base[1].flip(2))
    strong = torch.tensor([[1.5, 0.5, 0.3, 0.1]] * 3)
    changes = {
        "flip": plain._replace(flip=second),
        "jitter": plain._replace(jitter=second, strength=strong),
        "grey": plain._replace(grey=second),
        "sigma": plain._replace(sigma=torch.tensor([0.0, 1.5, 0.0])),
    }
    for name, draw in changes.items():
        view = apply_random_view(images, draw, 24, grey=False)
        assert [torch.equal(a, b) for a, b in zip(view, base, strict=True)] == [
            True,
            False,
            True,
        ], name
    everywhere = torch.full((2, 3, 24, 24), 90, dtype=torch.uint8)
    blurred = untouched(2, 24)._replace(sigma=torch.tensor([0.1, 2.0]))
    view = apply_random_view(everywhere, blurred, 24, grey=True)
    torch.testing.assert_close(view, view[:1, :, :1, :1].expand_as(view), rtol=0, atol=1e-5)


def test_the_blur_is_gaussian() -> None:
    """A point of light becomes the normalised product of two Gaussians (kernel 9 for 96 pixels)."""
    images = torch.zeros(1, 3, 96, 96, dtype=torch.uint8)
    images[0, :, 40, 50] = 255
    draw = untouched(1, 96)._replace(sigma=torch.tensor([1.3]))
    dark = apply_random_view(torch.zeros_like(images), draw, 96, grey=False)
    light = apply_random_view(images, draw, 96, grey=False) - dark
    profile = np.exp(-0.5 * (np.arange(-4, 5) / 1.3) ** 2)
    wanted = torch.from_numpy(np.outer(profile, profile) / profile.sum() ** 2).float()
    found = light[0, 0, 36:45, 46:55] / light[0, 0].sum()
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def test_order_of_the_colour_changes_counts() -> None:
    images = photographs()
    draw = untouched(3, 24)._replace(
        jitter=torch.ones(3, dtype=torch.bool), strength=torch.tensor([[1.7, 0.4, 1.2, 0.1]] * 3)
    )
    forwards = apply_random_view(images, draw, 24, grey=False)
    backwards = apply_random_view(images, draw._replace(order=draw.order.flip(1)), 24, grey=False)
    assert not torch.allclose(forwards, backwards, atol=1e-2)


def test_draws_stay_within_the_published_ranges() -> None:
    draw = draw_views(4000, 96, 96, generator(3))
    top, left, high, wide = draw.box.unbind(1)
    assert int(torch.stack((top, left)).min()) >= 0
    assert int((top + high).max()) <= 96
    assert int((left + wide).max()) <= 96
    area = (high * wide).double() / 96**2
    ratio = wide.double() / high
    assert 0.07 < float(area.min()) < 0.12
    assert float(area.max()) == pytest.approx(1, abs=0.03)
    assert 0.72 < float(ratio.min()) < 0.77
    assert 1.30 < float(ratio.max()) < 1.40
    for share, chance in (
        (draw.flip, 0.5),
        (draw.jitter, 0.8),
        (draw.grey, 0.2),
        (draw.sigma > 0, 0.5),
    ):
        bound = 4.5 * (chance * (1 - chance) / 4000) ** 0.5  # 4.5 standard errors
        assert abs(float(share.double().mean()) - chance) < bound
    assert torch.equal(draw.order.sort(1).values, torch.arange(4).expand(4000, 4))
    assert float(draw.strength[:, 3].abs().max()) <= 0.2
    assert 0.2 <= float(draw.strength[:, :3].min()) < float(draw.strength[:, :3].max()) <= 1.8


def test_a_box_for_each_image_or_an_error() -> None:
    with pytest.raises(ValueError, match="2 views were drawn for 3 images"):
        apply_random_view(photographs(), draw_views(2, 24, 24, generator(0)), 24, grey=True)
