"""The PyNN program that is written beside an exported network, as text."""

SCRIPT = '''"""Build the populations and projections beside this file with sPyNNaker, and run them.

    python run_pynn.py SPIKES.npz [RESULT.npz]

SPIKES.npz has one array of 0 and 1 for every source: steps, then its neurons. RESULT.npz gets spikes of the
recorded populations, which a virtual board leaves empty. Needs sPyNNaker 7.4.1 and a ~/.spynnaker.cfg that
names a machine or a virtual board.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyNN.spiNNaker as sim
from spynnaker.pyNN.extra_models import IFCurDelta, Neuromodulation


class Modulator(Neuromodulation):
    """sPyNNaker 7.4.1 returns row sizes of listed connections without their second axis."""

    def get_plastic_synaptic_data(self, *arguments):
        fixed, plastic, fixed_sizes, plastic_sizes = super().get_plastic_synaptic_data(*arguments)
        return fixed, plastic, fixed_sizes, plastic_sizes.reshape(-1, 1)


def neurons(cells, arrays):
    """One population."""
    name = cells["name"]
    values = {
        "tau_m": cells["tau_m"], "cm": cells["cm"], "v_rest": 0.0, "v_reset": 0.0,
        "v_thresh": cells["threshold"], "tau_refrac": 0.0, "i_offset": arrays[f"offset_{name}"].tolist(),
    }
    kind = IFCurDelta
    if cells["tau_syn"] is not None:
        kind = sim.IF_curr_exp
        values |= {"tau_syn_E": cells["tau_syn"], "tau_syn_I": cells["tau_syn"]}
    made = sim.Population(
        cells["size"], kind(**values), label=name, neurons_per_core=cells["neurons_per_core"],
        additional_parameters={"max_expected_summed_weight": cells["largest"]},
    )
    made.initialize(v=arrays[f"start_{name}"].tolist())
    return made


def synapse(plasticity, receptor):
    """What the synapses of a projection are, or None if they stay as they are."""
    if plasticity is None:
        return None
    if receptor in ("reward", "punishment"):
        return Modulator(
            weight=0.0, tau_c=plasticity["tau_c"], tau_d=plasticity["tau_d"], w_max=plasticity["w_max"]
        )
    timing = sim.SpikePairRule(
        tau_plus=plasticity["tau_plus"], tau_minus=plasticity["tau_plus"],
        A_plus=plasticity["a_plus"], A_minus=0.0,
    )
    weight = sim.AdditiveWeightDependence(w_min=0.0, w_max=plasticity["w_max"])
    return sim.STDPMechanism(timing_dependence=timing, weight_dependence=weight, weight=0.0)


def build(description, arrays, spikes):
    """All populations by name, and all projections; sim.setup has been called."""
    made = {}
    for source in description["sources"]:
        times = [np.flatnonzero(train).astype(float).tolist() for train in spikes[source["name"]].T]
        if not any(times):
            # sPyNNaker 7.4.1 fails for a source that never spikes: let it, after the end.
            times[0] = [float(len(spikes[source["name"]]))]
        made[source["name"]] = sim.Population(
            source["size"], sim.SpikeSourceArray(times), label=source["name"]
        )
    for cells in description["cells"]:
        made[cells["name"]] = neurons(cells, arrays)
    projections = []
    for index, record in enumerate(description["synapses"]):
        pre, post, weight = (arrays[f"{part}_{index}"] for part in ("pre", "post", "weight"))
        delays = np.full(len(pre), float(record["delay"]))
        connector = sim.FromListConnector(np.column_stack([pre, post, weight, delays]))
        projections.append(sim.Projection(
            made[record["before"]], made[record["after"]], connector,
            synapse(record["plasticity"], record["receptor"]), receptor_type=record["receptor"],
        ))
    for name in description["recorded"]:
        made[name].record("spikes")
    return made, projections


def read(folder):
    """Description and arrays of a folder."""
    description = json.loads((folder / "network.json").read_text())
    with np.load(folder / "network.npz", allow_pickle=False) as file:
        return description, dict(file)


def main():
    """Build, run, count, save."""
    description, arrays = read(Path(__file__).parent)
    with np.load(sys.argv[1], allow_pickle=False) as file:
        spikes = {name: np.asarray(file[name]).reshape(len(file[name]), -1) for name in file.files}
    steps = max(len(train) for train in spikes.values())
    sim.setup(timestep=1.0, time_scale_factor=description["slowdown"])
    made, _ = build(description, arrays, spikes)
    sim.run(steps)
    found = {}
    for name in description["recorded"]:
        trains = made[name].get_data("spikes").segments[-1].spiketrains
        found[name] = np.zeros((steps, made[name].size), bool)
        for neuron, train in enumerate(trains):
            found[name][np.asarray(train.magnitude, int), neuron] = True
        print(f"{name}: {int(found[name].sum())} spikes")
    sim.end()
    if len(sys.argv) > 2:
        np.savez_compressed(sys.argv[2], **found)


if __name__ == "__main__":
    main()
'''
