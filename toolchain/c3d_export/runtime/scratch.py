"""Arrays that are kept from frame to frame.

Fresh memory of some megabytes comes from the kernel page by page, and goes back when it is freed:
for a frame of 1280x720 that cost three milliseconds.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Scratch:
    """Arrays by name, a set for each thread; of each name only the last is kept.

    What is in an array is what its last user in this thread left there, or `fill` where it is new,
    that is, where another shape or use came before. It must not leave the call that took it.
    """

    def __init__(self) -> None:
        self._local = threading.local()

    def take(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: type[np.generic],
        fill: int = 0,
        use: tuple[int, ...] = (),
    ) -> NDArray[Any]:
        kept: dict[str, tuple[tuple[int, ...], NDArray[Any]]] = self._local.__dict__
        last, array = kept.get(name, ((), None))
        if array is None or array.shape != shape or last != use:
            array = np.full(shape, fill, dtype)
            kept[name] = use, array
        return array
