"""One area at work: a first glance, one fixation and one saccade, from spikes to gamma.

    python examples/one_area.py --out one_area.png

All options: --help.
"""

import sys
from pathlib import Path

from jsonargparse import auto_cli

from clapp_snn.commands.failures import run_plainly
from clapp_snn.figures.one_area import Glance, one_area
from clapp_snn.figures.style import save
from clapp_snn.files import require_file
from clapp_snn.protocols.one_area import GLANCES, OneArea


def main(out: Path = Path("one_area.png"), seed: int = 0) -> None:
    """Simulate, print what the area found out, and draw it.

    Args:
        out: picture to write.
        seed: of the random numbers.
    """
    require_file(out)
    setting = OneArea()
    traces = setting.run(seed)
    glances = []
    for number, ((name, _, y), true, reading) in enumerate(
        zip(GLANCES, traces.true, traces.readings, strict=True)
    ):
        start = number * (setting.settle + setting.window)
        score, gamma = float(reading.score), float(reading.gamma)
        change = float(reading.update.weight.norm())
        print(f"{name:13s} y = {y:+d}  u = {true:+.2f}  from bursts {score:+.2f}  gamma = {gamma:+.0f}  "
              f"|dW| = {change:.3f}")  # fmt: skip
        end = start + setting.settle + setting.window
        glances.append(Glance(name, start, start + setting.settle, end, y, true, gamma))
    figure = one_area(
        traces.time.numpy(),
        glances,
        traces.inputs.numpy(),
        traces.spikes.numpy(),
        traces.bursts.numpy(),
        traces.score.numpy(),
        traces.fixation.numpy(),
        traces.saccade.numpy(),
        "One area of strict burst neurons (L2)",
    )
    print(save(figure, out))


if __name__ == "__main__":
    sys.exit(run_plainly("one_area.py", lambda: auto_cli(main)))
