"""Learning synapses of Lava with a choice of random numbers, and how to make their rules.

Runs in Python 3.10 with lava-nc 0.10; see README.md.
"""

from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.learning.learning_rule import Loihi3FLearningRule
from lava.magma.core.resources import CPU
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.models import PyLearningDenseModelBitApproximate
from lava.proc.dense.process import LearningDense


class Half:
    """Random numbers that are always 1/2: rounding to the nearest, exactly repeatable."""

    random_trace_decay = 0.5
    random_impulse_addition = 0
    random_stochastic_round = 0.5

    def advance(self):
        """Nothing."""


@implements(proc=LearningDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class RoundedLearningDense(PyLearningDenseModelBitApproximate):
    """Lava's model, with the random numbers that the process asks for in `rounding`.

    "lava" for Lava's own, whose synaptic numbers always begin alike; "nearest" for none; a whole number seeds
    the synaptic numbers.
    """

    def _init_randoms(self):
        super()._init_randoms()
        rounding = self.proc_params.get("rounding", "lava")
        if rounding == "nearest":
            self._x_random = self._y_random = self._conn_var_random = Half()
        elif rounding != "lava":
            self._conn_var_random = type(self._conn_var_random)(int(rounding))


def run_config():
    """Fixed point, with the rounding of `RoundedLearningDense`."""
    return Loihi2SimCfg(
        select_tag="fixed_pt", exception_proc_model_map={LearningDense: RoundedLearningDense}
    )


def learning_rule(dw, dt, epoch, seed, x1_impulse=0, x1_tau=0, x2_impulse=0, x2_tau=0):
    """A three-factor rule of Lava."""
    return Loihi3FLearningRule(
        dw=dw,
        dt=dt,
        x1_impulse=x1_impulse,
        x1_tau=x1_tau,
        x2_impulse=x2_impulse,
        x2_tau=x2_tau,
        t_epoch=epoch,
        rng_seed=seed,
    )
