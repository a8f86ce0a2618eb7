"""Super-resolution: frames are coded at a lower resolution and enlarged after decoding.

    frame -> downscale -> codec.encode -> file -> codec.decode -> up-scaler -> frame

The modules that a host needs (`resample`, `fsr`, `rcan`, `upscalers`, `pipeline`) never load torch.
"""
