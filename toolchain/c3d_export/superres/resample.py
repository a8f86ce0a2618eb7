"""Resampling on one grid: which low-resolution pixel lies where in the frame, for every method.

Pixel i of a low-resolution frame covers the pixels [i f, (i + 1) f) of the frame, f being the
factor, along both axes: centre (i + .5) f. The low-resolution sides are ceil(side / f), and what
the last pixels cover beyond the frame repeats its edge. So nothing moves by parts of a pixel,
whatever the size, and the frame is got back by enlarging exactly f times and cutting.

Factors are whole thousandths: both ends then compute the same sizes, in integers.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from PIL import Image

from ..core.errors import OptionError
from ..runtime.images import Frame, check_frame

Kernel = Image.Resampling

MIN_FACTOR: Final = 1.0
MAX_FACTOR: Final = 4.0
"""Beyond it a frame has less than a sixteenth of its pixels, and nothing is left to enlarge."""
UNIT: Final = 1000
"""Parts of 1 in which a factor is counted."""

DOWN_KERNEL: Final = Kernel.LANCZOS
"""Lanczos of 3 lobes, stretched by the factor. Against Keys' cubic, which the literature on
super-resolution takes, it keeps more: +.05 dB at .06 bpp and +.15 dB at .33 bpp, at equal rate."""


def thousandths(factor: float) -> int:
    """The factor in thousandths.

    Raises OptionError for what is outside MIN_FACTOR..MAX_FACTOR or no whole thousandth.
    """
    valid = isinstance(factor, int | float) and MIN_FACTOR <= factor <= MAX_FACTOR
    if not valid:  # NaN is neither above nor below
        raise OptionError(
            f"cannot scale by {factor}; choose a factor in {MIN_FACTOR:g}..{MAX_FACTOR:g}, such as"
            " 2, 1.7, 1.5 or 1.3"
        )
    parts = round(factor * UNIT)
    if not math.isclose(parts, factor * UNIT, rel_tol=1e-9):
        raise OptionError(f"factor {factor} has more than three decimals; round it")
    return parts


def low_side(side: int, factor: float) -> int:
    """Pixels of a low-resolution side: ceil(side / factor), at least 1. Raises OptionError."""
    return -(-side * UNIT // thousandths(factor))


def low_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Height and width of the low-resolution frame of a frame of shape (height, width, ...)."""
    return low_side(shape[0], factor), low_side(shape[1], factor)


def padded(frame: Frame, factor: float) -> Frame:
    """The frame with its lower and right edges repeated, up to what the low-resolution pixels
    cover, whole pixels: (ceil(low height * f), ceil(low width * f), 3).
    """
    parts = thousandths(factor)
    sides = [-(-low * parts // UNIT) for low in low_shape(frame.shape, factor)]
    rows, columns = sides[0] - frame.shape[0], sides[1] - frame.shape[1]
    if not rows and not columns:
        return frame
    return np.pad(frame, ((0, rows), (0, columns), (0, 0)), mode="edge")


def downscale(frame: Frame, factor: float, kernel: Kernel = DOWN_KERNEL) -> Frame:
    """A frame, uint8 (height, width, 3), made smaller with antialiasing: uint8 (*low_shape, 3).

    Pillow's resampling: kernels of continuous support, stretched by the factor, their weights
    summing to one, rounded to 8 bits. Raises OptionError, FrameShapeError.
    """
    height, width = low_shape(check_frame(frame).shape, factor)
    parts = thousandths(factor)
    box = (0.0, 0.0, width * parts / UNIT, height * parts / UNIT)
    image = Image.fromarray(padded(frame, factor))
    return np.array(image.resize((width, height), kernel, box))


def enlarge(low: Frame, shape: tuple[int, int], factor: float, kernel: Kernel) -> Frame:
    """A low-resolution frame enlarged to `shape` (height, width) by a kernel: uint8 (*shape, 3).

    Raises FrameShapeError, and OptionError unless `low` has the low_shape of `shape`.
    """
    check_low(low, shape, factor)
    parts = thousandths(factor)
    box = (0.0, 0.0, shape[1] * UNIT / parts, shape[0] * UNIT / parts)
    return np.array(Image.fromarray(low).resize((shape[1], shape[0]), kernel, box))


def check_low(low: Frame, shape: tuple[int, int], factor: float) -> None:
    """Raises OptionError unless `low` is a frame of the low_shape of `shape`; FrameShapeError."""
    wanted, found = low_shape(shape, factor), check_frame(low).shape[:2]
    if found != wanted:
        raise OptionError(
            f"a frame of {found[1]}x{found[0]} cannot become {shape[1]}x{shape[0]} at factor"
            f" {factor:g}; that needs {wanted[1]}x{wanted[0]}"
        )
