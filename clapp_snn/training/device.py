"""The device that a run computes on, by name."""

from typing import Literal

import torch

Device = Literal["auto", "cpu", "cuda"]


def device_of(name: str) -> torch.device:
    """The device called "auto", "cpu" or "cuda"; raises ValueError for CUDA where there is none."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device='cuda', but PyTorch finds no CUDA device; use device='cpu'.")
    return torch.device(name)
