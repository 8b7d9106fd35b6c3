"""Spiking CLAPP on jittered digits: accuracy beside untrained and rate mode, and a raster of two glances.

    python examples/spiking_stream.py --out runs/spiking_stream

All options: --help.
"""

import sys
from dataclasses import replace
from pathlib import Path

from jsonargparse import auto_cli

from clapp_snn.commands.failures import run_plainly
from clapp_snn.commands.stream import probe_run, table
from clapp_snn.commands.stream_figures import draw_traces
from clapp_snn.evaluation.glance_traces import watch_glances
from clapp_snn.figures.style import save
from clapp_snn.files import require_folder
from clapp_snn.stimuli.digits import open_digits
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.stream_build import build_network
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_loop import train_stream


def main(out: Path = Path("runs/spiking_stream"), windows: int = 6000, seed: int = 0) -> None:
    """Train in both codes, print what can be read out, and draw.

    Args:
        out: folder for both runs and raster.png.
        windows: glances of each of 32 samples.
        seed: of everything.
    """
    require_folder(out)
    spiking = StreamConfig(out=out / "spiking", windows=windows, seed=seed)
    for config in (replace(spiking, out=out / "rate", neuron="rate"), spiking):
        train_stream(config)
        print(f"\n{config.neuron}\n{table(probe_run(config))}")
    # Now the trained area sees input spikes, step by step.
    stepped = replace(spiking, simulation="stepped", settle=200.0, tau_basal=50.0)
    network = build_network(stepped)
    network.load_state_dict(load_checkpoint(spiking.folder()).model)
    traces = watch_glances(network, open_digits(seed).test, seed, input_rate=100.0)
    title = f"Area 1 after {windows} glances, input spikes at up to 100 Hz"
    print(save(draw_traces(traces, network, title), out / "raster.png"))


if __name__ == "__main__":
    sys.exit(run_plainly("spiking_stream.py", lambda: auto_cli(main)))
