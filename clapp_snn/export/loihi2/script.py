"""The program that is written beside an exported network."""

SCRIPT = '''"""Run this network in the fixed-point simulation of Loihi 2.

    python run_lava.py SPIKES.npy [RESULT.npz]

SPIKES.npy holds 0 and 1: time, then the input shape of network.json. Needs Python 3.10 with lava-nc 0.10.
RESULT.npz gets the spikes of every layer; layer k is k + 1 steps behind the input. On the chip itself,
replace Loihi2SimCfg by Loihi2HwCfg.
"""

import json
import sys
from pathlib import Path

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
from lava.proc.monitor.process import Monitor


def turned(values):
    """Maps of (time, channel, row, column) as (time, column, row, channel), and back."""
    return values.transpose(0, 3, 2, 1) if values.ndim == 4 else values


def build(description, arrays, spikes):
    """All layers, connected; the first is driven by `spikes`."""
    source = RingBuffer(data=np.moveaxis(turned(spikes), 0, -1).astype(int)).s_out
    layers = []
    for index, stage in enumerate(description["stages"]):
        weight = arrays[f"weight_{index}"]
        if weight.ndim == 4:
            synapses = Conv(
                weight=weight,
                input_shape=tuple(stage["input_shape"][::-1]),
                stride=tuple(stage["stride"]),
                padding=tuple(stage["padding"]),
            )
        else:
            synapses = Dense(weights=weight, weight_exp=stage["weight_exponent"])
        layer = LIF(
            shape=tuple(stage["shape"][::-1]),
            du=stage["du"],
            dv=stage["dv"],
            vth=stage["vth"],
            bias_mant=arrays[f"bias_{index}"],
            bias_exp=stage["bias_exponent"],
            v=arrays[f"v0_{index}"],
        )
        (source if weight.ndim == 4 else source.flatten()).connect(synapses.s_in)
        (synapses.a_out if weight.ndim == 4 else synapses.a_out.reshape(layer.a_in.shape)).connect(
            layer.a_in
        )
        if f"recurrent_{index}" in arrays:
            back = Dense(
                weights=arrays[f"recurrent_{index}"], weight_exp=stage["weight_exponent"]
            )
            layer.s_out.flatten().connect(back.s_in)
            back.a_out.reshape(layer.a_in.shape).connect(layer.a_in)
        layers.append(layer)
        source = layer.s_out
    return layers


def main():
    """Build, run, count, save."""
    folder = Path(__file__).parent
    description = json.loads((folder / "network.json").read_text())
    with np.load(folder / "network.npz", allow_pickle=False) as file:
        arrays = dict(file)
    spikes = np.load(sys.argv[1], allow_pickle=False)
    layers = build(description, arrays, spikes)
    monitors = []
    for layer in layers:
        monitor = Monitor()
        monitor.probe(layer.s_out, len(spikes))
        monitors.append(monitor)
    layers[0].run(
        condition=RunSteps(num_steps=len(spikes)), run_cfg=Loihi2SimCfg(select_tag="fixed_pt")
    )
    found = {}
    for index, monitor in enumerate(monitors):
        (by_name,) = monitor.get_data().values()
        (values,) = by_name.values()
        found[f"spikes_{index}"] = turned(np.asarray(values) > 0)
        print(f"layer {index}: {int(found[f'spikes_{index}'].sum())} spikes")
    layers[0].stop()
    if len(sys.argv) > 2:
        np.savez_compressed(sys.argv[2], **found)


if __name__ == "__main__":
    main()
'''
