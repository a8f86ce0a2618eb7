"""The networks of Minnen et al. 2018 as CompressAI trains and saves them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from .spec import SPECS

if TYPE_CHECKING:
    from torch import nn


def _build(name: str) -> nn.Module:
    from .network import build_network

    return build_network(SPECS[name])


MODELS: dict[str, Callable[[], nn.Module]] = {name: partial(_build, name) for name in SPECS}
"""`mbt2018-mean`, `mbt2018` (quality 4), and each with `-1` to `-8` behind it."""
