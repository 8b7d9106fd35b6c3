import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn.functional.patches import cut_patches, patch_grid


@settings(deadline=None, max_examples=30)
@given(
    images=st.integers(0, 3),
    channels=st.sampled_from([1, 3]),
    size=st.integers(1, 6),
    step=st.integers(1, 6),
    grid=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_patches_equal_explicit_slices(images, channels, size, step, grid):
    rows, cols = (size + (n - 1) * step for n in grid)
    x = torch.randn(images, channels, rows, cols, generator=torch.Generator().manual_seed(1))
    expected = [
        x[i, :, r * step : r * step + size, c * step : c * step + size].permute(1, 2, 0)
        for i in range(images)
        for r in range(grid[0])
        for c in range(grid[1])
    ]
    patches = cut_patches(x, size, step)
    assert patches.shape == (images * grid[0] * grid[1], size, size, channels)
    assert patches.is_contiguous()
    for patch, wanted in zip(patches, expected, strict=True):
        assert torch.equal(patch, wanted)


def test_a_64_pixel_image_has_49_patches_and_a_96_pixel_image_121():
    assert cut_patches(torch.zeros(2, 1, 64, 64)).shape == (98, 16, 16, 1)
    assert cut_patches(torch.zeros(1, 3, 96, 96)).shape == (121, 16, 16, 3)


def test_an_image_smaller_than_a_patch_is_refused():
    with pytest.raises(ValueError, match="side of 12 pixels is shorter than a patch of 16"):
        cut_patches(torch.zeros(1, 1, 64, 12))


def test_an_image_that_does_not_fit_the_grid_is_refused_with_the_nearest_sides():
    with pytest.raises(ValueError, match="the nearest sides that fit are 64 and 72"):
        patch_grid(67)
