"""Layer 3: what a codec reaches beside ordinary ones: metrics, baselines, reports, pictures."""
