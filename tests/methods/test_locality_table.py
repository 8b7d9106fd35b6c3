"""The locality table says what the rules need: only CLAPP and its ablations need nothing else."""

from dataclasses import replace

import pytest

from clapp_snn.functional.objective import Objective
from clapp_snn.methods import TABLES, get_method
from clapp_snn.methods.local_learners import LOCAL_LEARNERS
from clapp_snn.methods.locality import NOTHING, Locality, locality
from clapp_snn.methods.record import Method

ALL = {f"{room}/{name}": m for room, table in TABLES.items() for name, m in table.items()}

# The papers' numbers: arXiv:2601.21683 (CLAPP++), slides of the CLAPP authors, and the abstracts of the
# papers on SoftHebb and SCFF.
PUBLISHED = {
    "clapp-pp": 78.66, "clapp-pp-dfb": 79.38, "clapp-pp-both": 79.62, "clapp-pp-pooled": 75.10,
    "clapp-pp-end-to-end": 80.36, "clapp-fb": 73.85, "hinge-dfa": 52.30, "hinge-predictive-coding": 36.75,
    "lpl": 63.2, "softhebb": 76.2, "scff": 77.3,
}  # fmt: skip


def test_published_numbers() -> None:
    reported = {name: method.reported for name, method in LOCAL_LEARNERS.items()}
    assert {name: reported[name] for name in PUBLISHED} == PUBLISHED


def test_methods_that_need_nothing_else() -> None:
    images = TABLES["images"]
    assert {name for name, m in images.items() if locality(m).other == NOTHING} == {
        "clapp", "clapp-zero-retro", "clapp-fb", "softhebb", "random"
    }  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_locality_agrees_with_the_published_columns(name: str) -> None:
    """Where the paper says local in space and time, nothing else is needed; elsewhere something is."""
    method = ALL[name]
    needs = locality(method)
    local = method.local_in_space == "yes" and method.local_in_time == "yes"
    assert (needs.other == NOTHING) == local
    assert (needs.own == NOTHING) == (method.task == "none")
    transported = method.local_in_space == "yes" and (
        "labels" in needs.other or "errors of later layers" in needs.other
    )
    assert not transported


def test_what_each_rule_needs() -> None:
    assert locality(get_method("clapp")) == Locality(
        "pre, post", "W_pred c, own area; W_retro z", "gamma", NOTHING
    )
    assert locality(get_method("clapp-fb")).apical == "W_pred c, area above"
    assert locality(get_method("clapp-pp-dfb")).apical == "map of the other view, top area"
    assert "transposed" in locality(get_method("clapp-s")).other
    assert "transposed" in locality(get_method("hinge-predictive-coding")).other
    assert "transposed" not in locality(get_method("hinge-dfa")).other
    assert "labels" in locality(get_method("supervised-greedy")).other
    assert locality(get_method("clapp-s-no-gamma")).broadcast == NOTHING
    assert locality(get_method("gim-layerwise")).broadcast == NOTHING
    assert "mean and variance" in locality(get_method("softhebb")).own
    assert "largest change of the area" in locality(get_method("softhebb")).broadcast
    assert "deviation of the area's input" in locality(get_method("scff")).broadcast
    tied = replace(get_method("clapp"), objective=Objective(negatives=1, time_local=True))
    assert locality(tied).other == "W_pred transposed"


def test_back_propagation_through_a_time_local_objective_sees_one_sample_at_a_time() -> None:
    method = get_method("hinge-cpc-time-local")
    assert isinstance(method, Method)
    assert "at once" not in locality(method).other
    assert "at once" in locality(get_method("hinge-cpc")).other


def test_which_methods_have_a_hinge_and_which_see_pairs() -> None:
    images = TABLES["images"]
    without = {name for name, method in images.items() if not method.hinge}
    assert without == {
        "gim-layerwise", "gim-3", "cpc", "supervised", "supervised-greedy", "random", "lpl", "softhebb",
        "scff",
    }  # fmt: skip
    pairs = {name for name, method in images.items() if method.pairs}
    assert pairs == {name for name in images if name.startswith("clapp-pp")} | {"lpl"}
