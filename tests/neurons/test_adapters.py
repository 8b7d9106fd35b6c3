"""Both calling styles give the spikes of explicit stepping, of snnTorch and of norse."""

import math
from typing import Any

import norse.torch
import pytest
import snntorch
import snntorch.utils
import torch
from norse.torch.functional.lif import LIFFeedForwardState, LIFParameters
from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters
from torch import Tensor, nn

from clapp_snn.neurons.adapters.norse_style import NorseStyleCell, NorseStyleLayer
from clapp_snn.neurons.adapters.snntorch_style import SnnTorchStyle, reset_hidden
from clapp_snn.neurons.event_burst import EventBurst, EventBurstParameters
from clapp_snn.neurons.interface import Inputs, Layer, Neuron
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.rate import Rate
from clapp_snn.neurons.strict_burst import StrictBurst
from clapp_snn.neurons.surrogate import fast_sigmoid
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIF, TwoCompartmentLIFParameters
from clapp_snn.neurons.urbanczik_senn import UrbanczikSenn

NEURONS: list[Neuron[Any]] = [
    TwoCompartmentLIF(),
    NaudSprekeler(),
    StrictBurst(),
    EventBurst(EventBurstParameters(rho=100.0, t_ref=3.0)),
    UrbanczikSenn(),
    Rate(),
]
named = pytest.mark.parametrize("neuron", NEURONS, ids=lambda neuron: type(neuron).__name__)
STEPS = 80


def drives(neuron: Neuron[Any], dtype: torch.dtype = torch.float32) -> Inputs:
    scale = 3000.0 if neuron.soma_unit == "pA" else 0.8
    noise = torch.Generator().manual_seed(0)
    soma, apical = (torch.randn(2, STEPS, 3, 5, generator=noise, dtype=dtype) + 0.5) * scale
    return Inputs(soma, apical)


@named
def test_snntorch_style_equals_explicit_stepping(neuron: Neuron[Any]) -> None:
    inputs = drives(neuron)
    expected, last = Layer(neuron)(inputs, source=Streams.from_seed(1))
    outside = SnnTorchStyle(neuron, source=Streams.from_seed(1))
    inside = SnnTorchStyle(neuron, init_hidden=True, source=Streams.from_seed(1))
    both = SnnTorchStyle(neuron, init_hidden=True, output=True, source=Streams.from_seed(1))
    state: tuple[Tensor, ...] = ()
    for step in range(STEPS):
        basal, apical = inputs.soma[step], inputs.apical[step]
        spk, burst, *after = outside(basal, apical, *state)
        state = tuple(after)
        for said in (spk, *(cell(basal, apical)[0] for cell in (inside, both))):
            assert torch.equal(said, expected.spike[step])
        assert torch.equal(burst, expected.burst[step])
    assert expected.spike.abs().sum() > 0
    for name, mine, end in zip(outside.state_names, state, last, strict=True):
        assert torch.equal(mine, end)
        assert torch.equal(getattr(inside, name), end)


def test_init_hidden_returns_what_snntorch_returns() -> None:
    basal, apical = torch.tensor([0.4, 1.4]), torch.tensor([2.0, 2.0])
    quiet = SnnTorchStyle(TwoCompartmentLIF(), init_hidden=True)
    spk, burst = quiet(basal, apical)
    assert spk.tolist() == burst.tolist() == [0.0, 1.0]
    assert quiet.v.tolist() == pytest.approx([0.4, 0.0])
    verbose = SnnTorchStyle(TwoCompartmentLIF(), init_hidden=True, output=True)
    _, _, mem, apical_mem = verbose(basal, apical)
    assert mem is verbose.v
    assert apical_mem is verbose.a


def test_reset_hidden_reaches_every_depth_where_snntorch_does_not() -> None:
    """`snntorch.utils.reset` knows only its own classes, which is why there is a reset here."""
    cells = [SnnTorchStyle(TwoCompartmentLIF(), init_hidden=True) for _ in range(2)]
    net = nn.Sequential(nn.Sequential(nn.Sequential(cells[0])), cells[1])
    for cell in cells:
        cell(torch.full((3,), 0.5), torch.zeros(3))
    snntorch.utils.reset(net)
    assert all(cell.v is not None for cell in cells)
    reset_hidden(net)
    assert all(cell.v is None for cell in cells)
    spk, _ = cells[0](torch.full((3,), 0.7), torch.zeros(3))
    assert spk.sum() == 0


def test_a_hidden_state_of_another_shape_is_an_error_not_a_restart() -> None:
    cell = SnnTorchStyle(TwoCompartmentLIF(), init_hidden=True)
    cell(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match="The state does not fit the drive"):
        cell(torch.zeros(4), torch.zeros(4))
    cell.reset_mem()
    cell(torch.zeros(4), torch.zeros(4))


def test_states_in_the_wrong_place() -> None:
    hidden = SnnTorchStyle(TwoCompartmentLIF(), init_hidden=True)
    with pytest.raises(TypeError, match="the state lives in the neuron"):
        hidden(torch.zeros(3), torch.zeros(3), torch.zeros(3), torch.zeros(3))
    outside = SnnTorchStyle(TwoCompartmentLIF())
    with pytest.raises(TypeError, match="Expected the state v, a, got 1 tensors"):
        outside(torch.zeros(3), torch.zeros(3), torch.zeros(3))


def test_hidden_state_is_no_parameter_and_can_be_detached() -> None:
    cell = SnnTorchStyle(TwoCompartmentLIF(surrogate=fast_sigmoid()), init_hidden=True)
    weight = torch.ones(3, requires_grad=True)
    cell(0.5 * weight, torch.zeros(3))
    assert cell.v.requires_grad
    cell.detach_hidden()
    assert not cell.v.requires_grad
    assert cell.state_dict() == {}
    assert cell.double().v.dtype == torch.float64


@named
@pytest.mark.parametrize("says", ["spike", "event", "burst", "both"])
def test_norse_style_equals_explicit_stepping(neuron: Neuron[Any], says: Any) -> None:
    inputs = drives(neuron)
    expected, last = Layer(neuron)(inputs, source=Streams.from_seed(1))
    if says == "both":
        whole = torch.cat((expected.spike, expected.burst), -1)
    else:
        whole = getattr(expected, says)
    stacked = torch.cat(inputs, -1)
    z, state = NorseStyleLayer(neuron, says, source=Streams.from_seed(1))(stacked)
    assert torch.equal(z, whole)
    cell, now = NorseStyleCell(neuron, says, source=Streams.from_seed(1)), None
    for step in range(STEPS):
        one, now = cell(stacked[step], now)
        assert torch.equal(one, whole[step])
    for a, b, c in zip(last, state, now, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


def test_norse_style_records_all_states() -> None:
    x = torch.cat(drives(TwoCompartmentLIF()), -1)
    _, states = NorseStyleLayer(TwoCompartmentLIF(), record_states=True)(x)
    assert states.v.shape == (STEPS, 3, 5)
    _, middle = NorseStyleLayer(TwoCompartmentLIF())(x[:40])
    assert torch.equal(states.v[39], middle.v)
    assert torch.equal(states.a[39], middle.a)


def test_norse_style_in_a_sequential_state() -> None:
    """States threaded by norse itself, beside its own cells: equal to the same layers by hand."""
    generator = torch.Generator().manual_seed(0)
    linear = nn.Linear(6, 10)
    cell = NorseStyleCell(TwoCompartmentLIF(), "both")
    readout = norse.torch.LICell()
    net = norse.torch.SequentialState(linear, cell, readout)
    state, mine, theirs = None, None, None
    spiked = 0.0
    with torch.no_grad():
        for _ in range(30):
            x = 2 * torch.rand(4, 6, generator=generator)
            y, state = net(x, state)
            z, mine = cell(linear(x), mine)
            expected, theirs = readout(z, theirs)
            assert torch.equal(y, expected)
            spiked += z.sum().item()
    assert spiked > 0
    assert state is not None
    assert isinstance(state[1], type(mine))
    assert torch.equal(state[1].v, mine.v)


def test_norse_style_on_the_channel_axis_of_images() -> None:
    generator = torch.Generator().manual_seed(0)
    soma, apical = torch.rand(2, 7, 2, 3, 4, 4, generator=generator)
    layer = NorseStyleLayer(TwoCompartmentLIF(), port_axis=-3)
    z, _ = layer(torch.cat((soma, apical), -3))
    expected, _ = Layer(TwoCompartmentLIF())(Inputs(soma, apical))
    assert torch.equal(z, expected.spike)


def test_inputs_that_cannot_be_split() -> None:
    cell = NorseStyleCell(TwoCompartmentLIF())
    with pytest.raises(ValueError, match=r"Axis -1 .* even number of entries; .* \(2, 3\)"):
        cell(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="Axis 2 of the input must hold"):
        NorseStyleCell(TwoCompartmentLIF(), port_axis=2)(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="says must be 'spike', 'event', 'burst' or 'both'"):
        NorseStyleCell(TwoCompartmentLIF(), "spikes")  # type: ignore[arg-type]


@pytest.mark.parametrize("reset_delay", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spikes_equal_snntorch_leaky_with_reset_to_zero(
    dtype: torch.dtype, reset_delay: bool
) -> None:
    """Bit-equal spikes. Leaky's potential is the one before the reset (with reset_delay), ours after it."""
    tau = 12.0
    beta = torch.tensor(math.exp(-1 / tau), dtype=dtype)
    leaky = snntorch.Leaky(beta=beta, reset_mechanism="zero", reset_delay=reset_delay)
    leaky.threshold = leaky.threshold.to(dtype)
    ours = SnnTorchStyle(TwoCompartmentLIF(TwoCompartmentLIFParameters(tau_soma=tau)))
    noise = torch.Generator().manual_seed(4)
    mem, state, spikes = torch.zeros(64, dtype=dtype), (), 0.0
    for current in torch.randn(300, 64, generator=noise, dtype=dtype) * 0.5:
        theirs, mem = leaky(current, mem)
        spk, _, *after = ours(current, torch.zeros_like(current), *state)
        state = tuple(after)
        assert torch.equal(spk, theirs)
        assert torch.equal(state[0], mem * (1 - theirs))
        spikes += spk.sum().item()
    assert spikes > 500


def norse_decay(tau_mem_inv: float, dt: float) -> float:
    """Time constant in ms at which our exact decay of 1 ms is norse's Euler factor 1 - dt tau_mem_inv."""
    return -1 / math.log(1 - dt * tau_mem_inv)


def test_spikes_equal_norse_lif_box() -> None:
    """norse scales its input by dt / tau; with the same decay, spikes are the same (float64)."""
    gain = 0.001 * 80.0
    neuron = TwoCompartmentLIF(TwoCompartmentLIFParameters(tau_soma=norse_decay(80.0, 0.001)))
    p = LIFBoxParameters(tau_mem_inv=torch.tensor(80.0, dtype=torch.float64))
    cell = norse.torch.LIFBoxCell(p)
    x = torch.randn(300, 64, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * 6
    state = LIFBoxFeedForwardState(v=torch.zeros(64, dtype=torch.float64))
    theirs = []
    for current in x:
        z, state = cell(current, state)
        theirs.append(z)
    ours, last = NorseStyleLayer(neuron)(torch.cat((gain * x, 0 * x), -1))
    assert torch.equal(ours, torch.stack(theirs))
    assert torch.allclose(last.v, state.v, atol=1e-12)
    assert ours.sum() > 500


def test_spikes_equal_norse_lif_behind_its_synapse() -> None:
    """norse's LIF filters its input; fed with that current, our soma spikes in the same steps (float64)."""
    tau_mem_inv, tau_syn_inv, dt = 100.0, 200.0, 0.001
    neuron = TwoCompartmentLIF(TwoCompartmentLIFParameters(tau_soma=norse_decay(tau_mem_inv, dt)))
    wide = [torch.tensor(value, dtype=torch.float64) for value in (tau_syn_inv, tau_mem_inv)]
    cell = norse.torch.LIFCell(LIFParameters(tau_syn_inv=wide[0], tau_mem_inv=wide[1]))
    noise = torch.Generator().manual_seed(6)
    x = torch.randn(300, 64, generator=noise, dtype=torch.float64) * 2 + 0.3
    zero = torch.zeros(64, dtype=torch.float64)
    state = LIFFeedForwardState(v=zero, i=zero)
    synapse, currents, theirs = zero, [], []
    for current in x:
        currents.append(synapse + current)
        synapse = (1 - dt * tau_syn_inv) * currents[-1]
        z, state = cell(current, state)
        theirs.append(z)
    ours, _ = Layer(neuron)(Inputs(dt * tau_mem_inv * torch.stack(currents), 0 * x))
    assert torch.equal(ours.spike, torch.stack(theirs))
    assert ours.spike.sum() > 500
