"""Sources of the random numbers that neurons need: one stream for events, another for bursts."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from clapp_snn.neurons.interface import Draws, Kind
from clapp_snn.randomness import generator


def _numbers(
    kind: Kind, shape: torch.Size, dtype: torch.dtype, stream: torch.Generator
) -> Tensor | None:
    if kind == "none":
        return None
    make = torch.randn if kind == "normal" else torch.rand
    return make(shape, dtype=dtype, device=stream.device, generator=stream)


class Streams(NamedTuple):
    """Two independent generators; what bursts consume cannot shift what events see.

    Attributes:
        event: somatic noise and event lotteries.
        burst: dendritic noise and burst lotteries.
    """

    event: torch.Generator
    burst: torch.Generator

    @classmethod
    def from_seed(cls, seed: int, *key: str | int, device: torch.device | str = "cpu") -> Self:
        """Streams named by a master seed and a key (`clapp_snn.randomness`)."""
        return cls(
            generator(seed, *key, "event", device=device),
            generator(seed, *key, "burst", device=device),
        )

    def draw(
        self,
        kinds: tuple[Kind, Kind],
        shape: torch.Size,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Draws:
        """Random numbers of one step; raises ValueError unless the generators live on `device`."""
        for stream in self:
            if stream.device.type != device.type:
                raise ValueError(
                    f"The random streams live on {stream.device}, the neurons on {device}; "
                    "make them with Streams.from_seed(seed, device=...)."
                )
        return Draws(
            _numbers(kinds[0], shape, dtype, self.event),
            _numbers(kinds[1], shape, dtype, self.burst),
        )


def check_numbers(samples: Sequence[int]) -> None:
    """Raise ValueError where two entries of a batch have the same number and so the same draws."""
    twice = sorted(number for number, count in Counter(samples).items() if count > 1)
    if twice:
        raise ValueError(
            f"Sample {twice[0]} is in the batch more than once: both would draw the same numbers. Number "
            "the entries differently."
        )


class SampleStreams:
    """One pair of streams for each sample of a batch, so that a sample's draws do not depend on its batch.

    Args:
        seed: master seed.
        samples: a number for every entry of the first axis of the drives, each another.
        key: names the purpose, for example the area.
        device: of the drives.

    Raises ValueError where two entries have one number: they would draw the same.
    """

    def __init__(
        self,
        seed: int,
        samples: list[int],
        *key: str | int,
        device: torch.device | str = "cpu",
    ) -> None:
        check_numbers(samples)
        self.streams = [
            Streams.from_seed(seed, *key, "sample", sample, device=device) for sample in samples
        ]

    def draw(
        self,
        kinds: tuple[Kind, Kind],
        shape: torch.Size,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Draws:
        """Random numbers of one step; raises ValueError unless the first axis has one entry a sample."""
        if len(shape) == 0 or shape[0] != len(self.streams):
            raise ValueError(
                f"{len(self.streams)} samples have streams, but the drives have shape {tuple(shape)}."
            )
        if not self.streams:
            return Draws(
                *(
                    None if kind == "none" else torch.empty(shape, dtype=dtype, device=device)
                    for kind in kinds
                )
            )
        each = [stream.draw(kinds, shape[1:], dtype, device) for stream in self.streams]
        return Draws(
            *(
                None if kind == "none" else torch.stack([draws[side] for draws in each])  # type: ignore[misc]
                for side, kind in enumerate(kinds)
            )
        )
