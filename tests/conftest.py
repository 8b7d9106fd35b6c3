"""Settings of the whole suite."""

import torch

# The tensors of the tests are tiny: more threads would only wait for each other.
torch.set_num_threads(1)
