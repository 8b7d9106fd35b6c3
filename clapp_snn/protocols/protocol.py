"""What every protocol is, and what it hands back: findings to compare, tidy records to keep."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Generic, NamedTuple, TypeVar

from clapp_snn.neurons.parameters import ParameterSet

Record = dict[str, str | int | float]
"""One row of a tidy table: one observation, every variable under its name (unit in the name)."""

OWN = "this package"


class Finding(NamedTuple):
    """A measured number beside the expected one.

    Attributes:
        name: what was measured.
        measured, expected: in `unit`.
        unit: "" for a pure number.
        low, high: accepted range, both ends included.
        source: where the expectation comes from (publication, or the independent simulation that gave it).
    """

    name: str
    measured: float
    unit: str
    expected: float
    low: float
    high: float
    source: str

    @property
    def ok(self) -> bool:
        """Whether the measured number lies in the accepted range; never true for NaN."""
        return self.low <= self.measured <= self.high


def exactly(name: str, measured: float, expected: float, source: str, unit: str = "") -> Finding:
    """A finding that accepts one value only, such as a count."""
    return Finding(name, measured, unit, expected, expected, expected, source)


Measurement = TypeVar("Measurement")


@dataclass(frozen=True)
class Protocol(ParameterSet, ABC, Generic[Measurement]):
    """A reproducible experiment: a frozen record of its settings, each with unit, range and source.

    Attributes:
        name: on the command line.
        title: one line.
        notes: where model and experiment differ, one sentence each.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    notes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def measure(self, seed: int = 0) -> Measurement:
        """Run the experiment; the same seed gives the same numbers."""

    @abstractmethod
    def findings(self, measured: Measurement) -> list[Finding]:
        """The numbers to compare."""

    @abstractmethod
    def records(self, measured: Measurement) -> list[Record]:
        """Everything measured, as rows of one tidy table."""
