"""The C library's heap, of which Python has no switches."""

from __future__ import annotations

import ctypes
from typing import Final

# Of glibc's malloc.h: bytes from which on the top of the heap goes back to the kernel, and from
# which on an array comes from there alone. Both count: with the first alone nothing is gained.
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
MOST_KEPT: Final = (1 << 31) - 1


def keep_freed_memory() -> bool:
    """Has glibc keep what is freed, instead of handing it back to the kernel.

    Arrays of some megabytes would else be mapped anew, page fault by page fault, each time that
    one is made. Returns whether it took effect: other C libraries have no such switch.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(option, MOST_KEPT) for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD))
