"""Run an exported network in SynSense's simulator of Xylo.

    python run_xylosim.py EXPORT/xylo SPIKES.npy [RESULT.npz]

SPIKES.npy holds whole numbers: time, inputs. RESULT.npz gets counts of spikes and voltages of hidden neurons
and outputs. Needs xylosim 0.1.3 (README.md), not rockpool.
"""

import json
import sys
from pathlib import Path

import numpy as np
from xylosim.v2 import XyloLayer, XyloSynapse


def synapses(weight):
    """For every input its synapses, where the weight is not 0."""
    return [
        [XyloSynapse(int(post), 0, int(row[post])) for post in np.flatnonzero(row)]
        for row in weight
    ]


def build(description, arrays):
    """The simulator, and the synapses: it keeps pointers to them, so that the caller must keep them alive."""
    kept = [synapses(arrays[name]) for name in ("w_in", "w_rec", "w_out")]
    shift, dash = description["weight_shift"], description["dash_syn"]
    hidden, outputs = arrays["w_out"].shape
    layer = XyloLayer(
        synapses_in=kept[0],
        synapses_rec=kept[1],
        synapses_out=kept[2],
        aliases=[[] for _ in range(hidden)],
        threshold=arrays["threshold_hidden"].tolist(),
        threshold_out=arrays["threshold_out"].tolist(),
        has_bias=True,
        bias=arrays["bias_hidden"].tolist(),
        bias_out=arrays["bias_out"].tolist(),
        weight_shift_inp=shift,
        weight_shift_rec=shift,
        weight_shift_out=shift,
        dash_mem=arrays["dash_mem_hidden"].tolist(),
        dash_mem_out=arrays["dash_mem_out"].tolist(),
        dash_syns=[[dash]] * hidden,
        dash_syns_out=[[dash]] * outputs,
        name=description["name"],
    )
    return layer, kept


def run(description, arrays, spikes):
    """Counts and voltages of all steps, from rest."""
    layer, kept = build(description, arrays)
    layer.reset_all()
    found = {
        "outputs": np.array(layer.evolve(spikes.astype(int).tolist())),
        "hidden": np.array(layer.rec_recurrent_spikes),
        "v_hidden": np.array(layer.rec_v_mem).T,
        "v_outputs": np.array(layer.rec_v_mem_out).T,
    }
    del layer, kept
    return found


def main():
    """Read, run, count, save."""
    folder = Path(sys.argv[1])
    description = json.loads((folder / "network.json").read_text())
    with np.load(folder / "network.npz", allow_pickle=False) as file:
        arrays = dict(file)
    found = run(description, arrays, np.load(sys.argv[2], allow_pickle=False))
    print(f"{found['hidden'].sum()} hidden spikes, {found['outputs'].sum()} of outputs")
    if len(sys.argv) > 3:
        np.savez_compressed(sys.argv[3], **found)


if __name__ == "__main__":
    main()
