"""Layers of stock Lava processes, driven by given spikes, with every spike, current and voltage recorded.

Runs in Python 3.10 with lava-nc 0.10; see README.md.
"""

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
from lava.proc.monitor.process import Monitor

FIXED_POINT = "fixed_pt"


def record(neurons, steps):
    """A monitor on u and v of each layer; spikes are read by `Sinks`."""
    monitors = {}
    for name, layer in neurons.items():
        for variable in ("u", "v"):
            monitors[name, variable] = Monitor()
            monitors[name, variable].probe(getattr(layer, variable), steps)
        monitors[name, "spikes"] = Monitor()
        monitors[name, "spikes"].probe(layer.s_out, steps)
    return monitors


def simulate(neurons, steps):
    """Run connected layers; {"name_u": (time, *shape), "name_v": ..., "name_spikes": ...} as int32."""
    monitors = record(neurons, steps)
    first = next(iter(neurons.values()))
    first.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag=FIXED_POINT))
    found = {}
    for (name, variable), monitor in monitors.items():
        (by_variable,) = monitor.get_data().values()
        (values,) = by_variable.values()
        found[f"{name}_{variable}"] = np.asarray(values).astype(np.int32)
    first.stop()
    return found


def source(spikes):
    """Spikes (time, *shape) as a process."""
    return RingBuffer(data=np.moveaxis(spikes, 0, -1).astype(int))


def dense(spikes, weight, exponent, bits, recurrent=None, **neurons):
    """Input, dense synapses, LIF neurons, perhaps recurrent synapses."""
    synapses = Dense(weights=weight, weight_exp=int(exponent), num_weight_bits=int(bits))
    layer = LIF(shape=(len(weight),), **neurons)
    source(spikes).s_out.connect(synapses.s_in)
    synapses.a_out.connect(layer.a_in)
    if recurrent is not None:
        back = Dense(weights=recurrent)
        layer.s_out.connect(back.s_in)
        back.a_out.connect(layer.a_in)
    return simulate({"lif": layer}, len(spikes))


def conv(spikes, kernels, stride, padding, exponent, **neurons):
    """Input maps (time, channel, row, col), kernels (post, pre, row, col), LIF neurons.

    Lava's maps are (column, row, channel) and it convolves where we correlate, so that kernels are turned.
    """
    turned = kernels[:, :, ::-1, ::-1].transpose(0, 3, 2, 1) << exponent
    maps = spikes.transpose(0, 3, 2, 1)
    synapses = Conv(
        weight=turned,
        input_shape=maps.shape[1:],
        stride=tuple(int(each) for each in stride[::-1]),
        padding=tuple(int(each) for each in padding[::-1]),
    )
    layer = LIF(shape=synapses.a_out.shape, **neurons)
    source(maps).s_out.connect(synapses.s_in)
    synapses.a_out.connect(layer.a_in)
    found = simulate({"lif": layer}, len(spikes))
    return {name: values.transpose(0, 3, 2, 1) for name, values in found.items()}


def two_compartment(basal, apical, weights, soma, apical_neurons, gate_weight, gate_threshold):
    """Soma, apical compartment and coincidence gate; `weights` from the basal and apical input."""
    count = len(weights[0])
    layers = {
        "soma": LIF(shape=(count,), **soma),
        "apical": LIF(shape=(count,), **apical_neurons),
        "gate": LIF(shape=(count,), du=4095, dv=4095, vth=gate_threshold),
    }
    for name, spikes, weight in zip(("soma", "apical"), (basal, apical), weights, strict=True):
        synapses = Dense(weights=weight)
        source(spikes).s_out.connect(synapses.s_in)
        synapses.a_out.connect(layers[name].a_in)
        coincidence = Dense(weights=gate_weight * np.eye(count, dtype=int))
        layers[name].s_out.connect(coincidence.s_in)
        coincidence.a_out.connect(layers["gate"].a_in)
    return simulate(layers, len(basal))
