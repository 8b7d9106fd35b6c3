"""Random numbers by counter: a function of seed, sample, step and neuron, not of the order of drawing.

A number does not change with the batch it is drawn in, the number of threads, the device, or the numbers
that others draw, and any step can be drawn again. The generator is Philox 4x32-10 (Salmon et al. 2011,
doi:10.1145/2063384.2063405); normal numbers are Box-Muller pairs from additions, products and square roots
in a fixed order, so that the compiled engine and torch compute the same bits. All numbers have the
resolution of float32, also in float64.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from clapp_snn import native
from clapp_snn.native.counter import counter_draw
from clapp_snn.neurons.interface import Draws, Kind
from clapp_snn.neurons.noise import check_numbers

GROUP = 32
EVENT, BURST = 0, 1
_LOW = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOG = (
    0.12722672522068024, -0.13127554953098297, 0.14204855263233185, -0.16626645624637604,
    0.20001234114170074, -0.2500078082084656, 0.3333333134651184, -0.4999999701976776,
)  # fmt: skip


class CounterStreams:
    """A source of random numbers for neurons, addressed by seed, key, sample, step and neuron.

    Args:
        seed: master seed.
        key: names the purpose, for example the area.
        samples: a number in 0 .. 2^32 - 1 for every entry of the first axis of the drives, each another, so
            that a sample's draws do not depend on its batch; None takes all neurons as one sample, number 0.
        step: number of the first step.

    Attributes:
        key: 64 bits from seed and key.
        samples: as given, or None.
        step: number of the next step.

    Raises ValueError for numbers out of range, or the same number twice.
    """

    def __init__(
        self, seed: int, *key: str | int, samples: Sequence[int] | None = None, step: int = 0
    ) -> None:
        text = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in key)])
        digest = hashlib.blake2b(text.encode(), digest_size=8, person=b"counter").digest()
        self.key = int.from_bytes(digest, "little")
        wrong = [each for each in (*(samples or ()), step) if not 0 <= each <= _LOW]
        if wrong:
            raise ValueError(f"Samples and steps are numbered from 0 to 2^32 - 1, not {wrong[0]}.")
        check_numbers(samples or ())
        self.samples = None if samples is None else torch.tensor(list(samples), dtype=torch.int64)
        self.step = step
        self._compiled = native.available()

    def numbered(self, shape: torch.Size) -> tuple[Int64[Tensor, " sample"], int]:
        """Number of every sample and how many neurons each has; ValueError unless the shape fits."""
        if self.samples is None:
            return torch.zeros(1, dtype=torch.int64), math.prod(shape)
        if len(shape) == 0 or shape[0] != len(self.samples):
            raise ValueError(
                f"{len(self.samples)} samples are numbered, but the drives have shape {tuple(shape)}."
            )
        return self.samples, math.prod(shape[1:])

    def advance(self, steps: int) -> None:
        """Count `steps` steps as drawn; raises ValueError beyond step 2^32."""
        if self.step + steps > _LOW + 1:
            raise ValueError("These streams have drawn all their 2^32 steps; use another key.")
        self.step += steps

    def draw(
        self,
        kinds: tuple[Kind, Kind],
        shape: torch.Size,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Draws:
        """Random numbers of the next step."""
        samples, size = self.numbered(shape)
        step = self.step
        self.advance(1)
        found: list[Tensor | None] = []
        for stream, kind in ((EVENT, kinds[0]), (BURST, kinds[1])):
            if kind == "none":
                found.append(None)
                continue
            compiled = self._compiled and device.type == "cpu"
            draw = counter_draw if compiled else counter_numbers
            numbers = draw(samples.to(device), size, self.key, step, stream, kind == "normal")
            found.append(numbers.view(shape).to(dtype))
        return Draws(*found)


def counter_numbers(
    sample: Int64[Tensor, " sample"], size: int, key: int, step: int, stream: int, normal: bool
) -> Float[Tensor, "sample neuron"]:
    """What `clapp_snn.native.counter.counter_draw` gives, bit by bit, in torch on any device."""
    groups = -(-size // GROUP)
    block = torch.arange(8 * groups, device=sample.device).expand(len(sample), -1)
    words = philox((block, step, sample[:, None], stream), (key & _LOW, key >> 32))
    # (sample, group, word, block): word w of block b belongs to neuron 8 w + b of the group.
    four = torch.stack([word.view(len(sample), groups, 8) for word in words], 2)
    if not normal:
        numbers = (four >> 8).float() * 2.0**-24
    else:
        numbers = torch.cat(_normal_pairs(four[:, :, :2], four[:, :, 2:]), 2)
    return numbers.reshape(len(sample), groups * GROUP)[:, :size].contiguous()


def philox(
    counter: tuple[Int64[Tensor, "*shape"], int, Int64[Tensor, "*shape"], int],
    key: tuple[int, int],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox 4x32-10: four words below 2^32 for counters and keys of 32-bit words."""
    a, second, c, fourth = counter
    a, c = torch.broadcast_tensors(a, c)
    b, d = torch.full_like(a, second), torch.full_like(a, fourth)
    for turn in range(10):
        k0, k1 = ((key[side] + turn * _WEYL[side]) & _LOW for side in (0, 1))
        # Products wrap around in int64; their low and high 32 bits are right all the same.
        p0, p1 = _MULTIPLIERS[0] * a, _MULTIPLIERS[1] * c
        a, b = ((p1 >> 32) & _LOW) ^ b ^ k0, p1 & _LOW
        c, d = ((p0 >> 32) & _LOW) ^ d ^ k1, p0 & _LOW
    return a, b, c, d


def _normal_pairs(radius: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Two normal numbers from two words; `counter.h` says how."""
    u = ((radius >> 1).float() + 0.5) * 2.0**-31
    # torch's square root in float32 is not correctly rounded; by way of float64 it is.
    length = torch.sqrt((-2.0 * _log(u)).double()).float()
    quarter = ((angle << 2) & _LOW) ^ 0x80000000
    x = (quarter - 0x80000000).float() * 3.65729529994141e-10
    z = x * x
    s = z * -0.00019587890710681677 + 0.008332747966051102
    s = s * z + -0.166666641831398
    s = s * z * x + x
    c = z * 2.454794230288826e-05 + -0.001388830249197781
    c = c * z + 0.0416666641831398
    c = c * z * z + (1.0 - 0.5 * z)
    swap = (angle & 0x40000000) != 0
    side = torch.where((angle & 0x80000000) != 0, -length, length)
    return side * torch.where(swap, s, c), side * torch.where(swap, c, s)


def _log(x: Tensor) -> Tensor:
    bits = x.view(torch.int32)
    fraction = bits & 0x7FFFFF
    above = fraction > 0x3504F3
    exponent = (bits >> 23) - 127 + above
    f = torch.where(above, fraction | (126 << 23), fraction | (127 << 23)).view(torch.float32) - 1.0
    p = f * -0.07673641294240952 + _LOG[0]
    for coefficient in _LOG[1:]:
        p = p * f + coefficient
    return exponent.float() * 0.6931471824645996 + (f + f * f * p)
