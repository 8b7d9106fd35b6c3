"""The page on neurons: its examples run, its tables are those of the parameter sets."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from clapp_snn.neurons.dendritic_prediction import DendriticPredictionParameters
from clapp_snn.neurons.event_burst import EventBurstParameters
from clapp_snn.neurons.naud_sprekeler_parameters import NaudSprekelerParameters
from clapp_snn.neurons.parameters import PRESETS, ParameterSet
from clapp_snn.neurons.strict_burst import StrictBurstParameters
from clapp_snn.neurons.two_compartment_lif import TwoCompartmentLIFParameters
from clapp_snn.neurons.urbanczik_senn import UrbanczikSennParameters

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "neurons.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_run(example: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example, "docs/howto/neurons.md", "exec"), {})
    assert "Error" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "parameters",
    [
        TwoCompartmentLIFParameters(),
        NaudSprekelerParameters(),
        StrictBurstParameters(),
        EventBurstParameters(),
        UrbanczikSennParameters(),
        DendriticPredictionParameters(),
    ],
    ids=lambda parameters: type(parameters).__name__,
)
def test_tables_are_current(parameters: ParameterSet) -> None:
    assert f"\n\n{parameters.table()}\n" in PAGE


def test_the_table_of_presets_is_complete() -> None:
    table = PAGE.split("| preset | model |\n")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) == PRESETS.keys()


def test_importing_the_package_makes_all_presets_known() -> None:
    names = "import clapp_snn.neurons as neurons; print(*neurons.PRESETS)"
    run = [sys.executable, "-c", names]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert set(said.split()) == PRESETS.keys()
    assert "Payeur2021PV" in said
