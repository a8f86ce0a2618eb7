"""Slimming: which channels the network can do without, and the network without them."""
