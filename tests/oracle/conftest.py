"""The simulators, and a table of measured differences at the end of a run."""

import logging
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

HOW = "run the oracle tests with 'make oracle', which installs it (docs/howto/oracles.md)"
ROWS = pytest.StashKey[list[tuple[str, float, float]]]()

Measured = Callable[[str, float, float], None]


@pytest.fixture
def brian() -> ModuleType:
    """Brian2; the test is skipped where it is not installed."""
    module: ModuleType = pytest.importorskip("brian2", reason=f"Brian2 is missing: {HOW}")
    logging.getLogger("brian2").setLevel(logging.WARNING)
    return module


@pytest.fixture
def nest() -> Iterator[ModuleType]:
    """NEST with an empty kernel; the test is skipped where it is not installed."""
    module: ModuleType = pytest.importorskip("nest", reason=f"NEST is missing: {HOW}")
    module.verbosity = module.VerbosityLevel.ERROR
    module.ResetKernel()
    yield module
    module.ResetKernel()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Note a measured difference for the table and fail if it exceeds its tolerance."""
    rows = request.config.stash.setdefault(ROWS, [])
    test = f"{request.path.stem}, {request.node.name}"

    def note(what: str, difference: float, tolerance: float) -> None:
        rows.append((f"{test}: {what}", difference, tolerance))
        assert difference <= tolerance, f"{what}: {difference:.3g}, tolerance {tolerance:.3g}"

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print all noted differences beside their tolerances."""
    rows = terminalreporter.config.stash.get(ROWS, [])
    if rows:
        terminalreporter.section("measured differences, tolerances")
    for what, difference, tolerance in rows:
        terminalreporter.write_line(f"{difference:9.2e}  {tolerance:9.2e}  {what}")
