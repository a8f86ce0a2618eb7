"""The ways to enlarge a decoded frame, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

import numpy as np

from ..core.errors import OptionError
from ..runtime.images import Frame
from .fsr import Floats, easu, rcas
from .resample import UNIT, Kernel, check_low, enlarge, thousandths


class Upscaler(Protocol):
    """Enlarges low-resolution frames on the grid of `resample`."""

    @property
    def name(self) -> str:
        """Its name in options and tables."""

    def check(self, factor: float, /) -> None:
        """Raises OptionError where it cannot enlarge by this factor."""

    def __call__(self, low: Frame, shape: tuple[int, int], factor: float, /) -> Frame:
        """The frame, uint8 (*shape, 3) RGB, of a low-resolution one, uint8 (*low_shape, 3).

        shape: height and width. Raises OptionError where sizes and factor disagree.
        """


@dataclass(frozen=True)
class KernelUpscaler:
    """A separable kernel: Keys' cubic (a = -1/2) or Lanczos of 3 lobes."""

    name: str
    kernel: Kernel

    def check(self, factor: float) -> None:
        thousandths(factor)

    def __call__(self, low: Frame, shape: tuple[int, int], factor: float) -> Frame:
        return enlarge(low, shape, factor, self.kernel)


@dataclass(frozen=True)
class FsrUpscaler:
    """AMD's FSR 1: EASU, and RCAS behind it where `sharpen`."""

    name: str
    sharpen: bool

    def check(self, factor: float) -> None:
        thousandths(factor)

    def __call__(self, low: Frame, shape: tuple[int, int], factor: float) -> Frame:
        check_low(low, shape, factor)
        scale = UNIT / thousandths(factor)
        picture = easu(_to_unit(low), shape, (shape[0] * scale, shape[1] * scale))
        return _to_bytes(rcas(picture) if self.sharpen else picture)


def _to_unit(frame: Frame) -> Floats:
    picture: Floats = frame.astype(np.float32) / np.float32(255)
    return picture


def _to_bytes(picture: Floats) -> Frame:
    levels: Floats = np.rint(picture * np.float32(255)).clip(0, 255)
    return levels.astype(np.uint8)


_FIXED: Final = (
    KernelUpscaler("bicubic", Kernel.BICUBIC),
    KernelUpscaler("lanczos", Kernel.LANCZOS),
    FsrUpscaler("fsr", sharpen=False),
    FsrUpscaler("fsr-sharp", sharpen=True),
)
FIXED: Final[Mapping[str, Upscaler]] = MappingProxyType({item.name: item for item in _FIXED})
"""Those that need no model."""
RCAN: Final = "rcan"
NAMES: Final = (*FIXED, RCAN)


def get_upscaler(name: str, model: Path | None = None, threads: int = 0) -> Upscaler:
    """The up-scaler of this name; model: the network of `rcan`, the shipped one otherwise.

    Raises OptionError for an unknown name, and what `rcan.open_rcan` raises.
    """
    if name == RCAN:
        from .rcan import open_rcan

        return open_rcan(model, threads=threads)
    if name not in FIXED:
        raise OptionError(f"unknown up-scaler {name!r}; choose from {', '.join(NAMES)}")
    return FIXED[name]
