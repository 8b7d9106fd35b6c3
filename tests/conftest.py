"""Settings of the whole suite."""

import hypothesis
import pytest
import torch

# The tensors of the tests are tiny: more threads would only wait for each other.
torch.set_num_threads(1)

# A busy machine is no defect of the code.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """What draws from the global stream (weights of other packages' layers) is the same in any order."""
    torch.manual_seed(0)
