"""Learning synapses of Lava under given spikes and given postsynaptic values.

Runs in Python 3.10 with lava-nc 0.10; see README.md.
"""

import lava_rounding
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.proc.dense.process import LearningDense
from lava.proc.io.source import RingBuffer
from lava.proc.monitor.process import Monitor


def learn(weight, spikes, post, rule, rounding):
    """Weights, tags and traces after every step.

    Args:
        weight: (post, pre).
        spikes: (time, pre).
        post: y1, y2, y3, each (time, post).
        rule: arguments of `lava_rounding.learning_rule`.
        rounding: see `lava_rounding.RoundedLearningDense`.
    """
    steps = len(spikes)
    synapses = LearningDense(
        weights=weight, learning_rule=lava_rounding.learning_rule(**rule), rounding=rounding
    )
    RingBuffer(data=spikes.T.astype(int)).s_out.connect(synapses.s_in)
    for name, values in zip(("y1", "y2", "y3"), post, strict=True):
        buffer = RingBuffer(data=values.T.astype(int))
        buffer.s_out.connect(getattr(synapses, f"s_in_{name}"))
    monitors = {}
    for name, variable in (
        ("weight", synapses.weights),
        ("tag", synapses.tag_1),
        ("x1", synapses.x1),
        ("x2", synapses.x2),
    ):
        monitors[name] = Monitor()
        monitors[name].probe(variable, steps)
    synapses.run(condition=RunSteps(num_steps=steps), run_cfg=lava_rounding.run_config())
    found = {}
    for name, monitor in monitors.items():
        (by_variable,) = monitor.get_data().values()
        (values,) = by_variable.values()
        found[name] = np.asarray(values).astype(np.int32)
    synapses.stop()
    return found
