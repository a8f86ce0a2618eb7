"""Slimming of the published networks: what is the same for all families."""
