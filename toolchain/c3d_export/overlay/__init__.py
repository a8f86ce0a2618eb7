"""What a game draws over its pictures, learnt from its frames (`runtime/overlay.py` shows it)."""
