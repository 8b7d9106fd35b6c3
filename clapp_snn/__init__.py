"""CLAPP (contrastive, local and predictive plasticity) in rate-coded and spiking form."""

__version__ = "0.1.0"
