"""Run an exported network with the neurons of sinabs.

    python run_sinabs.py EXPORT/speck SPIKES.npy [RESULT.npz]

SPIKES.npy holds whole numbers: time, then the input shape of network.json. RESULT.npz gets the spikes of all
layers. Needs sinabs 3 (README.md); nothing of `sinabs.backend`, which imports samna.
"""

import json
import sys
from pathlib import Path

import numpy as np
import sinabs.activation as sina
import sinabs.layers as sl
import torch
from torch import nn

LARGEST_EXACT = 2**24
"""Float32 counts up to here."""


def convolution(record, weight, bias):
    """The synapses of a core."""
    sizes = record["dimensions"]
    stride, padding = ((sizes[name]["y"], sizes[name]["x"]) for name in ("stride", "padding"))
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:], stride, padding)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.astype(np.float32)))
        layer.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
    return layer


def neurons(record, steps):
    """Its integrate-and-fire neurons: one spike a step, reset to zero, 16 bits."""
    return sl.IAFSqueeze(
        spike_threshold=torch.tensor(float(record["threshold_high"])),
        spike_fn=sina.SingleSpike,
        reset_fn=sina.MembraneReset(),
        min_v_mem=float(record["threshold_low"]),
        num_timesteps=steps,
    )


def run(folder, spikes):
    """Spikes of all layers."""
    description = json.loads((folder / "network.json").read_text())
    with np.load(folder / "network.npz", allow_pickle=False) as file:
        arrays = dict(file)
    first = description["layers"][0]["dimensions"]["input_shape"]
    shape = (first["feature_count"], first["size"]["y"], first["size"]["x"])
    x = torch.from_numpy(spikes.reshape(len(spikes), *shape).astype(np.float32))
    found = []
    for index, record in enumerate(description["layers"]):
        weight, bias = arrays[f"weight_{index}"], arrays[f"bias_{index}"]
        with torch.no_grad():
            drive = convolution(record, weight, bias)(x)
            if drive.abs().max() >= LARGEST_EXACT:
                raise ValueError(f"Sums of layer {index} are too large to be exact.")
            x = neurons(record, len(x))(drive)
            found.append(x.numpy().reshape(len(x), *record["shape"]) > 0)
            for target in record["destinations"]:
                if target["pooling"] > 1:
                    x = sl.SumPool2d(target["pooling"], target["pooling"])(x)
    return found


def main():
    """Run, count, save."""
    spikes = np.load(sys.argv[2], allow_pickle=False)
    found = run(Path(sys.argv[1]), spikes)
    for index, layer in enumerate(found):
        print(f"layer {index}: {int(layer.sum())} spikes")
    if len(sys.argv) > 3:
        np.savez_compressed(sys.argv[3], **{f"spikes_{k}": each for k, each in enumerate(found)})


if __name__ == "__main__":
    main()
