"""One clear error for each thing that can be wrong with the input of a neuron."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from clapp_snn.circuit.stream_area import StreamArea
from clapp_snn.neurons.adex import AdEx, AdExParameters
from clapp_snn.neurons.bursts import label_spike_times
from clapp_snn.neurons.dendritic_prediction import (
    DendriticPredictionParameters,
    InputTraces,
    unit_potential,
)
from clapp_snn.neurons.event_burst import (
    EventBurst,
    EventBurstParameters,
    event_rate,
    fano_factor,
)
from clapp_snn.neurons.interface import Inputs, Layer, Neuron, simulate
from clapp_snn.neurons.naud_sprekeler import NaudSprekeler
from clapp_snn.neurons.naud_sprekeler_parameters import NaudSprekelerParameters
from clapp_snn.neurons.noise import Streams
from clapp_snn.neurons.parameters import preset
from clapp_snn.neurons.rate import Rate, RateParameters, RateState
from clapp_snn.neurons.strict_burst import StrictBurst, StrictBurstParameters
from clapp_snn.neurons.two_compartment_lif import (
    TwoCompartmentLIF,
    TwoCompartmentLIFParameters,
    TwoCompartmentLIFState,
)
from clapp_snn.neurons.urbanczik_senn import UrbanczikSenn, UrbanczikSennParameters

NEURONS: list[Neuron[Any]] = [
    TwoCompartmentLIF(),
    NaudSprekeler(),
    StrictBurst(),
    EventBurst(),
    UrbanczikSenn(),
    Rate(),
]
named = pytest.mark.parametrize("neuron", NEURONS, ids=lambda neuron: type(neuron).__name__)


@named
def test_shapes_that_do_not_fit(neuron: Neuron[Any]) -> None:
    with pytest.raises(
        ValueError, match=r"soma drive \(3,\) and the apical drive \(4,\) do not fit"
    ):
        neuron(Inputs(torch.zeros(3), torch.zeros(4)), source=Streams.from_seed(0))


@named
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_precisions_that_are_too_coarse(neuron: Neuron[Any], dtype: torch.dtype) -> None:
    drive = torch.zeros(3, dtype=dtype)
    with pytest.raises(ValueError, match="soma drive must be float32 or float64, not"):
        neuron(Inputs(drive, drive), source=Streams.from_seed(0))


@pytest.mark.parametrize("dt", ["1", None, float("nan")])
def test_time_steps_that_are_no_numbers(dt: Any) -> None:
    with pytest.raises(ValueError, match="dt must be a positive number of milliseconds, not"):
        StrictBurst(dt=dt)


def test_a_class_is_no_neuron() -> None:
    with pytest.raises(ValueError, match=r"Pass a neuron, EventBurst\(\), not its class"):
        StreamArea(4, 3, EventBurst)  # type: ignore[arg-type]


def test_spike_times_that_are_no_numbers() -> None:
    for times in (["a"], [None, 1.0], "abc"):
        with pytest.raises(ValueError, match="finite numbers in strictly ascending order"):
            label_spike_times(times)  # type: ignore[arg-type]


@named
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("port", ["soma", "apical"])
def test_drives_that_are_not_finite(neuron: Neuron[Any], value: float, port: str) -> None:
    good, bad = torch.zeros(3), torch.tensor([0.0, value, 0.0])
    inputs = Inputs(bad, good) if port == "soma" else Inputs(good, bad)
    with pytest.raises(ValueError, match=f"The {port} drive holds values that are not finite"):
        neuron(inputs, source=Streams.from_seed(0))


@named
def test_drives_that_are_no_real_tensors(neuron: Neuron[Any]) -> None:
    with pytest.raises(ValueError, match="soma drive must be a tensor of floating-point numbers"):
        neuron(Inputs(torch.zeros(3, dtype=torch.int64), torch.zeros(3)))
    with pytest.raises(ValueError, match="apical drive must be a tensor of floating-point numbers"):
        neuron(Inputs(torch.zeros(3), [0.0, 0.0, 0.0]))  # type: ignore[arg-type]


@named
def test_drives_of_two_precisions(neuron: Neuron[Any]) -> None:
    with pytest.raises(ValueError, match=r"one precision and device.*float32.*float64"):
        neuron(Inputs(torch.zeros(3), torch.zeros(3, dtype=torch.float64)))


@named
def test_a_state_of_another_shape(neuron: Neuron[Any]) -> None:
    inputs = Inputs(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"state does not fit the drive: \w+ is \(4,\).*\(3,\)"):
        neuron(inputs, neuron.initial_state((4,)), Streams.from_seed(0))


def test_a_state_of_another_precision() -> None:
    inputs = Inputs(torch.zeros(3), torch.zeros(3))
    state = TwoCompartmentLIF().initial_state((3,), dtype=torch.float64)
    with pytest.raises(ValueError, match=r"float64, expected \(3,\) torch\.float32"):
        TwoCompartmentLIF()(inputs, state)


@named
def test_a_state_of_another_model(neuron: Neuron[Any]) -> None:
    other = TwoCompartmentLIFState if isinstance(neuron, Rate) else RateState
    wrong = other(*(torch.zeros(3) for _ in other._fields))
    with pytest.raises(
        ValueError, match=f"{type(neuron).__name__} needs a .*, not a {other.__name__}"
    ):
        neuron(Inputs(torch.zeros(3), torch.zeros(3)), wrong, Streams.from_seed(0))


@pytest.mark.parametrize("neuron", [NaudSprekeler(), StrictBurst(), EventBurst(), UrbanczikSenn()])
def test_no_source_of_random_numbers(neuron: Neuron[Any]) -> None:
    with pytest.raises(ValueError, match="draws random numbers: pass a source"):
        neuron(Inputs(torch.zeros(3), torch.zeros(3)))


@named
@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan"), float("inf")])
def test_time_steps_that_are_none(neuron: Neuron[Any], dt: float) -> None:
    with pytest.raises(ValueError, match="dt must be a positive number of milliseconds"):
        type(neuron)(dt=dt)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["tau_soma", "tau_apical"])
@pytest.mark.parametrize("value", [-5.0, 0.0])
def test_time_constants_that_are_not_positive(name: str, value: float) -> None:
    with pytest.raises(
        ValueError, match=rf"{name} must lie between 0\.1 and 1000 ms, not {value:g}"
    ):
        TwoCompartmentLIFParameters(**{name: value})


def test_negative_time_constants_of_synapses_and_refractoriness() -> None:
    with pytest.raises(ValueError, match=r"tau_synapse must lie between 0\.1 and 1000 ms, not -3"):
        DendriticPredictionParameters(tau_synapse=-3.0)
    with pytest.raises(ValueError, match="t_ref must lie between 0 and 1000 ms, not -1"):
        EventBurstParameters(t_ref=-1.0)
    with pytest.raises(ValueError, match="t_ref must lie between 0 and 1000 ms, not -3"):
        UrbanczikSennParameters(t_ref=-3.0)


def test_a_step_longer_than_a_time_constant() -> None:
    with pytest.raises(ValueError, match=r"dt = 8 ms is longer than tau_apical = 7 ms; choose"):
        TwoCompartmentLIF(dt=8.0)
    with pytest.raises(ValueError, match=r"dt = 1 ms is longer than the somatic time constant"):
        UrbanczikSenn(dt=1.0)


def test_a_refractory_time_shorter_than_a_step() -> None:
    with pytest.raises(ValueError, match=r"dt = 1 ms is longer than t_ref = 0\.5 ms; choose"):
        EventBurst(EventBurstParameters(t_ref=0.5), dt=1.0)
    with pytest.raises(ValueError, match=r"dt = 0\.2 ms is longer than t_ref = 0\.1 ms; choose"):
        UrbanczikSenn(UrbanczikSennParameters(t_ref=0.1), dt=0.2)
    EventBurst(EventBurstParameters(t_ref=0.0), dt=1.0)


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda: NaudSprekeler(dt=2.0), "t_ref = 3 ms .* dt = 2 ms"),
        (lambda: NaudSprekeler(NaudSprekelerParameters(t_ref=3.3), 0.2), r"3\.3 ms .* dt = 0\.2"),
        (lambda: StrictBurst(StrictBurstParameters(t_ref=20.5)), r"20\.5 ms .* dt = 1 ms"),
        (lambda: EventBurst(EventBurstParameters(t_ref=2.5)), r"2\.5 ms .* dt = 1 ms"),
        (lambda: UrbanczikSenn(dt=0.4), r"3 ms .* dt = 0\.4 ms"),
        (lambda: AdEx(AdExParameters(t_ref=1.0), dt=0.3), r"1 ms .* dt = 0\.3 ms"),
        (lambda: fano_factor(torch.ones(1), 0.3, 1.0), r"1 ms .* dt = 0\.3 ms"),
        (lambda: event_rate(torch.ones(1), EventBurstParameters(t_ref=1.0), 0.3), "1 ms .* dt"),
    ],
)
def test_refractory_times_that_are_no_whole_number_of_steps(
    make: Callable[[], object], steps: str
) -> None:
    with pytest.raises(ValueError, match=f"{steps}.*; choose t_ref or dt"):
        make()


def test_a_refractory_time_without_use_may_be_any() -> None:
    NaudSprekeler(NaudSprekelerParameters(refractory="moving_threshold", t_ref=3.3))


@named
def test_parameters_of_another_model(neuron: Neuron[Any]) -> None:
    model = type(neuron)
    other = RateParameters() if model is not Rate else StrictBurstParameters()
    for wrong in (other, 0.1, 0):
        with pytest.raises(TypeError, match=f"takes {model.__name__}Parameters, not "):
            model(wrong)  # type: ignore[call-arg]


@pytest.mark.parametrize("source", [7, torch.Generator()])
@pytest.mark.parametrize("neuron", [NaudSprekeler(), StrictBurst(), EventBurst(), UrbanczikSenn()])
def test_a_source_that_cannot_draw(neuron: Neuron[Any], source: Any) -> None:
    with pytest.raises(TypeError, match=r"has a method draw, (int|Generator) has none: pass"):
        neuron(Inputs(torch.zeros(3), torch.zeros(3)), source=source)


def test_steps_without_the_draws_they_need() -> None:
    neuron = UrbanczikSenn()
    with pytest.raises(ValueError, match=r"needs uniform random numbers in draws\.event"):
        neuron.step(Inputs(torch.zeros(3), torch.zeros(3)), neuron.initial_state((3,)))


@named
def test_drives_that_are_no_pair(neuron: Neuron[Any]) -> None:
    with pytest.raises(TypeError, match=r"takes Inputs\(soma, apical\), not tuple of 3"):
        neuron((torch.zeros(3),) * 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"takes Inputs\(soma, apical\), not Tensor"):
        neuron(torch.zeros(2, 3))  # type: ignore[arg-type]


@named
def test_a_state_on_another_device(neuron: Neuron[Any]) -> None:
    state = neuron.initial_state((3,), device="meta")
    with pytest.raises(ValueError, match=r"The state lives on meta \(\w+\), the drives on cpu"):
        neuron(Inputs(torch.zeros(3), torch.zeros(3)), state, Streams.from_seed(0))


def test_an_unknown_readout() -> None:
    with pytest.raises(ValueError, match="readout must be one of half_wave, opponent, not 'both'"):
        EventBurstParameters(readout="both")


def test_an_unknown_preset() -> None:
    with pytest.raises(ValueError, match="Unknown preset 'NaudSprekeler1918'; known: "):
        preset("NaudSprekeler1918")


@pytest.mark.parametrize("steps", [0, -3])
def test_simulations_without_a_step(steps: int) -> None:
    inputs = Inputs(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match=f"at least one step, not {steps}"):
        simulate(Rate(), inputs, steps)


@pytest.mark.parametrize("shape", [(), (0, 3)])
def test_layers_without_a_time_axis(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a first axis of at least one time step"):
        Layer(Rate())(Inputs(torch.zeros(shape), torch.zeros(shape)))


@named
def test_layers_and_simulations_check_the_state_too(neuron: Neuron[Any]) -> None:
    state, source = neuron.initial_state((4,)), Streams.from_seed(0)
    with pytest.raises(ValueError, match="The state does not fit the drive"):
        Layer(neuron)(Inputs(torch.zeros(2, 3), torch.zeros(2, 3)), state, source)
    with pytest.raises(ValueError, match="The state does not fit the drive"):
        simulate(neuron, Inputs(torch.zeros(3), torch.zeros(3)), 2, state, source)


def test_simulations_check_drives_that_vary() -> None:
    def inputs(step: int) -> Inputs:
        return Inputs(torch.full((2,), float("nan") if step else 0.0), torch.zeros(2))

    with pytest.raises(ValueError, match="soma drive holds values that are not finite"):
        simulate(Rate(), inputs, 3)


@pytest.mark.parametrize(
    ("later", "said"),
    [
        (torch.zeros(4), r"step 2 are \(4,\) torch\.float32"),
        (torch.zeros(3, dtype=torch.float64), r"step 2 are \(3,\) torch\.float64"),
    ],
)
def test_drives_that_change_their_shape_or_precision(later: torch.Tensor, said: str) -> None:
    def inputs(step: int) -> Inputs:
        drive = later if step == 2 else torch.zeros(3)
        return Inputs(drive, drive)

    with pytest.raises(ValueError, match=rf"{said}.*those of step 0 \(3,\) torch\.float32"):
        simulate(Rate(), inputs, 4)


def test_synapses_as_slow_as_the_dendrite() -> None:
    traces = InputTraces(torch.zeros(2), torch.zeros(2))
    constants = DendriticPredictionParameters(tau_synapse=10.0).at(0.1)
    with pytest.raises(ValueError, match="must differ from the dendritic time constant 10 ms"):
        unit_potential(traces, constants, UrbanczikSennParameters())
