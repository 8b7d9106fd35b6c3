"""The learning benchmark on tiny sizes: rows do what they say, and ours needs no memory for time."""

import re
import sys

import pytest
import torch

from benchmarks import learning_rows, spiking_learning
from benchmarks.given_currents import same_neuron
from benchmarks.learning_rows import ALONE, OURS, PEERS, Size, Task, is_there, make, ours
from benchmarks.neuron_scale import growth
from benchmarks.spiking_learning import Cell, Cost, compare, measure
from clapp_snn import native
from clapp_snn.native.lif_window import LIFCounts, run_lif_window
from clapp_snn.neurons.event_burst import EventBurst

pytestmark = pytest.mark.skipif(not native.available(), reason=native.why_unavailable())

TINY = {"dense": Size(2, 12), "conv": Size(2, 8, 4)}


@pytest.fixture
def tiny(monkeypatch):
    for module in (learning_rows, spiking_learning):
        monkeypatch.setattr(module, "SIZES", TINY)


def test_every_row_has_a_line_in_every_table(tiny, capsys):
    compare(repeats=1, seconds=0.0, compiled=False, memory=False, lengths=())
    found = re.findall(r"^\| (.*?) \| [\d.]+ \| [\d.]+ \| nan \|$", capsys.readouterr().out, re.M)
    rows = [name for name in PEERS if is_there(name) and "compiled" not in name]
    assert found == [*rows, *OURS, ALONE, *rows, *OURS, *rows, *OURS] * 2


@pytest.mark.parametrize("layout", ["dense", "conv"])
@pytest.mark.parametrize("weighted", [False, True])
def test_peers_go_back_through_the_same_time(layout, weighted):
    """However the current is taken from its tensor, the gradient is the same; norse has another neuron."""
    task = Task(layout, TINY[layout], 7, weighted)
    found = []
    for name in ("snnTorch unbind", "snnTorch x[t]"):
        torch.manual_seed(0)
        found.append(make(name, task)())
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)
    assert float(found[0][0].abs().sum()) > 0
    expected = 2 if weighted else 1
    assert len(found[0]) == expected


@pytest.mark.parametrize("fast", [False, True])
def test_our_step_learns(fast):
    task = Task("dense", TINY["dense"], 64, True, spikes=True)
    run = ours(task, EventBurst(), fast)
    first, second = run(), run()
    assert float(second.apical.abs().sum()) > 0
    assert int(second.elapsed) == 0
    assert not torch.equal(first.d_prev, torch.zeros_like(first.d_prev))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_time():
    task = [Task("dense", Size(4, 256), steps, True) for steps in (2000, 20_000)]
    runs = {each.steps: ours(each, EventBurst(), True) for each in task}
    runs[20_000]()  # buffers are kept
    found = min(growth(lambda steps: runs[steps](), 20_000, 2000) for _ in range(3))
    assert found < 1024, "KiB; the input alone would take 80 000"


def test_lengths_end_where_a_row_would_not_fit(tiny, monkeypatch, capsys):
    asked = []

    def cost(cell: Cell) -> Cost:
        asked.append((cell.name, cell.steps))
        return Cost(cell.steps * 1e-3, cell.steps * 1.0)

    monkeypatch.setattr(spiking_learning, "in_fresh_process", cost)
    spiking_learning._lengths("dense", "alone", (10, 100, 1000), 0.5, 5.0)
    lines = capsys.readouterr().out.splitlines()
    assert "| snnTorch unbind | 0.01 / 10 | 0.1 / 100 |  |" in lines
    assert "| ours L3 | 0.01 / 10 | 0.1 / 100 | 1 / 1000 |" in lines
    assert ("snnTorch x[t]", 1000) not in asked


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_cell_is_measured(tiny):
    cost = measure(Cell("ours L3", "dense", "alone", 6))
    assert cost.seconds > 0
    assert cost.mib >= 0


@pytest.mark.parametrize("layout", ["dense", "conv"])
def test_the_peers_neuron_is_snntorchs(layout):
    """Spike counts of `snntorch.Leaky` with a reset to zero, and Eq. 6 with the given error, term by term."""
    import snntorch

    task = Task(layout, TINY[layout], 40, False)
    x = task.pattern().repeat(2, *(1 for _ in range(len(task.shape) + 1)))[:40]
    leaky, v, counts = snntorch.Leaky(beta=0.9, reset_mechanism="zero"), torch.zeros(x[0].shape), 0
    for now in x:
        spikes, v = leaky(now, v)
        counts = counts + spikes
    error, samples = torch.randn(x[0].shape), len(x[0])
    kept = LIFCounts(
        torch.zeros(samples, x[0, 0].numel()),
        torch.zeros(samples, 1, x.shape[-1]),
        torch.zeros(samples, x[0, 0].numel()),
        torch.zeros(samples, 2, dtype=torch.int64),
    )
    run_lif_window(
        x.flatten(2), kept.dendrite, (1.0, 1.0, 0.0), (0.9, 0.0, 1.0, torch.inf), kept, counted=True
    )
    # snnTorch resets a step later, before charging: v <- beta (v - v spike) + x, which is the same.
    assert torch.equal(kept.spikes, counts.flatten(1))
    gain, bias = same_neuron(
        lambda first, last: x[first:last], tuple(x[0].shape), 40, 32, 0.9, error
    )
    felt = error * (x.sum(0) > 0)
    torch.testing.assert_close(gain, (felt * x.mean(0)).flatten(0, -2).sum(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(bias, felt.flatten(0, -2).sum(0), rtol=1e-4, atol=1e-5)


def test_unknown_rows_are_refused():
    with pytest.raises(ValueError, match="no row 'Nengo'"):
        make("Nengo", Task("dense", Size(1, 2), 3, False))
