"""Slimming of the coarse-to-fine networks."""
