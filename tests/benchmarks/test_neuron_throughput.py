"""The neuron benchmark from end to end on tiny sizes, and its memory measurement."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import neuron_throughput
from benchmarks.neuron_rows import Row
from benchmarks.neuron_scale import million_units
from benchmarks.neuron_throughput import compare, print_table
from benchmarks.timing import Time


def test_every_row_has_a_ratio(capsys, monkeypatch):
    monkeypatch.setitem(neuron_throughput.SHAPES, "dense", (2, 40))
    monkeypatch.setattr(neuron_throughput, "copy_speed", lambda: 1e10)
    threads = torch.get_num_threads()
    compare(shapes=("dense",), steps=3, repeats=1, seconds=0.0, compiled=False, scale=False)
    assert torch.get_num_threads() == threads
    lines = re.findall(r"^\| (\S.*?) \| (\d+) \|.* \|$", capsys.readouterr().out, re.M)
    names = [name for name, _ in lines]
    assert names[0] == "snnTorch Leaky eager"
    assert {"norse LIFCell eager", "L0 eager", "L1 eager", "L2 eager", "L3 eager"} <= set(names)


def test_arithmetic_of_the_table(capsys):
    found = [Row("snnTorch Leaky eager", list, 2), Row("L3 native", list, 4)]
    turns = [{"snnTorch Leaky eager": Time(4.0, 2.0), "L3 native": Time(1.0, 1.0)}]
    print_table(found, turns, size=10**9, speed=32e9)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == "| snnTorch Leaky eager | 250 | 4.00 | 2.00 | 1.00 | 0.25 | 8.0 |"
    assert lines[-1] == "| L3 native | 1000 | 1.00 | 1.00 | 0.50 | 0.50 | 2.0 |"


GROWTHS = """
import torch
from benchmarks.neuron_scale import growth
kept = []
print([growth(lambda steps: kept.append(torch.ones(steps, 1000)), 20_000) for _ in range(3)])
print([growth(lambda steps: torch.ones(steps).sum(), 5000) for _ in range(3)])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_growth_is_seen_where_there_is_some():
    # A process of its own: other tests leave free memory behind, of which a growth is served unseen.
    # Three each: a busy machine takes back pages of libraries, which hides some of a growth.
    command = [sys.executable, "-c", GROWTHS]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    grown, still = (json.loads(line) for line in done.stdout.splitlines())
    assert 70_000 < max(grown) < 90_000
    assert min(still) < 1000


def test_a_small_million():
    found = million_units(steps=4, units=1000, seconds=0.0)
    assert all(time.wall > 0 for time in found.values())
