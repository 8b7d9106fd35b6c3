"""An area of CLAPP that learns on the chip, step by step in the chip's integers.

A window (glance) has L = epoch 2^decimation steps, phases 0 to L - 1. Everything is local to a compartment,
or a message that takes one step:

    0        context c := counts z of the last window; the soma sends 2 c through W_pred (a graded spike,
             which also sets the trace x1 = c there); v := 0, since neurons without leak would never recover
             from inhibition in windows before; counting starts
    1        A = W_pred 2 c arrives and is held
    L - 4    last counted step; each soma sends z (A >> apical_shift) to the nucleus, and 2 z through W_retro
    L - 3    the nucleus has the sum u: gamma = y [y u < margin], y = +1 after a fixation, -1 after a saccade;
             R = W_retro 2 z arrives and is held
    L - 2    gamma arrives at all somata
    L - 1    the learning engine runs, with d = [z > 0]:
                 basal    w += x1 y1 + t y2    y1 = gamma d (A >> apical_shift), y2 = gamma (R >> retro_shift)
                          t := x1 d            y3 = 8 d
                 W_pred   w += x1 y1           x1 = c, y1 = gamma z
                 W_retro  w += x1 y1           x1 = z, y1 = gamma c

These are Eqs. 6-8 with both sides: the tag t remembers input and activity of the window before. x1 of the
basal synapses is a leaky trace of input spikes; biases of the somata do not learn. Traces and y have 7 bits
(y with sign).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from clapp_snn.export.loihi2.layers import IntegerLIF, LIFState
from clapp_snn.export.loihi2.learning import (
    POST_TAU,
    LearningRule,
    LearningSynapses,
    Post,
    Product,
)
from clapp_snn.export.loihi2.traces import LARGEST_TRACE, Rounding

QUIET = 3
"""Steps at the end of a window that are not counted: they carry score, gamma and learning."""

BASAL = Product(("x1", "y1"), 1, -6)
LATERAL = Product(("x1", "y1"))


@dataclass(frozen=True)
class AreaSettings:
    """Constants of a learning area.

    Attributes:
        basal, lateral: one product each: x1 y1 of the basal synapses (t y2 has the same gain), and of W_pred
            and W_retro.
        x1_impulse, x1_tau: basal trace.
        epoch, decimation: a window has epoch 2^decimation steps, 5 to 127 of them.
        apical_shift, retro_shift: right shifts of A and R before they are multiplied.
        margin: of the score, in units of z (A >> apical_shift).

    Raises ValueError for a window that does not fit.
    """

    basal: Product = BASAL
    lateral: Product = LATERAL
    x1_impulse: int = 16
    x1_tau: float = 8.0
    epoch: int = 32
    decimation: int = 0
    apical_shift: int = 4
    retro_shift: int = 4
    margin: int = 3000

    def __post_init__(self) -> None:
        if not QUIET + 2 <= self.window <= LARGEST_TRACE:
            raise ValueError(
                f"A window of a learning area has {QUIET + 2} to {LARGEST_TRACE} steps, not {self.window}."
            )

    @property
    def window(self) -> int:
        """Steps."""
        return self.epoch * 2**self.decimation

    @property
    def basal_rule(self) -> LearningRule:
        """Of the basal synapses."""
        context = Product(
            ("t", "y2"),
            self.basal.mantissa,
            self.basal.exponent + Product(("t", "y2")).lost_bits - self.basal.lost_bits,
        )
        return LearningRule(
            (self.basal, context),
            (Product(("x1", "y3")), Product(("t",), -1)),
            x1_impulse=self.x1_impulse,
            x1_tau=self.x1_tau,
            epoch=self.epoch,
            decimation=self.decimation,
        )

    @property
    def lateral_rule(self) -> LearningRule:
        """Of W_pred and W_retro."""
        return LearningRule(
            (self.lateral,),
            x1_tau=POST_TAU,
            epoch=self.epoch,
            decimation=self.decimation,
            graded=True,
        )


class AreaTrace(NamedTuple):
    """What an area did; weights are those after each window."""

    spikes: Bool[np.ndarray, "time post"]
    v: Int64[np.ndarray, "time post"]
    counts: Int64[np.ndarray, "window post"]
    score: Int64[np.ndarray, "window"]
    gamma: Int64[np.ndarray, "window"]
    weight: Int64[np.ndarray, "window post pre"]
    W_pred: Int64[np.ndarray, "window post post"]
    W_retro: Int64[np.ndarray, "window post post"]


class LoihiArea:
    """A learning area from rest.

    Args:
        weight: basal, within +-255.
        W_pred, W_retro: lateral.
        neurons: somata.
        settings: constants.
        rounding: random numbers of the three sets of synapses.

    Raises ValueError for weights that do not fit one another or the synapses.
    """

    def __init__(
        self,
        weight: Int64[np.ndarray, "post pre"],
        W_pred: Int64[np.ndarray, "post post"],
        W_retro: Int64[np.ndarray, "post post"],
        neurons: IntegerLIF,
        settings: AreaSettings,
        rounding: tuple[Rounding, Rounding, Rounding],
    ) -> None:
        post = len(weight)
        if W_pred.shape != (post, post) or W_retro.shape != (post, post):
            raise ValueError(f"Lateral weights of {post} neurons are {post} x {post} matrices.")
        if neurons.shape != (post,):
            raise ValueError(f"{post} rows of weights need neurons of shape ({post},).")
        self.neurons, self.settings = neurons, settings
        self.basal = LearningSynapses(weight, settings.basal_rule, rounding[0])
        self.pred = LearningSynapses(W_pred, settings.lateral_rule, rounding[1])
        self.retro = LearningSynapses(W_retro, settings.lateral_rule, rounding[2])

    def run(
        self, spikes: Int64[np.ndarray, "time pre"], fixation: Bool[np.ndarray, "window"]
    ) -> AreaTrace:
        """Whole windows, from rest, with the weights as they are.

        Args:
            spikes: input, 0 or 1.
            fixation: for each window, whether no saccade preceded it.

        Raises ValueError for an input of another length.
        """
        L, s = self.settings.window, self.settings
        post = len(self.basal.weight)
        if len(spikes) != L * len(fixation):
            raise ValueError(
                f"{len(fixation)} windows of {L} steps need {L * len(fixation)} steps, not {len(spikes)}."
            )
        nothing = np.zeros(post, np.int64)
        state, drive, apical, back = self.neurons.begin(), nothing, nothing, nothing
        c, z, A, R, gamma = nothing, nothing, nothing, nothing, 0
        silent = Post(nothing, nothing, nothing)
        trace: dict[str, list[np.ndarray]] = {name: [] for name in AreaTrace._fields}
        for t, now in enumerate(spikes):
            phase = t % L
            if phase == 0:
                state = LIFState(state.u, nothing)
            state, fired = self.neurons.step(drive, state)
            trace["spikes"].append(fired)
            trace["v"].append(state.v)
            if phase == 0:
                c, z = z, nothing
            elif phase == 1:
                A = apical >> s.apical_shift
            elif phase == L - QUIET:
                R = back >> s.retro_shift
                score = int(z @ A)
                y = 1 if fixation[t // L] else -1
                gamma = y if y * score < s.margin else 0
                trace["score"].append(np.asarray(score))
                trace["gamma"].append(np.asarray(gamma))
                trace["counts"].append(z)
            if phase < L - QUIET:
                z = z + fired
            basal = pred = retro = silent
            if phase == L - 1:
                d = (z > 0).astype(np.int64)
                basal = Post(_seven_bits(gamma * A * d), _seven_bits(gamma * R), 8 * d)
                pred, retro = Post(gamma * z, nothing, nothing), Post(gamma * c, nothing, nothing)
            drive = self.basal.step(now, basal)
            apical = self.pred.step(2 * c if phase == 0 else nothing, pred)
            back = self.retro.step(2 * z if phase == L - QUIET - 1 else nothing, retro)
            if phase == L - 1:
                for name, synapses in (
                    ("weight", self.basal),
                    ("W_pred", self.pred),
                    ("W_retro", self.retro),
                ):
                    trace[name].append(synapses.weight)
        return AreaTrace(**{name: np.stack(values) for name, values in trace.items()})


def _seven_bits(values: Int64[np.ndarray, "post"]) -> Int64[np.ndarray, "post"]:
    return np.clip(values, -LARGEST_TRACE - 1, LARGEST_TRACE)
