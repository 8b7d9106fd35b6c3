"""Monitors: what neurons, scores, modulators and weights did, kept within a stated amount of memory."""
