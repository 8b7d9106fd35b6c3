"""Let exported areas learn on in the fixed-point simulation of Loihi 2.

    python run_area.py FOLDER SPIKES.npy FIXATION.npy [--area 0] [--rounding lava] [--result RESULT.npz]

FOLDER is what `clapp-snn export RUN --target loihi2 --learning` wrote. SPIKES.npy holds 0 and 1, (time, input
of the area), whole windows; FIXATION.npy one number a window, 1 where no saccade preceded it. Runs in Python
3.10 with lava-nc 0.10; see README.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np


def main():
    """Build, run, print what the area learned, save."""
    import lava_area

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("spikes", type=Path)
    parser.add_argument("fixation", type=Path)
    parser.add_argument("--area", type=int, default=0)
    parser.add_argument("--rounding", choices=["lava", "nearest"], default="lava")
    parser.add_argument("--result", type=Path)
    options = parser.parse_args()
    described = json.loads((options.folder / "learning.json").read_text())["areas"][options.area]
    with np.load(options.folder / "learning.npz", allow_pickle=False) as file:
        weights = {
            name: file[f"{name}_{options.area}"]
            for name in ("basal", "W_pred", "W_retro", "bias", "noise")
        }
    if options.rounding == "nearest":
        weights["noise"] = None
    settings = described["settings"] | described["settings"]["soma"] | described["neurons"]
    window = settings["epoch"] * 2 ** settings["decimation"]
    spikes, fixation = (
        np.load(path, allow_pickle=False) for path in (options.spikes, options.fixation)
    )
    processes = lava_area.Area(
        weights,
        described["rules"],
        settings | {"window": window},
        spikes.T.astype(int),
        np.repeat(fixation.astype(int), window)[None],
        (11, 12, 13),
        (options.rounding,) * 3,
    )
    found = processes.run(len(fixation), window)
    gates = (found["gamma"] != 0).mean()
    print(f"{len(fixation)} windows of {window} steps; the gate was open in {100 * gates:.0f} %")
    for name, initial in (("weight", "basal"), ("W_pred", "W_pred"), ("W_retro", "W_retro")):
        moved = found[name][-1] != weights[initial]
        print(f"{name}: {moved.sum()} of {moved.size} changed")
    if options.result:
        np.savez_compressed(options.result, **found)


if __name__ == "__main__":
    main()
