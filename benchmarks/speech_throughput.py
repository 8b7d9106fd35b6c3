"""Speed of layer-wise learning on speech, beside the same losses with plain autograd.

    python -m benchmarks.speech_throughput                          # width 1/8, both losses
    python -m benchmarks.speech_throughput --widths [0.125,1] --recurrences [bptt,eprop,detached]

local     this package: Eqs. 6-8 area by area; the GRU as `recurrence` says
autograd  `benchmarks.plain_speech`: detach() between areas, one backward of their sum, BPTT in the GRU

Windows of 1.28 s. The codes take turns in one process; medians over `repeats` are printed.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jsonargparse import auto_cli
from torch import Tensor

from benchmarks.machine import described, synchronise
from benchmarks.plain_speech import PlainSpeech
from clapp_snn.functional.gru import Recurrence
from clapp_snn.functional.sequence_contrast import SequenceDraw, draw_frames
from clapp_snn.methods import get_method
from clapp_snn.randomness import generator
from clapp_snn.training.config import TrainConfig
from clapp_snn.training.distributed import World
from clapp_snn.training.learner import make_learner
from clapp_snn.training.speech_build import build_speech

Step = Callable[[Tensor, int], object]
WINDOW = 128


def compare(
    widths: Sequence[float] = (0.125,),
    batch: int = 8,
    methods: Sequence[Literal["clapp-s", "gim-layerwise"]] = ("clapp-s", "gim-layerwise"),
    recurrences: Sequence[Recurrence] = ("bptt", "eprop"),
    device: Literal["cpu", "cuda"] = "cpu",
    steps: int = 5,
    repeats: int = 3,
) -> None:
    """Print windows a second and CPU time a window of every code.

    Args:
        widths: width multipliers.
        batch: windows a step.
        methods: rows of the method table.
        recurrences: how the GRU learns, a row each.
        device: "cpu" or "cuda".
        steps: training steps of a measurement.
        repeats: measurements of each code, in turn.
    """
    where = torch.device(device)
    print(described(device))
    audio = torch.randn(batch, 20480, generator=generator(0, "audio")).to(where)
    for width in widths:
        for method in methods:
            codes: dict[str, Step] = {
                f"local {form}": local(method, width, batch, form, where) for form in recurrences
            }
            codes["autograd"] = autograd(method, width, batch, where)
            times = measure(codes, audio, steps, repeats)
            print(f"\n{method}, width {width:g}, batch {batch}")
            print(f"{'code':<15}  windows/s  CPU ms/window  windows/s vs autograd")
            base = statistics.median(wall for wall, _ in times["autograd"])
            for name, found in times.items():
                wall = statistics.median(wall for wall, _ in found)
                cpu = statistics.median(cpu for _, cpu in found)
                speed = steps * batch / wall
                each = 1e3 * cpu / (steps * batch)
                print(f"{name:<15}  {speed:9.1f}  {each:13.1f}  {base / wall:20.2f}x", flush=True)


def measure(
    codes: dict[str, Step], audio: Tensor, steps: int, repeats: int
) -> dict[str, list[tuple[float, float]]]:
    """Wall and CPU seconds of `steps` steps of every code, in turn; a step before that does not count."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in codes}
    for step in codes.values():
        step(audio, 0)
    for _ in range(repeats):
        for name, step in codes.items():
            synchronise(audio.device)
            wall, cpu = time.perf_counter(), time.process_time()
            for number in range(steps):
                step(audio, 1 + number)
            synchronise(audio.device)
            found[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return found


def local(
    method: str, width: float, batch: int, recurrence: Recurrence, device: torch.device
) -> Step:
    """A training step of the package."""
    config = TrainConfig(
        method=method, data="utterances", width=width, batch=batch, group=batch,
        recurrence=recurrence,
    )  # fmt: skip
    network, _ = build_speech(config, device, 41)
    learner = make_learner(network, 2e-4, batch, World(0, 1, device))

    def step(audio: Tensor, number: int) -> object:
        return learner.step(audio, None, lambda m, k: [generator(0, "saccade", m, k, number)])

    return step


def autograd(method: str, width: float, batch: int, device: torch.device) -> Step:
    """A training step of the peer."""
    objective = get_method(method, "speech").objective
    assert objective is not None
    torch.manual_seed(0)
    network = PlainSpeech(width).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, fused=True)

    def step(audio: Tensor, number: int) -> object:
        def draw(module: int, frames: int) -> SequenceDraw:
            streams = [generator(0, "saccade", module, 0, number)]
            return draw_frames(objective, streams, batch, frames, WINDOW, device)

        total = network.loss(audio, draw, objective.loss)
        total.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total.detach()

    return step


if __name__ == "__main__":
    auto_cli(compare)
