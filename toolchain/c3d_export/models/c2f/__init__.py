"""The coarse-to-fine family: names, and how each network is made.

Importing this loads no torch; making a network does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from .spec import SIZES, C2FSpec

if TYPE_CHECKING:
    from torch import nn


def _build(spec: C2FSpec) -> nn.Module:
    from .network import CoarseToFine

    return CoarseToFine(spec)


MODELS: Final[dict[str, Callable[[], nn.Module]]] = {
    spec.name: partial(_build, spec)
    for size in SIZES.values()
    for spec in (size, size.without_z1())
}
"""By name: a function that makes the network with fresh weights (a generator seeded before decides
them). Each size is there twice, the second time `-without-z1`."""
