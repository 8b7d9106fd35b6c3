"""What a netlist takes of a SpiNN-5 board of 48 chips.

Limits are those of the tools (sPyNNaker and SpiNNMachine 7.4.1): 256 neurons and synaptic rows of 256 words
(`POP_TABLE_MAX_ROW_LENGTH`); ring buffers with 2^16 entries a core for neurons, receptors and steps of
delay (`MAX_RING_BUFFER_BITS`), and 8 more times these delays by delay extensions; 123 469 792 bytes of
memory a chip (`version_spin1.py`) and at least 17 working cores (`version_5.py`), of which one runs the
chip, one monitors it, and one of the board gathers data. A core adds up 13 million static or 1.4 million
plastic synapses a second (Knight and Furber 2016, doi:10.3389/fnins.2016.00420), which decides how much
slower than real time a program has to run.
"""

import math

import numpy as np

from clapp_snn.export.spinnaker.netlist import Cells, Netlist, Synapses
from clapp_snn.export.target import Limit

CHIPS = 48
CORES = CHIPS * (17 - 2) - 1
CHIP_BYTES = 123_469_792
NEURONS = 256
PLASTIC_NEURONS = 120
"""Of a core whose synapses learn: rows of 2 words a synapse and 3 more have to fit."""
ROW_WORDS = 256
BUFFER_BITS = 16
DELAY_STAGES = 9
STATIC_RATE, PLASTIC_RATE = 13_000, 1_400
"""Synapses that a core adds up in 1 ms."""
WORD = 4
HEADER_WORDS = 3
NEURON_BYTES = 14 * WORD
"""Parameters of a neuron as they are loaded."""


def plastic(netlist: Netlist, cells: Cells) -> bool:
    """Whether any synapse of a population learns."""
    return any(each.after == cells.name and each.plasticity for each in netlist.synapses)


def neurons_per_core(netlist: Netlist, cells: Cells) -> int:
    """How many of a population share a core."""
    return PLASTIC_NEURONS if plastic(netlist, cells) else NEURONS


def cores_of(netlist: Netlist, cells: Cells) -> int:
    """Cores of a population; where synapses learn, neurons and synapses have cores of their own."""
    parts = math.ceil(cells.size / neurons_per_core(netlist, cells))
    return parts * (2 if plastic(netlist, cells) else 1)


def cores_in_all(netlist: Netlist) -> int:
    """Cores of all populations, of sources and of delay extensions."""
    sources = sum(math.ceil(each.size / NEURONS) for each in netlist.sources)
    extended = {
        (each.before, each.after)
        for each in netlist.synapses
        if each.delay > buffer_steps(netlist.cells_named(each.after))
    }
    delays = sum(math.ceil(netlist.size_of(before) / NEURONS) for before, _ in extended)
    return sources + delays + sum(cores_of(netlist, each) for each in netlist.cells)


def buffer_steps(cells: Cells) -> int:
    """Steps of delay that ring buffers of a core hold."""
    neuron_bits = max(1, math.ceil(math.log2(min(cells.size, NEURONS))))
    return int(2 ** (BUFFER_BITS - neuron_bits - 1))


def row_words(netlist: Netlist, synapses: Synapses) -> int:
    """Words of the longest row: the synapses of one neuron on one core."""
    if not synapses.pre.size:
        return 0
    cells = netlist.cells_named(synapses.after)
    core = synapses.post // neurons_per_core(netlist, cells)
    pairs = synapses.pre * (int(core.max()) + 1) + core
    longest = int(np.bincount(pairs).max())
    return 2 * longest + HEADER_WORDS if synapses.plasticity else longest


def core_bytes(netlist: Netlist, cells: Cells) -> int:
    """Memory of the fullest core of a population: all rows as long as the longest, and its neurons."""
    rows = sum(
        netlist.size_of(each.before) * (HEADER_WORDS + row_words(netlist, each)) * WORD
        for each in netlist.synapses
        if each.after == cells.name
    )
    return rows + NEURON_BYTES * min(cells.size, neurons_per_core(netlist, cells))


def memory(netlist: Netlist) -> int:
    """Of all synapses and neurons, in bytes."""
    words = sum(
        (2 if each.plasticity else 1) * each.pre.size + HEADER_WORDS * netlist.size_of(each.before)
        for each in netlist.synapses
    )
    return WORD * words + NEURON_BYTES * sum(each.size for each in netlist.cells)


def slowdown(netlist: Netlist) -> int:
    """How many ms of a clock a step takes so that every core keeps up even if all neurons spike at once."""
    factor = 1
    for cells in netlist.cells:
        static = changing = 0
        for each in netlist.synapses:
            if each.after == cells.name and each.post.size:
                core = each.post // neurons_per_core(netlist, cells)
                most = int(np.bincount(core).max())
                static, changing = (
                    (static, changing + most) if each.plasticity else (static + most, changing)
                )
        factor = max(factor, math.ceil(static / STATIC_RATE + changing / PLASTIC_RATE))
    return factor


def limits_of(netlist: Netlist) -> list[Limit]:
    """All limits, kept or not."""
    found = [
        Limit(
            "cores of one board",
            cores_in_all(netlist),
            CORES,
            "",
            "Use fewer units or smaller maps, or a machine of several boards.",
        ),
        Limit(
            "memory of one board",
            memory(netlist),
            CHIPS * CHIP_BYTES,
            "bytes",
            "Use smaller kernels, fewer channels, or several boards.",
        ),
    ]
    for cells in netlist.cells:
        own = [each for each in netlist.synapses if each.after == cells.name]
        name = cells.name
        found += [
            Limit(
                f"{name}: neurons of a core",
                min(cells.size, neurons_per_core(netlist, cells)),
                NEURONS,
                "",
                "Place fewer on a core.",
            ),
            Limit(
                f"{name}: memory of a core",
                core_bytes(netlist, cells),
                CHIP_BYTES,
                "bytes",
                "Give the layer fewer inputs.",
            ),
            Limit(
                f"{name}: words of a synaptic row",
                max((row_words(netlist, each) for each in own), default=0),
                ROW_WORDS,
                "words",
                "Join a pair of neurons by one synapse only, or place fewer neurons on a core.",
            ),
            Limit(
                f"{name}: delay",
                max((each.delay for each in own), default=1),
                DELAY_STAGES * buffer_steps(cells),
                "steps",
                "Shorten the windows.",
            ),
        ]
    found.append(
        Limit("times slower than 1 ms a step", slowdown(netlist), math.inf, "", "Use fewer inputs.")
    )
    return found
