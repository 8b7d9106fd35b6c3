"""Write tests/golden/nest_urbanczik_neurons.json: neurons that learn in NEST, each a pattern of its own.

    python tests/oracle/record_urbanczik.py FOLDER

Needs NEST (docs/howto/oracles.md; about two minutes). Settings are those of NEST's published example, with 60
taught repetitions; before and after them are two repetitions of silence at the soma. Patterns come from
NumPy, so that another simulator can be given the same ones: `pattern`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

GROUPS, GROUP, INPUTS, RATE = 4, 3, 200, 10.0
DT, PERIOD, REPETITIONS, IDLE, AVERAGED = 0.1, 200.0, 60, 2, 10
TEACHING = {"soma_exc": (4.8, 5.4), "soma_inh": (0.0, 18.0)}
"""Amplitude and mean, in nS, of what arrives every step."""
MODEL = "pp_cond_exp_mc_urbanczik"


def pattern(neuron: int, dt: float = DT) -> npt.NDArray[np.bool_]:
    """Which of the `INPUTS` inputs spikes in which step of the pattern, (step, input); none in the first."""
    steps = round(PERIOD / dt)
    spikes = np.random.default_rng((314, neuron)).random((steps, INPUTS)) < RATE * dt / 1000
    spikes[0] = False
    return spikes


def simulate(nest: Any, group: int) -> tuple[dict[str, npt.NDArray[Any]], int]:
    """Potentials and conductances of a group at every step, (step, neuron), and the first taught step."""
    nest.ResetKernel()
    nest.resolution = DT
    nest.rng_seed = group + 1
    repetitions = REPETITIONS + 2 * IDLE
    total = repetitions * PERIOD
    neurons = nest.Create(MODEL, GROUP)
    receptors = nest.GetDefaults(MODEL)["receptor_types"]
    synapse = {
        "synapse_model": "urbanczik_synapse",
        "receptor_type": receptors["dendritic_exc"],
        "tau_Delta": 100.0,
        "eta": 0.17,
        "weight": 90.0,
        "Wmax": 1350.0,
        "delay": DT,
    }
    starts = np.arange(repetitions)[:, None] * PERIOD
    for number, neuron in enumerate(neurons, start=group * GROUP):
        trains = [np.flatnonzero(column) * DT for column in pattern(number).T]
        sources = nest.Create("spike_generator", INPUTS)
        for source, times in zip(sources, trains, strict=True):
            source.spike_times = np.round((starts + times).ravel(), 1)
        relays = nest.Create("parrot_neuron", INPUTS)
        nest.Connect(sources, relays, "one_to_one", {"delay": DT})
        nest.Connect(relays, neuron, syn_spec=synapse)
    t = np.round(np.arange(1, round(total / DT)) * DT, 1)
    taught = (t >= IDLE * PERIOD) & (t < total - IDLE * PERIOD)
    for name, (amplitude, mean) in TEACHING.items():
        g = np.where(taught, mean + amplitude * np.sin(4 * np.pi * t / PERIOD), 0.0)
        source = nest.Create("spike_generator", params={"spike_times": t, "spike_weights": g})
        nest.Connect(source, neurons, syn_spec={"receptor_type": receptors[name], "delay": DT})
    recorded = ["V_m.s", "V_m.p", "g_ex.s", "g_in.s"]
    meter = nest.Create("multimeter", params={"record_from": recorded, "interval": DT})
    nest.Connect(meter, neurons, syn_spec={"delay": DT})
    nest.Simulate(total + DT)
    events = meter.events
    order = np.lexsort((events["senders"], events["times"]))
    found = {name: np.asarray(events[name])[order].reshape(-1, GROUP) for name in recorded}
    return found, round(IDLE * PERIOD / DT) + 1


def figures(found: dict[str, npt.NDArray[Any]], start: int) -> dict[str, list[float]]:
    """Correlation of V_w* with the matching potential, and rms of V_w* - U, of first and last repetitions."""
    predicted = (30 * -70 + 600 * found["V_m.p"]) / 630
    length = round(PERIOD / DT)
    last = start + (REPETITIONS - AVERAGED) * length
    result: dict[str, list[float]] = {}
    for name, begin in (("first", start), ("last", last)):
        part = slice(begin, begin + AVERAGED * length)
        g_exc, g_inh = found["g_ex.s"][part], found["g_in.s"][part]
        matching = g_inh * -75 / (g_exc + g_inh)
        star, soma = predicted[part], found["V_m.s"][part]
        result[f"correlation_{name}"] = [
            round(float(np.corrcoef(star[:, k], matching[:, k])[0, 1]), 4) for k in range(GROUP)
        ]
        rms = np.sqrt(np.square(star - soma).mean(axis=0))
        result[f"distance_{name}"] = [round(float(each), 4) for each in rms]
    return result


def main() -> None:
    """Simulate and write the file."""
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    parts = [figures(*simulate(nest, group)) for group in range(GROUPS)]
    joined = {name: [each for part in parts for each in part[name]] for name in parts[0]}
    content = {"nest": nest.__version__, "dt": DT, **joined}
    path = Path(sys.argv[1]) / "nest_urbanczik_neurons.json"
    path.write_text(json.dumps(content, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
