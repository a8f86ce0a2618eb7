"""Activities: what the entropy networks see of latents (`models.network.Codec.activity`)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

STEP_ONE: Final = 256
"""Fixed-point one of the quantiser steps."""
ACTIVITY_ONE: Final = 32
"""Activity of a latent of one quantiser step."""
MAX_ACTIVITY_FACTOR: Final = 1 << 23
"""128 * MAX_ACTIVITY_FACTOR fits in int32."""


def activity_factors(step: NDArray[np.int32]) -> NDArray[np.int32]:
    """Activity of one unit of v times 65536, for quantiser steps in 1/256 unit."""
    factor = (65536 * ACTIVITY_ONE * STEP_ONE) // step.astype(np.int64)
    return np.clip(factor, 1, MAX_ACTIVITY_FACTOR).astype(np.int32)
