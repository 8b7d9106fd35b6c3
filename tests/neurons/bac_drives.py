"""The four protocols of BAC firing, for the neuron without noise."""

import math

import torch

from clapp_snn.neurons.interface import Inputs
from clapp_snn.neurons.naud_sprekeler import NaudSprekelerParameters

QUIET = NaudSprekelerParameters().quiet()


def bac_drives(dt: float, dtype: torch.dtype, duration: float = 200.0) -> Inputs:
    """The four protocols, (time, protocol): 2 nA for 5 ms into the soma at 50 ms, an EPSP-like current
    (1 - exp(-t/2 ms)) exp(-t/10 ms) of peak 0.7 nA into the dendrite at 55 ms."""
    t = torch.arange(round(duration / dt), dtype=torch.float64) * dt
    soma = 2000.0 * ((t >= 50 - 1e-9) & (t < 55 - 1e-9))
    since = (t - 55).clamp(min=0)
    peak = 2 * math.log(6)
    apical = 700 * (1 - torch.exp(-since / 2)) * torch.exp(-since / 10)
    apical /= (1 - math.exp(-peak / 2)) * math.exp(-peak / 10)
    off = torch.zeros_like(t)
    return Inputs(
        torch.stack([soma, off, soma, off], 1).to(dtype),
        torch.stack([off, apical, apical, 3 * apical], 1).to(dtype),
    )
