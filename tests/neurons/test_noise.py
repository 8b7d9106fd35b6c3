"""Random streams: reproducible, independent of each other, and independent of the batch."""

import math

import pytest
import torch

from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Inputs, Kind, Layer
from clapp_snn.neurons.noise import SampleStreams, Streams

CPU = torch.device("cpu")


def draw(source: Streams, kinds: tuple[Kind, Kind], count: int = 1000) -> tuple[torch.Tensor, ...]:
    draws = source.draw(kinds, torch.Size((count,)), torch.float64, CPU)
    assert draws.event is not None
    assert draws.burst is not None
    return draws.event, draws.burst


def test_same_seed_and_key_same_numbers() -> None:
    one, two = (draw(Streams.from_seed(3, "area", 1), ("uniform", "normal")) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_seed_key_and_side_all_matter() -> None:
    drawn = [
        values
        for streams in (
            Streams.from_seed(3, "a"),
            Streams.from_seed(4, "a"),
            Streams.from_seed(3, "b"),
        )
        for values in draw(streams, ("uniform", "uniform"))
    ]
    for index, one in enumerate(drawn):
        for two in drawn[:index]:
            correlation = torch.corrcoef(torch.stack((one, two)))[0, 1].abs()
            assert correlation < 4.5 / math.sqrt(1000)


def test_bursts_do_not_shift_events() -> None:
    """Whatever the burst side consumes, the event side draws the same numbers."""
    plain, busy = Streams.from_seed(0), Streams.from_seed(0)
    for _ in range(3):
        first = plain.draw(("normal", "none"), torch.Size((5,)), torch.float32, CPU)
        second = busy.draw(("normal", "uniform"), torch.Size((5,)), torch.float32, CPU)
        assert first.burst is None
        assert first.event is not None
        assert second.event is not None
        assert torch.equal(first.event, second.event)


def test_kinds() -> None:
    """Uniform numbers in [0, 1) with mean 1/2, normal ones with variance 1: within 4.5 standard errors."""
    count = 20_000
    uniform, normal = draw(Streams.from_seed(0), ("uniform", "normal"), count)
    assert 0 <= uniform.min() < uniform.max() < 1
    assert abs(uniform.mean().item() - 0.5) < 4.5 * math.sqrt(1 / 12 / count)
    assert abs(normal.var().item() - 1) < 4.5 * math.sqrt(2 / count)
    nothing = Streams.from_seed(0).draw(("none", "none"), torch.Size((3,)), torch.float32, CPU)
    assert nothing == (None, None)


def test_precision_follows_the_drives() -> None:
    draws = Streams.from_seed(0).draw(("uniform", "normal"), torch.Size((3,)), torch.float32, CPU)
    assert draws.event is not None
    assert draws.burst is not None
    assert draws.event.dtype == draws.burst.dtype == torch.float32


def test_a_sample_does_not_depend_on_its_batch() -> None:
    """Sample 7 alone, first and last in a batch: the same events and bursts."""
    layer = Layer(EventBurst(EventBurstParameters(rho=200.0)))
    drive = torch.rand(30, 1, 4, generator=torch.Generator().manual_seed(0))

    def run(samples: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        soma = drive.expand(30, len(samples), 4)
        outputs, _ = layer(Inputs(soma, soma), source=SampleStreams(5, samples, "area", 0))
        place = samples.index(7)
        return outputs.event[:, place], outputs.burst[:, place]

    alone = run([7])
    assert alone[0].sum() > 0
    for batch in ([7, 1, 2], [9, 3, 7]):
        assert all(torch.equal(a, b) for a, b in zip(alone, run(batch), strict=True))


def test_samples_draw_different_numbers() -> None:
    source = SampleStreams(5, [0, 1])
    draws = source.draw(("uniform", "none"), torch.Size((2, 50)), torch.float32, CPU)
    assert draws.burst is None
    assert draws.event is not None
    assert not torch.equal(draws.event[0], draws.event[1])


@pytest.mark.parametrize("shape", [(), (3,), (3, 2)])
def test_one_stream_for_each_sample(shape: tuple[int, ...]) -> None:
    source = SampleStreams(5, [0, 1])
    with pytest.raises(ValueError, match=r"2 samples have streams, but the drives have shape"):
        source.draw(("uniform", "uniform"), torch.Size(shape), torch.float32, CPU)


def test_samples_numbered_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="Sample 4 is in the batch more than once"):
        SampleStreams(5, [4, 1, 4])


def test_a_batch_without_samples() -> None:
    draws = SampleStreams(5, []).draw(("normal", "none"), torch.Size((0, 4)), torch.float64, CPU)
    assert draws.burst is None
    assert draws.event is not None
    assert draws.event.shape == (0, 4)
    assert draws.event.dtype == torch.float64


def test_streams_on_another_device_are_refused() -> None:
    with pytest.raises(ValueError, match="The random streams live on cpu, the neurons on meta"):
        Streams.from_seed(0).draw(
            ("uniform", "none"), torch.Size((2,)), torch.float32, torch.device("meta")
        )
