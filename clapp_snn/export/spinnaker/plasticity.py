"""Synapses that learn on SpiNNaker, in the fixed-point numbers of its cores: spike pairs and a modulator.

    eligibility   C <- C exp(-dt / tau_c), + a_plus r at a spike of the neuron, r the trace of input spikes
    modulator     D <- D exp(-dt / tau_d), + or - the weight of a reward or punishment
    weight        w <- w + C D (1 - exp(-dt / tau)) tau between events, with 1 / tau = 1 / tau_c + 1 / tau_d

Nothing happens until an input spikes: then all synapses of its row go through what their neurons did since
its last spike. A neuron remembers its last 15 spikes and modulators. Traces and decays have 11 bits after
the point and come from tables, of which those of tau_c hold every 16th step and those of tau_d every 4th.
Weight and eligibility are s16.15 while they change, and 16 bits with the shift of the ring buffer in between.

Source: sPyNNaker 7.4, `synapse_dynamics_stdp_izhikevich_neuromodulation.c`, `post_events_with_da.h`,
`timing_pair_impl.h`, `weight_additive_one_term_impl.h`, `stdp/maths.h` and `stdp/common.py`, without
depression (A_minus = 0). Assumed: products of accum numbers are rounded down; in one step spikes of neurons
come first, then modulators, then input. No board has confirmed it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from clapp_snn.export.spinnaker.arithmetic import FRACTION_BITS, fixed
from clapp_snn.export.spinnaker.netlist import Plasticity, buffer_weights

POINT = 11
UNIT = 1 << POINT
TO_ACCUM = FRACTION_BITS - POINT
EVENTS = 16
"""Entries of a neuron's history; the first stays a placeholder at time 0."""
SHIFT_C, SHIFT_D = 4, 2
"""Steps of the tables are 2^shift."""
DENDRITIC = 1
"""Delay, steps, by which a spike of the neuron reaches its synapses."""

Whole = Int64[np.ndarray, "*shape"]


def decay_table(tau: float, shift: int = 0) -> Int64[np.ndarray, "entry"]:
    """exp(-t / tau) of every 2^shift-th step, rounded down, as far as it is not 0."""
    half = math.log(UNIT) * tau / (1 << shift) / 2
    size = 2 * math.ceil(half)
    return np.floor(np.exp(-(np.arange(size) << shift) / tau) * UNIT).astype(np.int64)


def looked_up(table: Int64[np.ndarray, "entry"], time: Whole | int, shift: int = 0) -> Whole:
    """Entries of the table for times since; 0 beyond its end."""
    index = np.asarray(time) >> shift
    return np.where(index < len(table), table[np.minimum(index, len(table) - 1)], 0)


def short(values: Whole) -> Whole:
    """The low 16 bits, as a number with sign."""
    return ((values + 2**15) & 0xFFFF) - 2**15


def times16(x: Whole, y: Whole) -> Whole:
    """Product of 16-bit numbers with 11 bits after the point, rounded down."""
    return short(x) * short(y) >> POINT


def times_accum(x: Whole, y: Whole) -> Whole:
    """Product of an s16.15 number and one with 11 bits after the point, rounded down."""
    return x * (y << TO_ACCUM) >> FRACTION_BITS


@dataclass(frozen=True)
class Constants:
    """A rule in the numbers of the cores.

    Attributes:
        pre, eligibility, modulator: tables of decays.
        a_plus, largest: s16.15.
        component: -1 / (1 / tau_c + 1 / tau_d), s16.15.
        shift: of the excitatory ring buffer.
    """

    pre: Int64[np.ndarray, "entry"]
    eligibility: Int64[np.ndarray, "entry"]
    modulator: Int64[np.ndarray, "entry"]
    a_plus: int
    largest: int
    component: int
    shift: int


def constants_of(rule: Plasticity, shift: int) -> Constants:
    """Constants of a projection whose ring buffer has that shift.

    Raises ValueError for numbers beyond s16.15.
    """
    component = -1 / (1 / rule.tau_c + 1 / rule.tau_d)
    return Constants(
        decay_table(rule.tau_plus),
        decay_table(rule.tau_c, SHIFT_C),
        decay_table(rule.tau_d, SHIFT_D),
        int(fixed(rule.a_plus, "a_plus")),
        int(fixed(rule.w_max, "The largest weight")),
        int(fixed(component, "The time constants")),
        shift,
    )


class Histories:
    """What neurons remember of their spikes and modulators.

    Args:
        neurons: how many.
        modulator: table of its decay.
    """

    def __init__(self, neurons: int, modulator: Int64[np.ndarray, "entry"]) -> None:
        self.times = np.zeros((neurons, EVENTS), np.int64)
        self.dopamine = np.zeros((neurons, EVENTS), np.int64)
        self.is_dopamine = np.zeros((neurons, EVENTS), bool)
        self.count = np.ones(neurons, np.int64)
        self._table = modulator

    def add(
        self, where: Bool[np.ndarray, "neuron"], time: int, dopamine: Whole | int, marked: bool
    ) -> None:
        """A spike (no dopamine, not marked) or a modulator of some neurons."""
        members = np.flatnonzero(where)
        last = self.count[members] - 1
        kept = times16(
            self.dopamine[members, last],
            looked_up(self._table, time - self.times[members, last], SHIFT_D),
        )
        full = members[self.count[members] == EVENTS]
        for values in (self.times, self.dopamine, self.is_dopamine):
            values[full, 1:-1] = values[full, 2:]
        self.count[members] = np.minimum(self.count[members] + 1, EVENTS)
        last = self.count[members] - 1
        self.times[members, last] = time
        self.dopamine[members, last] = short(kept + dopamine)
        self.is_dopamine[members, last] = marked


class PlasticProjection:
    """Dense synapses that learn.

    Args:
        weight: as at the start, (post, pre), not negative.
        rule: how they learn.
        shift: of the excitatory ring buffer of the neurons.

    Attributes:
        stored: weights as ring buffers add them.
        eligibility: 16 bits, in the same unit.

    Raises ValueError for numbers that do not fit.
    """

    def __init__(self, weight: np.ndarray, rule: Plasticity, shift: int) -> None:
        post, pre = weight.shape
        self.constants = constants_of(rule, shift)
        self.stored = buffer_weights(weight.ravel(), shift).reshape(post, pre)
        self.eligibility = np.zeros((post, pre), np.int64)
        self.trace, self.last = np.zeros(pre, np.int64), np.zeros(pre, np.int64)
        self.histories = Histories(post, self.constants.modulator)

    @property
    def weight(self) -> np.ndarray:
        """In the unit of the netlist."""
        return self.stored * 2.0 ** (self.constants.shift - FRACTION_BITS)

    def step(
        self,
        time: int,
        pre: Bool[np.ndarray, "pre"],
        post: Bool[np.ndarray, "post"],
        modulators: Sequence[Int64[np.ndarray, "post"]],
    ) -> None:
        """One step.

        Args:
            time: step.
            pre: which inputs spike.
            post: which neurons spike.
            modulators: what arrives, one after the other, with 11 bits after the point; negative for
                punishment, 0 for nothing.
        """
        self.histories.add(post, time, 0, marked=False)
        for each in modulators:
            self.histories.add(each != 0, time, each[each != 0], marked=True)
        for row in np.flatnonzero(pre):
            self._update(int(row), time)

    def _update(self, row: int, time: int) -> None:
        """All synapses of one input, which spikes now."""
        k, h = self.constants, self.histories
        last, trace = int(self.last[row]), self.trace[row]
        neurons = np.arange(len(h.count))
        weight = self.stored[:, row] << k.shift
        eligible = self.eligibility[:, row] << k.shift
        begin, end = max(last - DENDRITIC, 0), max(time - DENDRITIC, 0)
        slot = np.arange(EVENTS)
        there = (slot < h.count[:, None]) & (slot > 0)
        first = 1 + (there & (h.times <= begin)).sum(1)
        number = (there & (h.times > begin) & (h.times <= end)).sum(1)
        # The chip finds the marks of the window as if no event came after it.
        marks = h.count - number
        valid, at = first > 1, np.full(len(neurons), last)
        dopamine = np.where(
            valid,
            times16(
                h.dopamine[neurons, first - 1],
                looked_up(k.modulator, last - h.times[neurons, first - 1], SHIFT_D),
            ),
            0,
        )
        for number_of in range(int(number.max(initial=0))):
            now = number_of < number
            which = np.minimum(first + number_of, EVENTS - 1)
            event = h.times[neurons, which] + DENDRITIC
            weight, eligible = self._between(weight, eligible, dopamine, event - at, now)
            mark = marks + number_of
            spiked = now & ~(h.is_dopamine[neurons, np.minimum(mark, EVENTS - 1)] & (mark < EVENTS))
            since = event - last
            paired = times_accum(
                np.asarray(k.a_plus), times16(trace, looked_up(k.pre, np.maximum(since, 0)))
            )
            grown = np.minimum(eligible + paired, k.largest)
            eligible = np.where(spiked & (since > 0), grown, eligible)
            dopamine = np.where(now, h.dopamine[neurons, which], dopamine)
            at, valid = np.where(now, event, at), valid | now
        weight, eligible = self._between(weight, eligible, dopamine, time - at, valid)
        self.stored[:, row] = np.clip(weight, 0, k.largest) >> k.shift & 0xFFFF
        self.eligibility[:, row] = eligible >> k.shift & 0xFFFF
        self.trace[row] = short(times16(trace, looked_up(k.pre, time - last)) + UNIT)
        self.last[row] = time

    def _between(
        self, weight: Whole, eligible: Whole, dopamine: Whole, passed: Whole, where: np.ndarray
    ) -> tuple[Whole, Whole]:
        """Weight and eligibility after `passed` steps without events."""
        k = self.constants
        c = looked_up(k.eligibility, np.maximum(passed, 0), SHIFT_C)
        d = looked_up(k.modulator, np.maximum(passed, 0), SHIFT_D)
        both = times_accum(times_accum(eligible, dopamine), times16(c, d) - UNIT)
        change = both * k.component >> FRACTION_BITS
        return (
            np.where(where & (dopamine != 0), weight + change, weight),
            np.where(where, times_accum(eligible, c), eligible),
        )
