"""Bundles of mbt2018-mean and mbt2018: float transforms, an exact entropy path."""
