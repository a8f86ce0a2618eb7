"""What every coder is measured through: numpy arrays to bytes, and bytes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.int16]


@dataclass(frozen=True)
class Job:
    """One coder set up for one sample.

    `decode` returns whatever the coder hands out; `values` makes an array of it, outside of the
    measured time, to compare it with `expected`. `fast` coders take part in all rounds.
    """

    name: str
    encode: Callable[[], bytes]
    decode: Callable[[bytes], Any]
    expected: Values
    values: Callable[[Any], NDArray[Any]] = np.asarray
    note: str = ""

    def verify(self) -> bytes:
        """The payload, once it is known to decode to what was encoded."""
        payload = self.encode()
        if not np.array_equal(self.values(self.decode(payload)), self.expected):
            raise RuntimeError(f"{self.name} does not decode what it encoded")
        return payload
