"""Who computes the heavy sums."""

from typing import Literal

Engine = Literal["torch", "compiled", "native"]
"""PyTorch operators; the same, elementwise parts fused by torch.compile; or the float32 CPU kernels."""
