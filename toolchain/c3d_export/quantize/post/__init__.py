"""Post-training conversion of float layers to exact integers, calibrated on a few frames."""
