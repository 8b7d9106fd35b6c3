"""What a chip has to say about a network: the protocol that the command and its report are written for.

A target knows the limits of its chip, turns a network into the integer model that the chip computes, and
writes the files that the chip's own tools read. It needs none of these tools itself.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from clapp_snn.export.canonical import Network
from clapp_snn.export.interpreter import Input, Spikes
from clapp_snn.export.learning import Learning


class Limit(NamedTuple):
    """One limit of a chip.

    Attributes:
        name: what is limited, with the layer or core where there are several.
        used: by the network.
        available: on the chip; infinite for what is only counted.
        unit: of both; "" for plain numbers.
        advice: what would make it fit, one sentence.
    """

    name: str
    used: float
    available: float
    unit: str
    advice: str

    @property
    def fits(self) -> bool:
        """Whether it is kept."""
        return self.used <= self.available

    @property
    def utilisation(self) -> float:
        """Share that is used; NaN for what is only counted."""
        if math.isinf(self.available):
            return math.nan
        return self.used / self.available if self.available else math.inf * (self.used > 0)


class Placement(NamedTuple):
    """Where a part of the network lives: "stage 0: Conv2d, 4 x 8 x 8 neurons" on "core 3"."""

    part: str
    where: str


@dataclass(frozen=True)
class Energy:
    """Published energy of single operations, for an estimate.

    Attributes:
        synaptic_operation: pJ for one spike at one synapse.
        neuron_update: pJ for one neuron in one time step; None if nobody published it.
        source: who measured or simulated it, on what, with a DOI.
    """

    synaptic_operation: float
    neuron_update: float | None
    source: str


class IntegerModel(Protocol):
    """What the chip computes, in whole numbers, on any computer.

    Attributes:
        delay: steps that a spike needs from one layer to the next; stage k is (k + 1) delay steps later than
            in the judge (k from 0), whose spikes need none.
    """

    delay: int

    @property
    def memory_bytes(self) -> int:
        """Weights, biases and state as the chip stores them."""

    def run(self, spikes: Input) -> list[Spikes]:
        """Spikes of every layer of neurons from rest; `spikes` as for `interpreter.run`, samples included."""


class Target(Protocol):
    """A chip.

    Attributes:
        name: what users type after `--target`.
        title: what the report calls it.
        learns: whether `write` has something to say about learning.
        energy: published figures, or None if there are none.
    """

    name: str
    title: str
    learns: bool
    energy: Energy | None

    def check(self, network: Network) -> list[Limit]:
        """All limits, kept or not. Raises ValueError for layers that the chip does not have at all."""

    def place(self, network: Network) -> list[Placement]:
        """Which part goes where, input side first; only for networks that fit."""

    def quantise(self, network: Network, samples: Input | None = None) -> IntegerModel:
        """The integer model; `samples` of input help to choose scales where a chip needs them."""

    def write(
        self,
        folder: Path,
        network: Network,
        learning: Learning | None,
        samples: Input | None = None,
    ) -> list[Path]:
        """Write what the chip's tools read into an existing, empty folder; paths of the files.

        Some chips need `samples` of input to learn: sizes of predictions decide their thresholds.

        Raises ValueError for learning that the chip cannot do.
        """


def exceeded(limits: list[Limit]) -> list[Limit]:
    """Those that are not kept."""
    return [limit for limit in limits if not limit.fits]
