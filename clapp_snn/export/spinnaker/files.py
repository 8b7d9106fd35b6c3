"""Files that PyNN builds a netlist from: arrays, a description, and the program that does it."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from clapp_snn.export.canonical import Network
from clapp_snn.export.spinnaker.limits import neurons_per_core, slowdown
from clapp_snn.export.spinnaker.netlist import Netlist
from clapp_snn.export.spinnaker.script import SCRIPT
from clapp_snn.files import atomic_path, write_text

ARRAYS, DESCRIPTION, PROGRAM = "network.npz", "network.json", "run_pynn.py"


def write_netlist(
    folder: Path, network: Network, netlist: Netlist, more: dict[str, Any]
) -> list[Path]:
    """Write the three files into an existing folder; `more` goes into the description. Their paths."""
    arrays: dict[str, Any] = {}
    for cells in netlist.cells:
        arrays |= {f"offset_{cells.name}": cells.offset, f"start_{cells.name}": cells.start}
    for index, synapses in enumerate(netlist.synapses):
        arrays |= {
            f"pre_{index}": synapses.pre.astype(np.int32),
            f"post_{index}": synapses.post.astype(np.int32),
            f"weight_{index}": synapses.weight,
        }
    record = {
        "name": network.name,
        "dt_ms": network.dt,
        "input_shape": list(network.input_shape),
        "slowdown": slowdown(netlist),
        "sources": [each._asdict() for each in netlist.sources],
        "cells": [
            {
                "name": each.name,
                "size": each.size,
                "tau_m": each.tau_m,
                "cm": each.cm,
                "threshold": each.threshold,
                "largest": list(each.largest),
                "tau_syn": each.tau_syn,
                "shifts": list(each.shifts),
                "neurons_per_core": neurons_per_core(netlist, each),
            }
            for each in netlist.cells
        ],
        "synapses": [
            {
                "before": each.before,
                "after": each.after,
                "receptor": each.receptor,
                "delay": each.delay,
                "plasticity": None if each.plasticity is None else each.plasticity._asdict(),
            }
            for each in netlist.synapses
        ],
        "recorded": netlist.recorded,
        "metadata": network.metadata,
        **more,
    }
    with atomic_path(folder / ARRAYS) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
    write_text(folder / DESCRIPTION, json.dumps(record, indent=1))
    write_text(folder / PROGRAM, SCRIPT)
    return [folder / ARRAYS, folder / DESCRIPTION, folder / PROGRAM]
