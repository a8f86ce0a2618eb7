"""Activities: what the entropy networks see of latents (`models.network.Codec.activity`)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

STEP_ONE: Final = 256
"""Fixed-point one of the quantiser steps."""
ACTIVITY_ONE: Final = 32
"""Activity of a latent of one quantiser step."""
RAW_CHANNELS: Final = 16
"""The first latents, mean colours among them, keep their values: neighbours predict each other, and
a companded mean colour is but dark or bright (docs/models.md)."""
FACTOR_ONE: Final = 65536
"""Fixed-point one of the factors."""
MAX_ACTIVITY_FACTOR: Final = 1 << 23
"""128 * MAX_ACTIVITY_FACTOR fits in int32: steps below a quarter of a unit count as that much."""


def activity_factors(step: NDArray[np.int32]) -> NDArray[np.int32]:
    """Activity of one unit of v times FACTOR_ONE, for quantiser steps in 1/256 unit."""
    factor = (FACTOR_ONE * ACTIVITY_ONE * STEP_ONE) // step.astype(np.int64)
    return np.clip(factor, 1, MAX_ACTIVITY_FACTOR).astype(np.int32)
