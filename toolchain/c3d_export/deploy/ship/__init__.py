"""Shipping: bundles to folders, hosts behind ssh and registries, many at a time."""
