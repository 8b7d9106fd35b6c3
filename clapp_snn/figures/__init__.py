"""Every picture, one function a figure; they draw what they are given and compute nothing."""
