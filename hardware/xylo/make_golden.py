"""Write tests/golden/xylo.npz: random configurations of the chip and what xylosim computes with them.

    python make_golden.py FOLDER

Needs xylosim 0.1.3 (README.md).
"""

import sys
from pathlib import Path

import numpy as np
from run_xylosim import run

STEPS, INPUTS, HIDDEN, OUTPUTS = 60, 6, 10, 4
CASES = {"fine": (0, 20, 1), "coarse": (2, 40, 1), "saturated": (7, 127, 3)}
"""Shift, largest weight, shift of synaptic decay."""


def configuration(rng, largest):
    """Weights of all signs, every decay, biases."""
    arrays = {
        "w_in": rng.integers(-largest // 2, largest + 1, (INPUTS, HIDDEN)),
        "w_rec": rng.integers(-largest // 2, largest // 2, (HIDDEN, HIDDEN)),
        "w_out": rng.integers(-largest // 2, largest + 1, (HIDDEN, OUTPUTS)),
    }
    for name, count in (("hidden", HIDDEN), ("out", OUTPUTS)):
        arrays[f"dash_mem_{name}"] = rng.integers(0, 16, count)
        arrays[f"threshold_{name}"] = rng.integers(20, 400, count)
        arrays[f"bias_{name}"] = rng.integers(-10, 20, count)
    return arrays


def main():
    """All cases in one file."""
    kept = {}
    for number, (name, (shift, largest, dash)) in enumerate(CASES.items()):
        rng = np.random.default_rng(number)
        arrays = configuration(rng, largest)
        spikes = rng.integers(0, 20, (STEPS, INPUTS)) * (rng.random((STEPS, INPUTS)) < 0.3)
        settings = {"weight_shift": shift, "dash_syn": dash}
        found = run({**settings, "name": name}, arrays, spikes)
        everything = {**arrays, **settings, "spikes": spikes, **found}
        kept |= {f"{name}_{key}": np.asarray(value) for key, value in everything.items()}
    small = {
        key: value.astype(np.int16) if np.abs(value).max() < 2**15 else value.astype(np.int32)
        for key, value in kept.items()
    }
    np.savez_compressed(Path(sys.argv[1]) / "xylo.npz", **small)


if __name__ == "__main__":
    main()
