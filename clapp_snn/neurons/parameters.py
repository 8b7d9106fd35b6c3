"""Parameter sets: frozen records in which every value has a unit, a permitted range and a source."""

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import Any, ClassVar, Literal, NamedTuple, Self

TIME = "ms"
MS_PER_S = 1000.0
CHANGED = "set by the user"


class Quantity(NamedTuple):
    """One entry of a parameter set.

    Attributes:
        name: of the field.
        value: in `unit`, or one of `options`.
        unit: "ms", "mV", "pA", "pF", "nS", "Hz", or "" for a pure number or a choice.
        low, high: permitted range, both ends included; None for a choice.
        options: permitted words, empty for a number.
        meaning: one line.
        source: where the value comes from (DOI where there is one).
        constant: True for a time constant, which dt must not exceed.
    """

    name: str
    value: float | str
    unit: str
    low: float | None
    high: float | None
    options: tuple[str, ...]
    meaning: str
    source: str
    constant: bool


def quantity(
    default: float,
    unit: str,
    low: float,
    high: float,
    meaning: str,
    source: str,
    *,
    constant: bool = False,
) -> Any:
    """Declare a number of a parameter set; `constant` marks a time constant."""
    return field(
        default=default,
        metadata={
            "unit": unit,
            "low": low,
            "high": high,
            "meaning": meaning,
            "source": source,
            "constant": constant,
        },
    )


def choice(default: str, options: tuple[str, ...], meaning: str, source: str) -> Any:
    """Declare a word of a parameter set."""
    return field(
        default=default, metadata={"options": options, "meaning": meaning, "source": source}
    )


@dataclass(frozen=True)
class ParameterSet:
    """Base of all parameter sets.

    Every field is declared with `quantity` or `choice`. Raises ValueError, naming each field and its range,
    when a value is not finite or out of range; TypeError for a value of the wrong kind.
    """

    model: ClassVar[str] = ""

    def __post_init__(self) -> None:
        problems = []
        for entry in self.quantities():
            if entry.options:
                if entry.value not in entry.options:
                    problems.append(
                        f"{entry.name} must be one of {', '.join(entry.options)}, not {entry.value!r}"
                    )
                continue
            if isinstance(entry.value, bool) or not isinstance(entry.value, (int, float)):
                raise TypeError(f"{entry.name} must be a number, not {entry.value!r}")
            assert entry.low is not None
            assert entry.high is not None
            if not (math.isfinite(entry.value) and entry.low <= entry.value <= entry.high):
                unit = f" {entry.unit}" if entry.unit else ""
                problems.append(
                    f"{entry.name} must lie between {entry.low:g} and {entry.high:g}{unit}, "
                    f"not {entry.value:g}"
                )
        problems += self.contradictions()
        if problems:
            raise ValueError(f"{type(self).__name__}: " + "; ".join(problems) + ".")

    def contradictions(self) -> list[str]:
        """Problems that no single range can express; for subclasses."""
        return []

    def quantities(self) -> Iterator[Quantity]:
        """All entries in the order of declaration."""
        for item in fields(self):
            about = item.metadata
            yield Quantity(
                item.name,
                getattr(self, item.name),
                about.get("unit", ""),
                about.get("low"),
                about.get("high"),
                about.get("options", ()),
                about["meaning"],
                self.source(item.name),
                about.get("constant", False),
            )

    def source(self, name: str) -> str:
        """Where the present value of field `name` comes from.

        A preset's sources hold for the whole preset only: in any other set a value that is not the default is
        "set by the user", whatever preset has the same number.
        """
        item = next(item for item in fields(self) if item.name == name)
        for known in PRESETS.values():
            if known.parameters == self and name in known.sources:
                return known.sources[name]
        return str(item.metadata["source"]) if getattr(self, name) == item.default else CHANGED

    def check_step(self, dt: float) -> None:
        """Raise ValueError unless dt > 0 ms and no time constant or non-zero duration is shorter."""
        if not (isinstance(dt, Real) and math.isfinite(dt) and dt > 0):
            raise ValueError(f"dt must be a positive number of milliseconds, not {dt!r}.")
        short = [
            f"{entry.name} = {entry.value:g} ms"
            for entry in self.quantities()
            if entry.constant and isinstance(entry.value, (int, float)) and 0 < entry.value < dt
        ]
        if short:
            raise ValueError(
                f"dt = {dt:g} ms is longer than {', '.join(short)}; choose a shorter dt."
            )

    def table(self, style: Literal["markdown", "latex"] = "markdown") -> str:
        """The parameters with value, unit, range, meaning and source, as a Markdown or LaTeX table."""
        head = ["parameter", "value", "unit", "range", "meaning", "source"]
        rows = []
        for entry in self.quantities():
            value = entry.value if isinstance(entry.value, str) else f"{entry.value:g}"
            span = ", ".join(entry.options) or f"{entry.low:g} to {entry.high:g}"
            rows.append([entry.name, value, entry.unit, span, entry.meaning, entry.source])
        if style == "markdown":
            lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
            lines += [
                "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows
            ]
            return "\n".join(lines)
        if style != "latex":
            raise ValueError(f"style must be 'markdown' or 'latex', not {style!r}.")
        lines = [r"\begin{tabular}{lrllll}", r"\hline", " & ".join(head) + r" \\", r"\hline"]
        lines += [" & ".join(map(_latex, row)) + r" \\" for row in rows]
        return "\n".join([*lines, r"\hline", r"\end{tabular}"])

    def to_json(self) -> str:
        """All values with their units, as JSON text that `from_json` reads back."""
        entries = list(self.quantities())
        return json.dumps(
            {
                "model": type(self).__name__,
                "values": {entry.name: entry.value for entry in entries},
                "units": {entry.name: entry.unit for entry in entries if entry.unit},
            },
            indent=2,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises ValueError for other text, another model's parameters, unknown or missing names, or units that
        are not those of this model.
        """
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"These are not parameters in JSON: {error}.") from error
        if not isinstance(record, dict) or record.get("model") != cls.__name__:
            found = record.get("model") if isinstance(record, dict) else type(record).__name__
            what = "no name of a model" if found is None else repr(found)
            raise ValueError(f"Expected parameters of {cls.__name__}, found {what}.")
        values, units = record.get("values"), record.get("units")
        if not isinstance(values, dict) or not isinstance(units, dict):
            raise ValueError(f"Parameters of {cls.__name__} need the objects 'values' and 'units'.")
        known = {item.name: item.metadata.get("unit", "") for item in fields(cls)}
        with_unit = {name for name, unit in known.items() if unit}
        wrong = sorted(values.keys() ^ known.keys())
        if wrong:
            raise ValueError(
                f"Unknown or missing parameters of {cls.__name__}: {', '.join(wrong)}."
            )
        wrong = sorted(units.keys() ^ with_unit)
        if wrong:
            raise ValueError(f"Unknown or missing units of {cls.__name__}: {', '.join(wrong)}.")
        for name, unit in units.items():
            if unit != known[name]:
                raise ValueError(f"{name} is given in {unit!r}, expected {known[name]!r}.")
        return cls(**values)


class Preset(NamedTuple):
    """A published set: its parameters, and the source of every value that is not the model's default."""

    parameters: ParameterSet
    sources: dict[str, str]
    meaning: str


PRESETS: dict[str, Preset] = {}


def register(name: str, parameters: ParameterSet, meaning: str, **sources: str) -> ParameterSet:
    """Make a preset known by name and return its parameters."""
    PRESETS[name] = Preset(parameters, sources, meaning)
    return parameters


def preset(name: str) -> ParameterSet:
    """The parameters of a published preset; raises ValueError with the known names for an unknown one."""
    if name not in PRESETS:
        raise ValueError(f"Unknown preset {name!r}; known: {', '.join(sorted(PRESETS))}.")
    return PRESETS[name].parameters


class NeuronParameters(ParameterSet, ABC):
    """Parameters from which the constants of a time step follow."""

    @abstractmethod
    def at(self, dt: float) -> tuple[Any, ...]:
        """The constants of one step of `dt` ms, as a named tuple."""


def whole_steps(name: str, duration: float, dt: float) -> int:
    """A duration in steps, both in ms; raises ValueError, calling it `name`, if that is no whole number."""
    steps = round(duration / dt)
    if not math.isclose(duration, steps * dt, rel_tol=1e-9, abs_tol=0.0):
        raise ValueError(
            f"{name} = {duration:g} ms is not a whole number of steps of dt = {dt:g} ms; choose {name} or dt "
            "so that it is."
        )
    return steps


_LATEX = str.maketrans(
    {char: "\\" + char for char in "_%&#${}"}
    | {
        "\\": r"\textbackslash{}",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)


def _latex(text: str) -> str:
    return text.translate(_LATEX)
