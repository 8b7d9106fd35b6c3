"""Training: the loop, distribution, checkpoints, metrics and progress."""
