"""The update of 1-D convolutions against autograd."""

import pytest
import torch
from torch.nn import functional as F

from clapp_snn.encoders.speech import SPEECH6, WaveLayer
from clapp_snn.functional.wave_convolution import wave_update
from clapp_snn.randomness import generator


@pytest.mark.parametrize("layer", SPEECH6.layers)
@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_update_is_the_gradient_of_signal_times_activity(
    layer: WaveLayer, kind: torch.dtype, tolerance: float
) -> None:
    stream = generator(0, "wave")
    x = torch.randn(3, 4, 83, generator=stream, dtype=torch.float64)
    weight = torch.randn(5, 4, layer.kernel, generator=stream, dtype=torch.float64)
    bias = torch.randn(5, generator=stream, dtype=torch.float64)
    wanted = [weight.requires_grad_(), bias.requires_grad_()]
    z = F.relu(F.conv1d(x, weight, bias, layer.stride, layer.padding))
    assert z.shape[2] == layer.frames(83)
    signal = torch.randn(z.shape, generator=stream, dtype=torch.float64)
    theirs = torch.autograd.grad((z * signal).sum(), wanted)
    mine = wave_update(
        x.to(kind), z.detach().to(kind), signal.to(kind), weight.detach().to(kind), layer.stride,
        layer.padding,
    )  # fmt: skip
    for own, other in zip(mine, theirs, strict=True):
        assert (own - other).norm() <= tolerance * other.norm()
