"""Experiments as objects: stimulus, measurement, and the published number to compare with."""
