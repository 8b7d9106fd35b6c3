"""Parameter sets: units, ranges, sources, tables, JSON and presets."""

import json
import math
import re
from dataclasses import FrozenInstanceError, dataclass, fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_snn.neurons.dendritic_prediction import DendriticPredictionParameters
from clapp_snn.neurons.event_burst import EventBurstParameters
from clapp_snn.neurons.naud_sprekeler_parameters import NaudSprekelerParameters
from clapp_snn.neurons.parameters import (
    CHANGED,
    PRESETS,
    ParameterSet,
    choice,
    preset,
    quantity,
    register,
    whole_steps,
)
from clapp_snn.neurons.rate import RateParameters
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIFParameters
from clapp_snn.neurons.urbanczik_senn import UrbanczikSennParameters

MODELS: list[type[ParameterSet]] = [
    TwoCompartmentLIFParameters,
    EventBurstParameters,
    UrbanczikSennParameters,
    DendriticPredictionParameters,
    RateParameters,
]
UNITS = {"ms", "mV", "1/mV", "pA", "pA^2", "pF", "nS", "Hz", ""}


@dataclass(frozen=True)
class Toy(ParameterSet):
    """Two numbers that must not contradict, and a word."""

    low: float = quantity(
        1.0, "mV", 0.0, 10.0, "lower_bound & more", "first source", constant=False
    )
    high: float = quantity(2.0, "mV", 0.0, 10.0, "upper | bound", "second source")
    mode: str = choice("soft", ("soft", "hard"), "how", "third source")

    def contradictions(self) -> list[str]:
        return [] if self.low <= self.high else [f"low {self.low:g} exceeds high {self.high:g}"]


@pytest.mark.parametrize("model", MODELS)
def test_every_value_has_unit_range_meaning_and_source(model: type[ParameterSet]) -> None:
    for entry in model().quantities():
        assert entry.meaning
        assert entry.source
        assert entry.source != CHANGED
        if entry.options:
            assert entry.value in entry.options
        else:
            assert entry.unit in UNITS
            assert entry.low is not None
            assert entry.high is not None
            assert entry.low <= float(entry.value) <= entry.high
            assert not entry.constant or entry.unit == "ms"


@pytest.mark.parametrize("model", MODELS)
def test_json_round_trip_of_defaults(model: type[ParameterSet]) -> None:
    assert model.from_json(model().to_json()) == model()


@settings(max_examples=50, deadline=None)
@given(
    rho=st.floats(0.01, 1e4),
    t_ref=st.floats(0.0, 1000.0),
    readout=st.sampled_from(["half_wave", "opponent"]),
)
def test_json_round_trip_is_exact(rho: float, t_ref: float, readout: str) -> None:
    params = EventBurstParameters(rho=rho, t_ref=t_ref, readout=readout)
    assert EventBurstParameters.from_json(params.to_json()) == params


@pytest.mark.parametrize("model", MODELS)
def test_values_just_outside_the_range_are_refused(model: type[ParameterSet]) -> None:
    for entry in model().quantities():
        if entry.options:
            continue
        assert entry.low is not None
        assert entry.high is not None
        for value in (math.nextafter(entry.low, -math.inf), math.nextafter(entry.high, math.inf)):
            with pytest.raises(
                ValueError, match=re.escape(f"{entry.name} must lie between {entry.low:g} and")
            ):
                model(**{entry.name: value})


def test_each_problem_is_named_in_one_message() -> None:
    with pytest.raises(
        ValueError,
        match=r"Toy: low must lie between 0 and 10 mV, not 11; mode must be one of soft, hard, not "
        r"'firm'; low 11 exceeds high 2\.",
    ):
        Toy(low=11.0, mode="firm")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="low must lie between"):
        Toy(low=value)


@pytest.mark.parametrize("value", ["1", None, True, [1.0]])
def test_values_that_are_no_numbers_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="low must be a number"):
        Toy(low=value)  # type: ignore[arg-type]


def test_frozen() -> None:
    params = Toy()
    with pytest.raises(FrozenInstanceError):
        params.low = 0.5  # type: ignore[misc]


def test_sources_follow_the_values() -> None:
    register("ToyPreset", Toy(high=7.0), "for this test", high="a paper")
    try:
        assert Toy().source("high") == "second source"
        assert Toy(high=7.0).source("high") == "a paper"
        assert Toy(high=8.0).source("high") == CHANGED
        assert Toy(low=0.5, high=7.0).source("high") == CHANGED
        assert Toy(high=7.0).source("low") == "first source"
        assert preset("ToyPreset") == Toy(high=7.0)
    finally:
        del PRESETS["ToyPreset"]


def test_a_set_of_ones_own_does_not_borrow_the_sources_of_presets() -> None:
    """Without background, L1 has three values in common with `Payeur2021`, which it is not."""
    quiet = NaudSprekelerParameters().quiet()
    for name in ("ou_sigma", "ou_mean_soma", "ou_mean_apical"):
        assert quiet.source(name) == CHANGED
        assert "Payeur" in preset("Payeur2021").source(name)
    assert quiet.source("ou_tau") == NaudSprekelerParameters().source("ou_tau")


@pytest.mark.parametrize(
    ("duration", "dt", "steps"), [(0.0, 0.3, 0), (3.0, 0.1, 30), (0.7, 0.1, 7)]
)
def test_durations_of_whole_steps(duration: float, dt: float, steps: int) -> None:
    assert whole_steps("t_ref", duration, dt) == steps


@settings(max_examples=100, deadline=None)
@given(steps=st.integers(0, 10_000), dt=st.floats(0.01, 10.0))
def test_every_multiple_is_whole_and_nothing_in_between(steps: int, dt: float) -> None:
    assert whole_steps("t_ref", steps * dt, dt) == steps
    with pytest.raises(ValueError, match=r"t_ref = .* is not a whole number of steps of dt = "):
        whole_steps("t_ref", (steps + 0.3) * dt, dt)


def test_an_unknown_preset_is_refused_with_the_known_names() -> None:
    with pytest.raises(ValueError, match=r"Unknown preset 'Nonsense'; known: .*UrbanczikSenn2014"):
        preset("Nonsense")


def test_every_preset_names_the_source_of_each_value() -> None:
    for name, entry in PRESETS.items():
        assert entry.meaning, name
        sources = [quantity.source for quantity in entry.parameters.quantities()]
        assert CHANGED not in sources, name


def test_markdown_table() -> None:
    lines = Toy().table().splitlines()
    assert lines[0] == "| parameter | value | unit | range | meaning | source |"
    assert lines[2] == "| low | 1 | mV | 0 to 10 | lower_bound & more | first source |"
    assert lines[3] == r"| high | 2 | mV | 0 to 10 | upper \| bound | second source |"
    assert lines[4] == "| mode | soft |  | soft, hard | how | third source |"
    assert len(lines) == 2 + len(fields(Toy))


def test_latex_table() -> None:
    lines = Toy().table("latex").splitlines()
    assert lines[0] == r"\begin{tabular}{lrllll}"
    assert r"low & 1 & mV & 0 to 10 & lower\_bound \& more & first source \\" in lines
    assert lines[-1] == r"\end{tabular}"


def test_latex_table_escapes_every_special_character() -> None:
    @dataclass(frozen=True)
    class Special(ParameterSet):
        one: float = quantity(1.0, "pA^2", 0.0, 2.0, r"a~b \ {c} | <d> 5 % $ #", "e_f")

    row = Special().table("latex").splitlines()[4]
    assert row == (
        r"one & 1 & pA\textasciicircum{}2 & 0 to 2 & a\textasciitilde{}b \textbackslash{} \{c\} "
        r"\textbar{} \textless{}d\textgreater{} 5 \% \$ \# & e\_f \\"
    )


def test_unknown_style_of_table() -> None:
    with pytest.raises(ValueError, match="style must be 'markdown' or 'latex', not 'html'"):
        Toy().table("html")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not parameters in JSON"),
        ("[]", "Expected parameters of Toy, found 'list'"),
        ('{"foo": 1}', "Expected parameters of Toy, found no name of a model"),
        ('{"model": "Other"}', "Expected parameters of Toy, found 'Other'"),
        ('{"model": "Toy", "values": {}}', "need the objects 'values' and 'units'"),
        (
            '{"model": "Toy", "values": {"low": 1}, "units": {}}',
            "missing parameters of Toy: high, mode",
        ),
    ],
)
def test_wrong_json(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Toy.from_json(text)


def test_json_in_other_units_is_refused() -> None:
    record = json.loads(Toy().to_json())
    record["units"]["low"] = "V"
    with pytest.raises(ValueError, match="low is given in 'V', expected 'mV'"):
        Toy.from_json(json.dumps(record))


@pytest.mark.parametrize("units", [{}, {"low": "mV"}, {"low": "mV", "high": "mV", "mode": "mV"}])
def test_json_with_other_units_than_all_is_refused(units: dict[str, str]) -> None:
    record = json.loads(Toy().to_json()) | {"units": units}
    with pytest.raises(
        ValueError, match=r"Unknown or missing units of Toy: (high|mode|high, low)\."
    ):
        Toy.from_json(json.dumps(record))


def test_json_out_of_range_is_refused() -> None:
    record = json.loads(Toy().to_json())
    record["values"]["low"] = -1.0
    with pytest.raises(ValueError, match="low must lie between 0 and 10 mV, not -1"):
        Toy.from_json(json.dumps(record))
