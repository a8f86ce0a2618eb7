"""Bundles of coarse-to-fine networks: exact latents, float transforms, no torch."""
