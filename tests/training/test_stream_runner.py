"""Which engine carries a run: chosen where it applies and said, the same learning, resumed as begun."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clapp_snn.neurons.fast_streams import CounterStreams
from clapp_snn.stimuli.glances import GlanceStream
from clapp_snn.training.checkpoint import load_checkpoint
from clapp_snn.training.stream_build import build_network, open_objects
from clapp_snn.training.stream_config import StreamConfig
from clapp_snn.training.stream_learner import StreamLearner
from clapp_snn.training.stream_loop import train_stream
from clapp_snn.training.stream_runner import BlockRunner, DrawnRunner, EagerRunner
from clapp_snn.training.stream_session import StreamSession
from tests.small_data import write_images

TINY = StreamConfig(
    units=(6, 5), window=30.0, batch=3, windows=4, checkpoint_every=2, seed=3, device="cpu"
)
STEPPED = replace(TINY, simulation="stepped", neuron="lif", soma="linear", rho=200.0)


def session(config: StreamConfig, engine) -> StreamSession:
    learner = StreamLearner(build_network(config), 0.05, "sgd")
    stream = GlanceStream(open_objects(config).learn, range(config.batch), config.seed)
    return StreamSession(learner, stream, config.seed, config.drawn, engine)


def window(it: StreamSession):
    while (seen := it.advance()) is None:
        pass
    return seen


@pytest.mark.parametrize(
    ("config", "runner"),
    [
        (replace(TINY, neuron="rate"), DrawnRunner),
        (STEPPED, BlockRunner),
        (TINY, DrawnRunner),
        (replace(STEPPED, method="clapp-pp-dfb", units=(6, 4, 5)), BlockRunner),
    ],
)
def test_both_engines_learn_the_same(config: StreamConfig, runner: type) -> None:
    """Rates: but for rounding; L0 with the same random numbers as well. L3 is drawn from other ones: a score
    of no prediction is 0 whatever is drawn, so that the first window agrees."""
    one, two = session(config, "torch"), session(config, "native")
    assert type(two.runner) is runner
    assert type(one.runner) is EagerRunner
    for index, source in enumerate(two.sources):
        assert isinstance(source, CounterStreams)
        if not config.drawn:
            numbered = CounterStreams(
                config.seed, "stream area", index, samples=list(range(config.batch))
            )
            one.runner.sources[index] = numbered
    for _ in range(1 if config.drawn else 3):
        for eager, quick in zip(window(one), window(two), strict=True):
            assert quick.loss == pytest.approx(eager.loss, rel=1e-4)
            assert quick.gate == eager.gate
            if not config.drawn:
                assert quick.activity == pytest.approx(eager.activity, rel=1e-4)
    if not config.drawn:
        for a, b in zip(one.network.parameters(), two.network.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_choice_is_said(tmp_path: Path, capsys) -> None:
    train_stream(replace(TINY, out=tmp_path / "native"))
    assert "Engine: native (windows are drawn at once" in capsys.readouterr().err
    train_stream(replace(TINY, ablation="no_gate", out=tmp_path / "torch"))
    assert "Engine: torch (" in (said := capsys.readouterr().err)
    assert "NoGate" in said
    maps = replace(TINY, data="images", encoder="vgg6", width=1 / 128, method="clapp-pp-dfb")
    write_images(tmp_path / "images")
    train_stream(replace(maps, source=tmp_path / "images", out=tmp_path / "maps"))
    assert "Engine: torch (" in (said := capsys.readouterr().err)
    assert "its basal synapses are WindowedConv" in said


def test_an_engine_that_cannot_is_refused(tmp_path: Path) -> None:
    config = replace(TINY, ablation="no_gate", engine="native", out=tmp_path / "run")
    with pytest.raises(ValueError, match="it is a NoGate"):
        train_stream(config, quiet=True)


def test_a_run_from_before_there_was_a_choice_goes_on_bit_by_bit(tmp_path: Path) -> None:
    """Its configuration names no engine, its checkpoint holds torch generators."""
    train_stream(replace(TINY, engine="torch", out=tmp_path / "whole"), quiet=True)
    config = replace(TINY, engine="torch", out=tmp_path / "old")
    train_stream(replace(config, windows=2), quiet=True)
    file = tmp_path / "old" / "stream.yaml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("engine")]
    file.write_text("\n".join(lines) + "\n")
    train_stream(replace(config, engine="auto"), quiet=True, resume=True)
    one, two = (load_checkpoint(tmp_path / name) for name in ("whole", "old"))
    assert all(torch.equal(one.model[name], two.model[name]) for name in one.model)


def test_a_stream_of_the_other_engine_is_refused() -> None:
    one, two = session(TINY, "torch"), session(TINY, "native")
    window(one), window(two)
    with pytest.raises(ValueError, match="begun with engine='torch'"):
        two.load(one.tensors(), 1)
    with pytest.raises(ValueError, match="begun with engine='native'"):
        one.load(two.tensors(), 1)
