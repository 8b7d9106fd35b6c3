"""The sentence of a stream's report says which equations its synapses obey."""

import pytest

from clapp_snn.report.stream_html import purpose
from clapp_snn.training.stream_config import StreamConfig


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({}, "Eqs. 6-8"),
        ({"retro": "tied"}, "Eqs. 6-8"),
        ({"retro": "zero"}, "Eqs. 6 and 8"),
        ({"method": "clapp-zero-retro"}, "Eqs. 6 and 8"),
    ],
)
def test_contexts_learn_by_equation_7_only_where_there_is_a_retro(
    options: dict[str, str], rule: str
) -> None:
    assert f"by {rule}, one glance" in purpose(StreamConfig(**options))
