"""From a coarse-to-fine network to a bundle, and the proof that its latents are exact."""
