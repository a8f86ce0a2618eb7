"""How the learning rate falls over a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

LATE = 0.3
"""Share of a run over which a `late` decay falls; before that the rate is constant."""


def _cosine(done: float) -> float:
    return 0.5 + 0.5 * math.cos(math.pi * done)


def _linear(done: float) -> float:
    return 1.0 - done


def _late(done: float) -> float:
    """Constant, then 1 - sqrt: Hagele et al., "Scaling laws and compute-optimal training beyond
    fixed training durations", 2024.
    """
    return 1.0 - math.sqrt(max(0.0, (done - 1.0) / LATE + 1.0))


DECAYS: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {"cosine": _cosine, "linear": _linear, "late": _late}
)
"""Share of the learning rate after a share of the run, 0..1; all end at zero."""
