"""Loihi's learning engine: sums of products of traces, in 16 bits, with stochastic rounding.

At the end of an epoch of `epoch` steps, in every 2^decimation-th of them, with w and tag t in 9 bits,

    w <- round(w + sum of products),   product = mantissa 2^exponent x factors

Products are computed in 15 bits and sign: factors have 7 bits (traces) or 9 (w, t), the mantissa 4; what
goes beyond 15 bits in total is cut off by an arithmetic shift, so that x1 y1 loses 3 bits and counts 2^-3 of
its nominal value; a soma that writes y1 in steps of 8 (and y2 in steps of 32 for t y2) loses nothing
(`soma_program`). All products use the values before the update. The postsynaptic y1, y2 and y3 are written
by the neuron (three-factor rules), presynaptic x1 and x2 are traces. Source: the bit-approximate learning
model of lava-nc 0.10.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from clapp_snn.export.loihi2.arithmetic import WEIGHT_BITS, whole
from clapp_snn.export.loihi2.traces import (
    LARGEST_TRACE,
    Random,
    Rounding,
    decayed_trace,
    rounded,
    with_impulse,
)

Factor = Literal["x1", "x2", "y1", "y2", "y3", "w", "t"]
WIDTHS: dict[str, int] = {"x1": 7, "x2": 7, "y1": 7, "y2": 7, "y3": 7, "w": 9, "t": 9}
ACCUMULATOR_BITS = 15
FRACTION_BITS = 7
"""Of w and t in the accumulator."""
LONGEST_EPOCH = 63
POST_TAU = float(np.iinfo(np.uint16).max)
"""Lava lets postsynaptic values decay with this time constant, in steps."""


@dataclass(frozen=True)
class Product:
    """mantissa 2^exponent times factors.

    Attributes:
        factors: names of traces and synaptic variables.
        mantissa: -8 to 7, not 0.
        exponent: -7 to 8.

    Raises ValueError for what the engine cannot hold.
    """

    factors: tuple[Factor, ...]
    mantissa: int = 1
    exponent: int = 0

    def __post_init__(self) -> None:
        unknown = [name for name in self.factors if name not in WIDTHS]
        if unknown or not self.factors:
            raise ValueError(f"A product needs factors out of {', '.join(WIDTHS)}: {self.factors}.")
        if not -8 <= self.mantissa <= 7 or self.mantissa == 0:
            raise ValueError(f"A mantissa lies between -8 and 7 and is not 0: {self.mantissa}.")
        if not -7 <= self.exponent <= 8:
            raise ValueError(f"The exponent of a product lies between -7 and 8: {self.exponent}.")

    @property
    def lost_bits(self) -> int:
        """How many bits the engine cuts off."""
        return max(0, sum(WIDTHS[name] for name in self.factors) + 4 - ACCUMULATOR_BITS)

    @property
    def gain(self) -> float:
        """What the product of the factors is multiplied with in the end, in units of w or t."""
        return self.mantissa * 2.0 ** (self.exponent - self.lost_bits)


@dataclass(frozen=True)
class LearningRule:
    """What happens at the end of learning epochs.

    Attributes:
        dw, dt: products that change weight and tag.
        x1_impulse, x1_tau, x2_impulse, x2_tau: of the presynaptic traces; impulses 0 to 127, tau in steps,
            0 for a trace that is not used.
        epoch: steps, 1 to 63.
        decimation: only every 2^decimation-th epoch counts.
        graded: whether x1 is set to half the payload of a graded spike instead of gaining an impulse.

    Raises ValueError for what the engine cannot hold.
    """

    dw: tuple[Product, ...]
    dt: tuple[Product, ...] = ()
    x1_impulse: int = 0
    x1_tau: float = 0.0
    x2_impulse: int = 0
    x2_tau: float = 0.0
    epoch: int = 1
    decimation: int = 0
    graded: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.epoch <= LONGEST_EPOCH:
            raise ValueError(f"A learning epoch has 1 to {LONGEST_EPOCH} steps, not {self.epoch}.")
        if not 0 <= self.decimation <= 9:
            raise ValueError(f"The decimation lies between 0 and 9; it is {self.decimation}.")
        if not self.dw and not self.dt:
            raise ValueError("A learning rule needs at least one product.")
        for name in ("x1", "x2"):
            impulse, tau = getattr(self, f"{name}_impulse"), getattr(self, f"{name}_tau")
            if not (0 <= impulse <= LARGEST_TRACE and tau >= 0):
                raise ValueError(
                    f"{name} needs an impulse from 0 to {LARGEST_TRACE} and no negative tau: "
                    f"{impulse}, {tau}."
                )

    @property
    def window(self) -> int:
        """Steps from one update to the next."""
        return self.epoch * 2**self.decimation

    def equation(self, products: tuple[Product, ...]) -> str:
        """`products` in the language of Lava's learning rules."""
        return " + ".join(
            f"({each.mantissa}) * 2 ^ {each.exponent} * u{self.decimation} * "
            + " * ".join(each.factors)
            for each in products
        )


class Post(NamedTuple):
    """What the neurons write for their synapses: -128 to 127 each."""

    y1: Int64[np.ndarray, "post"]
    y2: Int64[np.ndarray, "post"]
    y3: Int64[np.ndarray, "post"]


class LearningSynapses:
    """Dense synapses that learn.

    Args:
        weight: at the start, -256 to 255; cut to even numbers, which learning need not keep.
        rule: how they learn.
        rounding: random numbers.

    Attributes:
        weight, tag: now.
        x1, x2: traces at the end of the last epoch.
        steps: that have passed.

    Raises ValueError for weights that a synapse cannot hold.
    """

    def __init__(
        self, weight: Int64[np.ndarray, "post pre"], rule: LearningRule, rounding: Rounding
    ) -> None:
        found = whole(weight, "Weights")
        if found.ndim != 2 or np.abs(found).max(initial=0) > 255:
            raise ValueError(
                f"Weights that learn are a matrix of numbers within +-255, not {found.shape}."
            )
        self.weight = (found >> 1) << 1
        self.rule = rule
        self.rounding = rounding
        self.tag = np.zeros_like(self.weight)
        pre = self.weight.shape[1]
        self.x1, self.x2, self._last = (np.zeros(pre, np.int64) for _ in range(3))
        self.steps = 0

    def step(self, spikes: Int64[np.ndarray, "pre"], post: Post) -> Int64[np.ndarray, "post"]:
        """One time step; returns what arrives at the neurons in the next.

        Args:
            spikes: now, or payloads of graded spikes.
            post: written by the neurons now.
        """
        sums = np.zeros(len(self.weight), np.int64)
        self.steps += 1
        if spikes.any():
            on = spikes > 0
            sums = self.weight[:, on] @ spikes[on]
            self._remember(spikes)
        self.rounding.advance()
        if self.steps % self.rule.epoch == 0:
            self._end_epoch(post)
        return sums

    def _remember(self, spikes: Int64[np.ndarray, "pre"]) -> None:
        now = spikes > 0
        again = now & (self._last > 0)
        if self.rule.graded:
            halves = np.round(spikes / 2).astype(np.uint8)
            self.x1 = np.where(now, halves, self.x1)
        else:
            self.x1 = _with_spikes(self.x1, again, self.rule.x1_impulse)
        self.x2 = _with_spikes(self.x2, again, self.rule.x2_impulse)
        self._last[now] = (self.steps - 1) % self.rule.epoch + 1

    def _end_epoch(self, post: Post) -> None:
        rule, random = self.rule, self.rounding.pre((2, *self.x1.shape))
        one, two = (random, random) if isinstance(random, float) else random
        for t in range(1, rule.epoch + 1):
            spiked = self._last == t
            self.x1 = decayed_trace(self.x1, rule.x1_tau, one)
            self.x2 = decayed_trace(self.x2, rule.x2_tau, two)
            self.x1 = _with_spikes(self.x1, spiked, rule.x1_impulse)
            self.x2 = _with_spikes(self.x2, spiked, rule.x2_impulse)
        self._last[:] = 0
        if (self.steps // rule.epoch) % 2**rule.decimation:
            self.rounding.synapse(())
        else:
            self._learn(post)

    def _learn(self, post: Post) -> None:
        rule, y = self.rule, np.stack(post)
        random = self.rounding.post(y.shape)
        for _ in range(rule.epoch):
            y = decayed_trace(y, POST_TAU, random)
        random = self.rounding.synapse(self.weight.shape)
        values = {"x1": self.x1[None], "x2": self.x2[None], "w": self.weight, "t": self.tag}
        values |= {f"y{index + 1}": each[:, None] for index, each in enumerate(y)}
        weight, tag = self.weight, self.tag
        if rule.dw:
            weight = _updated(self.weight, rule.dw, values, random)
        if rule.dt:
            tag = _updated(self.tag, rule.dt, values, random)
        self.weight = np.clip(weight, -(2**WEIGHT_BITS), 2**WEIGHT_BITS - 1)
        self.tag = np.clip(tag, -(2**WEIGHT_BITS) - 1, 2**WEIGHT_BITS - 1)


def _with_spikes(
    trace: Int64[np.ndarray, "pre"], spiked: Bool[np.ndarray, "pre"], impulse: int
) -> Int64[np.ndarray, "pre"]:
    if not impulse or not spiked.any():
        return trace
    return np.where(spiked, with_impulse(trace, impulse), trace)


def _updated(
    variable: Int64[np.ndarray, "post pre"],
    products: tuple[Product, ...],
    values: dict[str, Int64[np.ndarray, "*shape"]],
    random: Random,
) -> Int64[np.ndarray, "post pre"]:
    most = 2**ACCUMULATOR_BITS - 1
    found = variable << FRACTION_BITS
    for product in products:
        term = np.full(variable.shape, product.mantissa)
        for name in product.factors:
            bound = 2 ** WIDTHS[name]
            term = term * np.clip(values[name], -bound, bound - 1)
        term = (term >> product.lost_bits) << (product.exponent + 7)
        found = np.clip(found + np.clip(term, -most - 2, most), -most - 2, most)
    return rounded(found / 2**FRACTION_BITS, random)
