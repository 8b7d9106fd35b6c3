"""Options of `clapp-snn export`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from clapp_snn.export.convert import Conversion
from clapp_snn.export.input_code import Code


@dataclass(frozen=True)
class ExportOptions:
    """How a network is exported.

    Attributes:
        target: file format or chip.
        learning: also what the chip needs to go on learning.
        out: folder of the export; None makes export-TARGET in the run's folder (runs/NAME for a network of
            this package).
        steps: time steps of a sample.
        samples: inputs that spikes are compared on.
        probe: read out spike counts of runs on a stream, before and after.
        beta: of converted neurons; 1 for no leak.
        percentile: of the activity that fires at `peak`.
        peak: spikes a step there.
        pool: "sum" replaces max-pooling by averages.
        code: of the input.

    Raises ValueError for steps or samples that are not positive.
    """

    target: Literal["nir", "loihi2", "speck", "spinnaker", "xylo"] = "nir"
    learning: bool = False
    out: Path | None = None
    steps: int = 64
    samples: int = 8
    probe: bool = True
    beta: float = 1.0
    percentile: float = 99.0
    peak: float = 0.5
    pool: Literal["refuse", "sum"] = "refuse"
    code: Code = "regular"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.samples < 1:
            raise ValueError("An export is compared on at least one sample of at least one step.")

    @property
    def conversion(self) -> Conversion:
        """What of this is about rates and spikes."""
        names = {field.name for field in fields(Conversion)} & {
            field.name for field in fields(self)
        }
        values: dict[str, Any] = {name: getattr(self, name) for name in names - {"steps"}}
        return Conversion(**values)
