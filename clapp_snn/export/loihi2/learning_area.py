"""An area of CLAPP that learns on the chip, step by step in the chip's integers.

A window (glance) has L = epoch 2^decimation steps, phases 0 to L - 1. Everything is local to a compartment,
or a message that takes one step:

    0        context c := counts z of the last window; the soma sends 2 c through W_pred (a graded spike,
             which also sets the trace x1 = c there); v := 0, since neurons without leak would never recover
             from inhibition in windows before; counting starts
    1        A = W_pred 2 c >> apical_shift arrives and is held; somata with c = 0 send 1, which sets their x1
             to 0, and whose effect nobody reads
    L - 4    last counted step; each soma sends z A to the nucleus, and 2 z through W_retro
    L - 3    the nucleus has the sum u: gamma = y [y u < margin], y = +1 after a fixation, -1 after a saccade;
             R = W_retro 2 z >> retro_shift arrives and is held; somata with z = 0 send 1, as above
    L - 2    gamma arrives at all somata
    L - 1    the somata write y1, y2, y3 (`soma_program`), and the learning engine runs:
                 basal    w += x1 y1 + t y2    y1 ~ gamma d A + homeostasis, y2 ~ gamma R, d = [z > 0]
                          t := x1 d
                 W_pred   w += x1 y1           x1 = c, y1 ~ gamma z
                 W_retro  w += x1 y1           x1 = z, y1 ~ gamma c

These are Eqs. 6-8 with both sides: the tag t remembers input and activity of the window before. x1 of the
basal synapses is a leaky trace of input spikes; biases of the somata do not learn. Traces and y have 7 bits
(y with sign).
"""

from dataclasses import dataclass, field
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
from clapp_snn.export.loihi2.soma_program import Held, SomaProgram, write
from clapp_snn.export.loihi2.traces import LARGEST_TRACE, Rounding

QUIET = 3
"""Steps at the end of a window that are not counted: they carry score, gamma and learning."""

BASAL = Product(("x1", "y1"), 1, -7)
"""A step of y1 moves a synapse by x1 2^-7: the finest that the engine has."""
LATERAL = Product(("x1", "y1"), 1, -4)

Counts = Int64[np.ndarray, "post"]


@dataclass(frozen=True)
class AreaSettings:
    """Constants of a learning area.

    Attributes:
        basal, lateral: one product each: x1 y1 of the basal synapses (a step of y2 counts t as much as one of
            y1 counts x1), and of W_pred and W_retro.
        x1_impulse, x1_tau: basal trace. Only epochs of one step let every spike count at its own time.
        epoch, decimation: a window has epoch 2^decimation steps, 5 to 127 of them.
        apical_shift, retro_shift: right shifts of what arrives through W_pred and W_retro.
        margin: of the score, in units of z A.
        soma: constants of the somata's program.

    Raises ValueError for a window that does not fit.
    """

    basal: Product = BASAL
    lateral: Product = LATERAL
    x1_impulse: int = 1
    x1_tau: float = 16.0
    epoch: int = 1
    decimation: int = 5
    apical_shift: int = 4
    retro_shift: int = 4
    margin: int = 3000
    soma: SomaProgram = field(default_factory=SomaProgram)

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
        return LearningRule(
            (self.basal, Product(("t", "y2"), self.basal.mantissa, self.basal.exponent)),
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


class AreaWindow(NamedTuple):
    """What an area did in a window; weights are those after it."""

    spikes: Bool[np.ndarray, "time post"]
    v: Int64[np.ndarray, "time post"]
    counts: Counts
    score: int
    gamma: int
    weight: Int64[np.ndarray, "post pre"]
    W_pred: Int64[np.ndarray, "post post"]
    W_retro: Int64[np.ndarray, "post post"]


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


class _Running(NamedTuple):
    """State between windows."""

    neurons: LIFState
    z: Counts
    A: Counts
    drive: Counts
    apical: Counts
    back: Counts


class LoihiArea:
    """A learning area, at rest.

    Args:
        weight: basal, within +-255.
        W_pred, W_retro: lateral.
        neurons: somata.
        settings: constants.
        rounding: random numbers of the three sets of synapses.
        noise: of the somata; None rounds what they write to the nearest.

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
        noise: Counts | None = None,
    ) -> None:
        post = len(weight)
        if W_pred.shape != (post, post) or W_retro.shape != (post, post):
            raise ValueError(f"Lateral weights of {post} neurons are {post} x {post} matrices.")
        if neurons.shape != (post,):
            raise ValueError(f"{post} rows of weights need neurons of shape ({post},).")
        if noise is not None and noise.shape != (post,):
            raise ValueError(f"{post} somata need as many states of noise, not {noise.shape}.")
        self.neurons, self.settings, self.noise = neurons, settings, noise
        self.basal = LearningSynapses(weight, settings.basal_rule, rounding[0])
        self.pred = LearningSynapses(W_pred, settings.lateral_rule, rounding[1])
        self.retro = LearningSynapses(W_retro, settings.lateral_rule, rounding[2])
        nothing = np.zeros(post, np.int64)
        self._silent = Post(nothing, nothing, nothing)
        self._now = _Running(neurons.begin(), *(5 * (nothing,)))

    def window(self, spikes: Int64[np.ndarray, "time pre"], fixation: bool) -> AreaWindow:
        """The next window.

        Args:
            spikes: input, 0 or 1.
            fixation: whether no saccade preceded it.

        Raises ValueError for an input of another length.
        """
        L, s = self.settings.window, self.settings
        if len(spikes) != L:
            raise ValueError(f"1 window of {L} steps needs {L} steps, not {len(spikes)}.")
        state, c, A, drive, apical, back = self._now
        nothing = np.zeros_like(c)
        state, z, R = LIFState(state.u, nothing), nothing, nothing
        score, gamma = 0, 0
        fired_at, v = [], []
        for phase, now in enumerate(spikes):
            state, fired = self.neurons.step(drive, state)
            fired_at.append(fired)
            v.append(state.v)
            if phase == 1:
                A = apical >> s.apical_shift
            elif phase == L - QUIET:
                R = back >> s.retro_shift
                score = int(z @ A)
                y = 1 if fixation else -1
                gamma = y if y * score < s.margin else 0
            if phase < L - QUIET:
                z = z + fired
            basal = pred = retro = self._silent
            if phase == L - 1:
                written = write(s.soma, Held(z, c, A, R, gamma), self.noise)
                basal, pred, retro, self.noise = written
            drive = self.basal.step(now, basal)
            apical = self.pred.step(_told(c, phase), pred)
            back = self.retro.step(_told(z, phase - (L - QUIET - 1)), retro)
        self._now = _Running(state, z, A, drive, apical, back)
        weights = (self.basal.weight, self.pred.weight, self.retro.weight)
        return AreaWindow(np.stack(fired_at), np.stack(v), z, score, gamma, *weights)

    def run(
        self, spikes: Int64[np.ndarray, "time pre"], fixation: Bool[np.ndarray, "window"]
    ) -> AreaTrace:
        """The next windows.

        Args:
            spikes: input, 0 or 1.
            fixation: for each window, whether no saccade preceded it.

        Raises ValueError for an input of another length.
        """
        L = self.settings.window
        if len(spikes) != L * len(fixation):
            raise ValueError(
                f"{len(fixation)} windows of {L} steps need {L * len(fixation)} steps, not {len(spikes)}."
            )
        windows = [
            self.window(each, bool(same))
            for each, same in zip(spikes.reshape(-1, L, spikes.shape[1]), fixation, strict=True)
        ]
        found = {name: np.stack([getattr(w, name) for w in windows]) for name in AreaTrace._fields}
        for name in ("spikes", "v"):
            found[name] = np.concatenate(list(found[name]))
        return AreaTrace(**found)


def _told(counts: Counts, since: int) -> Counts:
    """Payloads of graded spikes: counts, and a step later a 1 where there were none, since 0 is no spike."""
    if since == 0:
        return 2 * counts
    return (counts == 0).astype(np.int64) if since == 1 else np.zeros_like(counts)
