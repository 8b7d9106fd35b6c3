"""End-to-end and supervised learning on speech, and what is refused."""

import pytest
import torch

from clapp_snn.circuit.speech_hierarchy import SpeechHierarchy
from clapp_snn.encoders.speech import SPEECH6, SpeechEncoder
from clapp_snn.methods import get_method
from clapp_snn.methods.record import Method
from tests.circuit.test_speech_rule import GROUP, SAMPLES, SMALL, audio, network, streams

LABELS = torch.arange(SAMPLES * 16).view(SAMPLES, 16) % 7


def test_end_to_end_one_loss_reaches_every_layer() -> None:
    made = network("cpc")
    (one,) = made.module_losses(audio(), streams, GROUP)
    one.loss.backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None
        assert float(parameter.grad.norm()) > 0, name


def test_layerwise_losses_stop_at_the_borders_of_modules() -> None:
    made = network("clapp-s")
    losses = list(made.module_losses(audio(), streams, GROUP))
    own = made.module_parameters()
    assert len(losses) == len(own) == 5
    for index, each in enumerate(losses):
        made.zero_grad(set_to_none=True)
        each.loss.backward(retain_graph=True)
        touched = {id(p) for p in made.parameters() if p.grad is not None and p.grad.norm() > 0}
        assert touched == {id(p) for p in own[index]}


@pytest.mark.parametrize("method", ["supervised", "supervised-greedy"])
def test_supervised_modules_classify_every_ten_milliseconds(method: str) -> None:
    made = network(method)
    losses = list(made.module_losses(audio(), streams, GROUP, LABELS))
    assert len(losses) == len(made.method.splits)
    torch.stack([each.loss for each in losses]).sum().backward()
    assert all(p.grad is not None and p.grad.norm() > 0 for p in made.parameters())
    features = made.encoder.features(audio())
    for module, top in enumerate(made.method.tops):
        logits = made.classifiers[module](features[top])
        expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), LABELS.flatten())
        assert float(losses[module].loss.detach()) == pytest.approx(
            float(expected.detach()), rel=1e-6
        )
        wrong = (logits.argmax(2) != LABELS).double().mean()
        assert float(losses[module].gate) == pytest.approx(float(wrong))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="needs labelled utterances"):
        list(network("supervised").module_losses(audio(), streams, GROUP))
    with pytest.raises(ValueError, match="does not learn"):
        list(network("random").module_losses(audio(), streams, GROUP))
    with pytest.raises(ValueError, match="trained by back-propagation"):
        list(network("cpc").learn(audio(), streams, GROUP))
    with pytest.raises(ValueError, match="does not split into groups of 3"):
        list(network("clapp-s").learn(audio(), streams, 3))
    odd = Method("x", "x", (5,), objective=get_method("cpc", "speech").objective)
    with pytest.raises(ValueError, match="splits 5 layers, but the encoder has 6"):
        SpeechHierarchy(SpeechEncoder(SMALL), odd, 2)


def test_all_methods_start_from_one_encoder() -> None:
    found = []
    for method in ("clapp-s", "cpc", "supervised"):
        made = SpeechHierarchy(SpeechEncoder(SPEECH6, 1 / 64), get_method(method, "speech"), 5)
        made.reset_parameters(7)
        found.append(torch.cat([p.detach().flatten() for p in made.encoder.parameters()]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_matrices_start_within_the_bound_of_their_inputs() -> None:
    made = SpeechHierarchy(SpeechEncoder(SPEECH6, 1 / 8), get_method("clapp-s", "speech"), 5)
    made.reset_parameters(7)
    assert made.area(4).W_pred.shape == (12, 64, 32)
    most = float(made.area(4).W_pred.detach().abs().max())
    assert 0.99 * 32**-0.5 < most <= 32**-0.5
