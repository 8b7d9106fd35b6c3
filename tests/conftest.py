"""Settings of the whole suite."""

import hypothesis
import torch

# The tensors of the tests are tiny: more threads would only wait for each other.
torch.set_num_threads(1)

# A busy machine is no defect of the code.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
