"""Five 1-D convolutions and a GRU, the encoder of the paper's speech experiments, as a table.

Sizes: Lowe, O'Connor and Veeling 2019 (arXiv:1905.11786), whose speech experiments the paper follows. The
convolutions step 5 * 4 * 2 * 2 * 2 = 160 samples, one feature every 10 ms at 16 kHz.
"""

import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from clapp_snn.encoders.width import scaled_channels


@dataclass(frozen=True)
class WaveLayer:
    """A rectified 1-D convolution: kernel, stride and zero padding in samples of its input."""

    channels: int
    kernel: int
    stride: int
    padding: int

    def frames(self, samples: int) -> int:
        """Length of the output for an input of this length."""
        return (samples + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True)
class SpeechArchitecture:
    """Convolutions on the waveform, bottom up, and a recurrent layer on top of them.

    Attributes:
        layers: the convolutions.
        recurrent: units of the GRU.
        window: frames of every layer that are compared in a training step, at most.
        samples: length of the audio of a training step.
    """

    layers: tuple[WaveLayer, ...]
    recurrent: int
    window: int = 128
    samples: int = 20480

    def scaled(self, width: float) -> "SpeechArchitecture":
        """The same table with every number of channels multiplied by `width` (at least 1).

        Raises ValueError for a `width` as `scaled_channels` does.
        """
        layers = tuple(
            replace(layer, channels=scaled_channels(layer.channels, width)) for layer in self.layers
        )
        return replace(self, layers=layers, recurrent=scaled_channels(self.recurrent, width))

    def lengths(self, samples: int) -> list[int]:
        """Frames of every convolution for audio of this length."""
        found = []
        for layer in self.layers:
            samples = layer.frames(samples)
            found.append(samples)
        return found

    @property
    def hop(self) -> int:
        """Samples of audio between two features of the last convolution."""
        return math.prod(layer.stride for layer in self.layers)


SPEECH6 = SpeechArchitecture(
    (
        WaveLayer(512, kernel=10, stride=5, padding=2),
        WaveLayer(512, kernel=8, stride=4, padding=2),
        WaveLayer(512, kernel=4, stride=2, padding=2),
        WaveLayer(512, kernel=4, stride=2, padding=2),
        WaveLayer(512, kernel=4, stride=2, padding=1),
    ),
    recurrent=256,
)


class SpeechEncoder(nn.Module):
    """Weights of the table, in PyTorch's layout and default initialisation.

    Attributes:
        architecture: the table, scaled.
        convolutions: bottom up.
        gru: the recurrent layer; its state starts at 0.
        channels: features of every layer, the GRU last.
    """

    def __init__(self, architecture: SpeechArchitecture, width: float = 1.0) -> None:
        super().__init__()
        self.architecture = architecture.scaled(width)
        layers = self.architecture.layers
        pre = [1, *(layer.channels for layer in layers)]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(i, layer.channels, layer.kernel, layer.stride, layer.padding)
            for i, layer in zip(pre[:-1], layers, strict=True)
        )
        self.gru = nn.GRU(pre[-1], self.architecture.recurrent, batch_first=True)
        self.channels = [*pre[1:], self.architecture.recurrent]

    def convolution(self, index: int) -> nn.Conv1d:
        """One convolution, counted from 0."""
        return cast(nn.Conv1d, self.convolutions[index])

    def layer(self, index: int) -> nn.Module:
        """One layer, counted from 0; the last one is the GRU."""
        return self.gru if index == len(self.convolutions) else self.convolutions[index]

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw all weights from U(-b, b), b = 1/sqrt(fan_in) for convolutions, 1/sqrt(units) for the GRU."""
        with torch.no_grad():
            for index in range(len(self.convolutions)):
                convolution = self.convolution(index)
                bound = 1 / math.sqrt(convolution.weight[0].numel())
                for parameter in convolution.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)
            bound = 1 / math.sqrt(self.architecture.recurrent)
            for parameter in self.gru.parameters():
                parameter.uniform_(-bound, bound, generator=generator)

    def respond(
        self, index: int, x: Float[Tensor, "sample pre frame"]
    ) -> Float[Tensor, "sample post later"]:
        """Rectified response of convolution `index`, in the precision of the weights."""
        layer = self.convolution(index)
        return F.relu(F.conv1d(x, layer.weight, layer.bias, layer.stride[0], layer.padding[0]))

    @torch.no_grad()
    def features(
        self, audio: Float[Tensor, "sample time"]
    ) -> list[Float[Tensor, "sample frame channel"]]:
        """Activity of every layer, bottom up, averaged over stretches of 10 ms; no graph is built.

        The audio is cut to whole stretches. Raises ValueError for audio shorter than one.
        """
        frames = audio.shape[1] // self.architecture.hop
        if frames < 1:
            raise ValueError(
                f"Audio of {audio.shape[1]} samples is shorter than one feature "
                f"({self.architecture.hop} samples)."
            )
        x = audio[:, None, : frames * self.architecture.hop]
        found = []
        for index in range(len(self.convolutions)):
            x = self.respond(index, x)
            found.append(F.adaptive_avg_pool1d(x, frames).transpose(1, 2))
        states: Tensor = self.gru(x.transpose(1, 2))[0]
        found.append(F.adaptive_avg_pool1d(states.transpose(1, 2), frames).transpose(1, 2))
        return found
