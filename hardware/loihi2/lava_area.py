"""The learning area as Lava processes, for Loihi 2 and its fixed-point simulation.

    input -> LearningDense -> AreaSoma -> LearningDense (W_pred) -> AreaSoma
                              AreaSoma -> LearningDense (W_retro) -> AreaSoma
                              AreaSoma -> Dense -> Nucleus -> Dense -> AreaSoma (gamma)

The phases of a window are those of `clapp_snn.export.loihi2.learning_area`, which computes the same numbers
without Lava. Runs in Python 3.10 with lava-nc 0.10; see README.md. Lava imports all modules beside a process
to find its models, so that modules here do nothing when imported.
"""

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.learning.constants import GradedSpikeCfg
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.process import Dense, LearningDense
from lava.proc.io.source import RingBuffer
from lava.proc.monitor.process import Monitor
from lava_rounding import learning_rule, run_config

QUIET = 3
NOISE_BITS, MULTIPLIER, INCREMENT = 15, 205, 12345
FRACTION, LARGEST_STEP = 3, 15
SOMA_INPUTS = ("a_in", "a_pred", "a_retro", "a_gamma")
SOMA_SETTINGS = (
    "du", "dv", "vth", "window", "apical_shift", "retro_shift", "target", "homeostasis", "count_bits"
)  # fmt: skip
SOMA_OUTPUTS = ("s_out", "s_context", "s_score", "s_retro", "y1", "y2", "y3", "pred_y1", "retro_y1")
LONG = np.iinfo(np.uint16).max


class AreaSoma(AbstractProcess):
    """Soma and two apical compartments of every neuron of the area.

    Keyword arguments: shape, du, dv, vth, bias (mantissa and exponent in one), noise (None rounds to the
    nearest), and constants: window, apical_shift, retro_shift, target, homeostasis, count_bits.
    """

    def __init__(self, *, shape, du, dv, vth, bias, noise, **constants):
        super().__init__(shape=shape, noisy=noise is not None, **constants)
        for name in SOMA_INPUTS:
            setattr(self, name, InPort(shape=shape))
        for name in SOMA_OUTPUTS:
            setattr(self, name, OutPort(shape=shape))
        for name in ("u", "v", "count", "context", "apical", "back"):
            setattr(self, name, Var(shape=shape, init=0))
        self.spiked = Var(shape=shape, init=0)
        self.gamma = Var(shape=shape, init=0)
        self.bias = Var(shape=shape, init=bias)
        self.noise = Var(shape=shape, init=0 if noise is None else noise)
        self.du, self.dv, self.vth = (Var(shape=(1,), init=value) for value in (du, dv, vth))


class Nucleus(AbstractProcess):
    """One number an area: gamma = y [y u < margin]. Keyword arguments: window, margin."""

    def __init__(self, *, window, margin):
        super().__init__(window=window, margin=margin)
        self.a_score = InPort(shape=(1,))
        self.s_fixation = InPort(shape=(1,))
        self.s_gamma = OutPort(shape=(1,))
        self.score = Var(shape=(1,), init=0)
        self.gamma = Var(shape=(1,), init=0)


def whole(kind):
    """A whole number or array of them."""
    return LavaPyType(kind, np.int32, precision=24)


@implements(proc=AreaSoma, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class AreaSomaModel(PyLoihiProcessModel):
    """What the program of the somata does on the chip."""

    a_in: PyInPort = whole(PyInPort.VEC_DENSE)
    a_pred: PyInPort = whole(PyInPort.VEC_DENSE)
    a_retro: PyInPort = whole(PyInPort.VEC_DENSE)
    a_gamma: PyInPort = whole(PyInPort.VEC_DENSE)
    s_out: PyOutPort = whole(PyOutPort.VEC_DENSE)
    s_context: PyOutPort = whole(PyOutPort.VEC_DENSE)
    s_score: PyOutPort = whole(PyOutPort.VEC_DENSE)
    s_retro: PyOutPort = whole(PyOutPort.VEC_DENSE)
    y1: PyOutPort = whole(PyOutPort.VEC_DENSE)
    y2: PyOutPort = whole(PyOutPort.VEC_DENSE)
    y3: PyOutPort = whole(PyOutPort.VEC_DENSE)
    pred_y1: PyOutPort = whole(PyOutPort.VEC_DENSE)
    retro_y1: PyOutPort = whole(PyOutPort.VEC_DENSE)
    u: np.ndarray = whole(np.ndarray)
    v: np.ndarray = whole(np.ndarray)
    count: np.ndarray = whole(np.ndarray)
    context: np.ndarray = whole(np.ndarray)
    apical: np.ndarray = whole(np.ndarray)
    back: np.ndarray = whole(np.ndarray)
    spiked: np.ndarray = whole(np.ndarray)
    gamma: np.ndarray = whole(np.ndarray)
    bias: np.ndarray = whole(np.ndarray)
    noise: np.ndarray = whole(np.ndarray)
    du: np.ndarray = whole(np.ndarray)
    dv: np.ndarray = whole(np.ndarray)
    vth: np.ndarray = whole(np.ndarray)

    def integrate(self, arrived):
        """A LIF neuron of the chip: 12-bit decays, u of 24 bits wraps, v of 24 bits clips."""
        bound = 2**23
        u = self.u.astype(np.int64)
        u = np.sign(u) * (np.abs(u) * (4095 - self.du[0]) >> 12) + (arrived.astype(np.int64) << 6)
        u = np.where(u > bound, u - 2 * bound, u)
        u = np.where(u <= -bound, u + 2 * bound, u)
        v = self.v.astype(np.int64)
        v = np.sign(v) * (np.abs(v) * (4096 - self.dv[0]) >> 12) + u + self.bias
        v = np.clip(v, -bound + 1, bound - 1)
        spikes = v > self.vth[0] << 6
        self.u[:], self.v[:] = u, np.where(spikes, 0, v)
        self.spiked[:] = spikes
        return spikes

    def in_steps(self, values, bits):
        """values / 2^bits, rounded by the next random bits."""
        if not self.proc_params["noisy"]:
            return (values + (1 << bits >> 1)) >> bits
        self.noise[:] = (MULTIPLIER * self.noise + INCREMENT) & (1 << NOISE_BITS) - 1
        return (values + (self.noise >> NOISE_BITS - bits)) >> bits

    def written(self):
        """For the learning synapses: whole steps, so that the engine cuts nothing off."""
        constants = self.proc_params
        active = self.count > 0
        pull = constants["homeostasis"] * np.sign(constants["target"] - self.count)
        k1 = self.in_steps(self.gamma * self.apical * active + pull, FRACTION)
        k2 = self.in_steps(self.gamma * self.back, FRACTION)
        lateral = [
            self.in_steps(each, constants["count_bits"]) for each in (self.count, self.context)
        ]
        pred, retro = (8 * self.gamma * np.minimum(each, LARGEST_STEP) for each in lateral)
        return {
            "y1": 8 * np.clip(k1, -LARGEST_STEP, LARGEST_STEP),
            "y2": 32 * np.clip(k2, -4, 3),
            "y3": 8 * active,
            "pred_y1": pred,
            "retro_y1": retro,
        }

    def run_spk(self):
        """One step."""
        arrived, from_pred, from_retro, gamma = (getattr(self, name).recv() for name in SOMA_INPUTS)
        window = self.proc_params["window"]
        phase = (self.time_step - 1) % window
        if phase == 0:
            self.v[:] = 0
        spikes = self.integrate(arrived)
        send = {name: np.zeros(self.u.shape, np.int32) for name in SOMA_OUTPUTS}
        if phase == 0:
            self.context[:] = self.count
            self.count[:] = 0
            send["s_context"] = 2 * self.context
        elif phase == 1:
            self.apical[:] = from_pred >> self.proc_params["apical_shift"]
            send["s_context"] = self.context == 0
        elif phase == window - QUIET:
            self.back[:] = from_retro >> self.proc_params["retro_shift"]
            send["s_retro"] = self.count == 0
        elif phase == window - QUIET + 1:
            self.gamma[:] = gamma
        if phase < window - QUIET:
            self.count[:] += spikes
        if phase == window - QUIET - 1:
            send["s_score"] = self.count * self.apical
            send["s_retro"] = 2 * self.count
        if phase == window - 1:
            send |= self.written()
        send["s_out"] = spikes
        for name, values in send.items():
            getattr(self, name).send(np.asarray(values, np.int32))


@implements(proc=Nucleus, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class NucleusModel(PyLoihiProcessModel):
    """What the program of this neuron does on the chip."""

    a_score: PyInPort = whole(PyInPort.VEC_DENSE)
    s_fixation: PyInPort = whole(PyInPort.VEC_DENSE)
    s_gamma: PyOutPort = whole(PyOutPort.VEC_DENSE)
    score: np.ndarray = whole(np.ndarray)
    gamma: np.ndarray = whole(np.ndarray)

    def run_spk(self):
        """One step."""
        score, fixation = self.a_score.recv(), self.s_fixation.recv()
        sent = np.zeros(1, np.int32)
        window = self.proc_params["window"]
        if (self.time_step - 1) % window == window - QUIET:
            y = 1 if fixation[0] else -1
            self.score[:] = score
            self.gamma[:] = y if y * score[0] < self.proc_params["margin"] else 0
            sent = self.gamma.copy()
        self.s_gamma.send(sent)


def graded_synapses(weights, rule, rounding):
    """Learning synapses whose trace x1 is half the payload of the last graded spike."""
    return LearningDense(
        weights=weights,
        learning_rule=rule,
        num_message_bits=8,
        graded_spike_cfg=GradedSpikeCfg.OVERWRITE,
        rounding=rounding,
    )


class Area:
    """Processes of a learning area, connected.

    Args:
        weights: basal, lateral W_pred and W_retro, bias and noise of the somata (None rounds what they write
            to the nearest); whole numbers.
        rules: Lava's equations "basal_dw", "basal_dt" and "lateral_dw".
        settings: du, dv, vth, epoch, window, apical_shift, retro_shift, margin, x1_impulse, x1_tau, and
            target, homeostasis, count_bits of the somata.
        spikes: input, (pre, time).
        fixation: (1, time), 1 throughout windows without a saccade before them.
        seeds: of the three sets of synapses.
        rounding: see `lava_rounding.RoundedLearningDense`; one each.
    """

    def __init__(self, weights, rules, settings, spikes, fixation, seeds, rounding):
        post = weights["basal"].shape[0]
        s = settings
        self.input = RingBuffer(data=spikes)
        self.fixation = RingBuffer(data=fixation)
        lateral = [
            learning_rule(rules["lateral_dw"], None, s["epoch"], seed, x1_tau=LONG)
            for seed in seeds[1:]
        ]
        self.basal = LearningDense(
            weights=weights["basal"],
            learning_rule=learning_rule(
                rules["basal_dw"],
                rules["basal_dt"],
                s["epoch"],
                seeds[0],
                s["x1_impulse"],
                s["x1_tau"],
            ),
            rounding=rounding[0],
        )
        self.pred = graded_synapses(weights["W_pred"], lateral[0], rounding[1])
        self.retro = graded_synapses(weights["W_retro"], lateral[1], rounding[2])
        self.soma = AreaSoma(
            shape=(post,),
            bias=weights["bias"],
            noise=weights["noise"],
            **{name: s[name] for name in SOMA_SETTINGS},
        )
        self.nucleus = Nucleus(window=s["window"], margin=s["margin"])
        self.sum = Dense(weights=np.ones((1, post), int), num_message_bits=24)
        self.broadcast = Dense(weights=np.ones((post, 1), int), num_message_bits=8)
        self._connect()

    def _connect(self):
        soma = self.soma
        self.input.s_out.connect(self.basal.s_in)
        self.basal.a_out.connect(soma.a_in)
        soma.s_context.connect(self.pred.s_in)
        self.pred.a_out.connect(soma.a_pred)
        soma.s_retro.connect(self.retro.s_in)
        self.retro.a_out.connect(soma.a_retro)
        soma.s_score.connect(self.sum.s_in)
        self.sum.a_out.connect(self.nucleus.a_score)
        self.fixation.s_out.connect(self.nucleus.s_fixation)
        self.nucleus.s_gamma.connect(self.broadcast.s_in)
        self.broadcast.a_out.connect(soma.a_gamma)
        for source, sink in (
            (soma.y1, self.basal.s_in_y1),
            (soma.y2, self.basal.s_in_y2),
            (soma.y3, self.basal.s_in_y3),
            (soma.pred_y1, self.pred.s_in_y1),
            (soma.retro_y1, self.retro.s_in_y1),
        ):
            source.connect(sink)

    def run(self, windows, steps):
        """Simulate; returns spikes, voltages, counts, scores, gammas and weights after each window."""
        found = {name: [] for name in ("counts", "score", "gamma", "weight", "W_pred", "W_retro")}
        spiked, v = Monitor(), Monitor()
        spiked.probe(self.soma.spiked, windows * steps)
        v.probe(self.soma.v, windows * steps)
        config = run_config()
        for _ in range(windows):
            self.soma.run(condition=RunSteps(num_steps=steps), run_cfg=config)
            found["counts"].append(self.soma.count.get())
            found["score"].append(self.nucleus.score.get()[0])
            found["gamma"].append(self.nucleus.gamma.get()[0])
            found["weight"].append(self.basal.weights.get())
            found["W_pred"].append(self.pred.weights.get())
            found["W_retro"].append(self.retro.weights.get())
        (by_name,) = spiked.get_data().values()
        found["spikes"] = by_name["spiked"]
        (by_name,) = v.get_data().values()
        found["v"] = by_name["v"]
        self.soma.stop()
        return {name: np.asarray(values).astype(np.int32) for name, values in found.items()}
