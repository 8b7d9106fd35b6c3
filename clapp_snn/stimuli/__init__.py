"""Data sets and their augmentation. Knows nothing of networks."""
