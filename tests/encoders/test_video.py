"""VGG-5 on clips: the published table, its shapes and parameters, and how it behaves outside of learning."""

import pytest
import torch
from torch import Tensor, nn

from clapp_snn.circuit.clip_hierarchy import ClipHierarchy
from clapp_snn.encoders.video import VGG5, VGG5_FRAMES, VGG5_OVERLAP, VideoEncoder
from clapp_snn.methods.video import VIDEO_METHODS
from clapp_snn.randomness import generator


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed, "clips"))


def test_parameters_are_as_many_as_published() -> None:
    with torch.device("meta"):
        network = ClipHierarchy(VideoEncoder(VGG5), VIDEO_METHODS["clapp-s"], 54, 128)
    assert sum(p.numel() for p in network.parameters()) == 18_553_152


@pytest.mark.parametrize(
    ("frames", "times"), [(54, (54, 54, 54, 18, 6)), (72, (72, 72, 72, 24, 8))]
)
def test_shapes_are_those_of_the_published_table(frames: int, times: tuple[int, ...]) -> None:
    places = [(96, 30, 30), (256, 6, 6), (512, 6, 6), (512, 6, 6), (512, 2, 2)]
    wanted = [(c, t, h, w) for t, (c, h, w) in zip(times, places, strict=True)]
    assert VGG5.shapes(frames, 128) == wanted
    flat = [channels * row * col for channels, _, row, col in wanted]
    assert flat == [86_400, 9_216, 18_432, 18_432, 2_048]


@pytest.mark.parametrize("table", [VGG5, VGG5_FRAMES, VGG5_OVERLAP], ids=lambda table: table.name)
def test_responses_have_the_shapes_of_the_table(table) -> None:
    encoder = VideoEncoder(table, 1 / 32)
    encoder.reset_parameters(generator(0, "weights"))
    x = noise(2, 12, 72, 72, 3)
    for index, (channels, time, row, col) in enumerate(encoder.architecture.shapes(12, 72)):
        x = encoder.respond(index, x, learn=True).output
        assert x.shape == (2, time, row, col, channels)
        assert x.is_contiguous()


def test_initial_weights_follow_kaiming_by_fan_out() -> None:
    encoder = VideoEncoder(VGG5, 1 / 4)
    encoder.reset_parameters(generator(0, "weights"))
    for index in range(5):
        block = encoder.layer(index)
        reference = torch.empty_like(block.weight)
        nn.init.kaiming_normal_(reference, mode="fan_out", nonlinearity="relu")
        count = block.weight.numel()
        # Standard error of a standard deviation of n normal numbers: 1 / sqrt(2 n), for either of two.
        ratio = float(block.weight.detach().std() / reference.std())
        assert abs(ratio - 1) < 4.5 * (1 / count) ** 0.5
        assert float(block.bias.detach().abs().max()) == 0


@pytest.mark.parametrize("order", ["relu-norm", "norm-relu"])
def test_evaluation_uses_running_statistics(order) -> None:
    encoder = VideoEncoder(VGG5_FRAMES, 1 / 32, "batch", order)
    encoder.reset_parameters(generator(0, "weights"))
    clips = noise(3, 2, 67, 67, 3)
    x = clips
    for index in range(5):
        response = encoder.respond(index, x, learn=True)
        assert response.statistics is not None
        encoder.layer(index).follow(response.statistics)
        x = response.output
    features = encoder.features(clips)
    assert [f.shape[1] for f in features] == [3 * 15 * 15, 8 * 9, 16 * 9, 16 * 9, 16]
    # A clip's features do not depend on the clips beside it.
    for whole, one in zip(features, encoder.features(clips[1:2]), strict=True):
        torch.testing.assert_close(whole[1:2], one)
    again = encoder.features(clips)
    assert all(torch.equal(a, b) for a, b in zip(features, again, strict=True))


def test_features_are_averages_over_time() -> None:
    encoder = VideoEncoder(VGG5_FRAMES, 1 / 32, "none")
    encoder.reset_parameters(generator(0, "weights"))
    clips = noise(2, 3, 67, 67, 3)
    frames = [encoder.features(clips[:, t : t + 1]) for t in range(3)]
    for layer, whole in enumerate(encoder.features(clips)):
        mean = sum(each[layer] for each in frames) / 3
        torch.testing.assert_close(whole, mean)


def test_bfloat16_convolutions_stay_near_float32() -> None:
    encoder = VideoEncoder(VGG5_FRAMES, 1 / 32, "none")
    encoder.reset_parameters(generator(0, "weights"))
    clips = noise(2, 3, 67, 67, 3)
    exact = encoder.features(clips)[-1]
    encoder.precision = torch.bfloat16
    rough = encoder.features(clips)[-1]
    assert rough.dtype == torch.float32
    assert 0 < float((rough - exact).norm() / exact.norm()) < 0.05


def test_clips_that_do_not_fit_are_refused_with_the_block() -> None:
    with pytest.raises(ValueError, match="too short for block 5 of vgg5"):
        VGG5.shapes(8, 128)
    with pytest.raises(ValueError, match="too small for block 2 of vgg5"):
        VGG5.shapes(54, 32)
    with pytest.raises(ValueError, match="width must be positive"):
        VideoEncoder(VGG5, 0)


def test_one_value_a_channel_has_no_variance() -> None:
    encoder = VideoEncoder(VGG5_FRAMES, 1 / 32)
    encoder.reset_parameters(generator(0, "weights"))
    x = noise(1, 1, 3, 3, 16)
    with pytest.raises(ValueError, match="more than one value a channel"):
        encoder.respond(4, x[:, :, :1, :1].expand(1, 1, 1, 1, 16), learn=True)
