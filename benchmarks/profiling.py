"""Where the time of a training step goes, by torch.profiler."""

import time

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.cell import WARM_UP, Cell, images_of, step_of
from benchmarks.machine import synchronise


def print_profile(cell: Cell, steps: int = 5, top: int = 15) -> None:
    """Profile `steps` steps and print the `top` operators by their own time on the device."""
    device, images = torch.device(cell.device), images_of(cell)
    step, engine = step_of(cell, device)
    for number in range(WARM_UP):
        step(images, number)
    synchronise(device)
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler:
        began = time.perf_counter()
        for number in range(steps):
            step(images, WARM_UP + number)
        synchronise(device)
        wall = time.perf_counter() - began
    events = list(profiler.key_averages())
    operators = [event for event in events if event.device_type == DeviceType.CPU]
    if on_gpu:
        times = {event.key: event.self_device_time_total for event in operators}
        kernels = (event for event in events if event.device_type != DeviceType.CPU)
        total = sum(event.self_device_time_total for event in kernels)
    else:
        times = {event.key: event.self_cpu_time_total for event in operators}
        total = sum(times.values())
    calls = {event.key: event.count for event in operators}
    print(f"\n{cell.method}, width {cell.width:g}, batch {cell.batch}, {cell.precision} ({engine})")
    print(f"own time on {device}, ms a step    share  calls a step  operator")
    for key in sorted(times, key=lambda key: -times[key])[:top]:
        print(
            f"{times[key] / steps / 1e3:26.3f}  {100 * times[key] / (wall * 1e6):6.1f} %"
            f"  {calls[key] / steps:12.1f}  {key}"
        )
    inside = total / 1e6 / wall
    what = "the GPU is busy" if on_gpu else "inside PyTorch operators (native kernels are outside)"
    print(f"{1e3 * wall / steps:.3f} ms a step; {100 * inside:.0f} % of it {what}", flush=True)
