"""Slimming of mbt2018 and mbt2018-mean."""
