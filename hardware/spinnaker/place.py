"""Place and route an exported network on a virtual SpiNN-5 board, and say what went where.

    python place.py EXPORT/spinnaker PLACED.json [STEPS]

PLACED.json gets the cores of every population, and how its ring buffers are shifted. Needs sPyNNaker 7.4.1
(README.md) and a ~/.spynnaker.cfg that names a virtual board, such as spynnaker.cfg beside this file.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pyNN.spiNNaker as sim
from spynnaker.pyNN.data import SpynnakerDataView


def program(folder):
    """run_pynn.py of an export, as a module."""
    spec = importlib.util.spec_from_file_location("run_pynn", folder / "run_pynn.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cores(population):
    """(x, y, core) of every part of a population; parts of neurons and of synapses alike."""
    parts = population._vertex.machine_vertices
    places = [SpynnakerDataView.get_placement_of_vertex(part) for part in parts]
    return [[place.x, place.y, place.p] for place in places]


def main():
    """Build, place, route, load nothing, report."""
    folder, result = Path(sys.argv[1]), Path(sys.argv[2])
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 10
    module = program(folder)
    description, arrays = module.read(folder)
    silent = {
        each["name"]: np.zeros((steps, each["size"]), bool) for each in description["sources"]
    }
    sim.setup(timestep=1.0, time_scale_factor=description["slowdown"])
    made, projections = module.build(description, arrays, silent)
    sim.run(steps)
    found = {"projections": len(projections), "populations": {}}
    for name, population in made.items():
        found["populations"][name] = {"cores": cores(population)}
    for cells in description["cells"]:
        shifts = made[cells["name"]]._vertex.get_ring_buffer_shifts()
        found["populations"][cells["name"]]["shifts"] = [int(each) for each in shifts]
    sim.end()
    result.write_text(json.dumps(found, indent=1))
    used = {tuple(core[:2]) for each in found["populations"].values() for core in each["cores"]}
    print(f"{len(made)} populations and {len(projections)} projections on {len(used)} chips")


if __name__ == "__main__":
    main()
