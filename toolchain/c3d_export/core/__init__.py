"""Layer 0: errors, limits, digests, atomic files and strict JSON, on the standard library only."""
