"""The rANS entropy coder and the CRC-32C of the streams (C extension)."""

from collections.abc import Iterable
from typing import Any, Final, TypeAlias, final

import numpy.typing as npt
from typing_extensions import Buffer

# The stubs of numpy call its arrays buffers from Python 3.12 on only.
Array: TypeAlias = Buffer | npt.NDArray[Any]

OK: Final[int]
ERR_ARGUMENT: Final[int]
ERR_LENGTH: Final[int]
ERR_INDEX: Final[int]
ERR_CAPACITY: Final[int]
ERR_TRUNCATED: Final[int]
ERR_TRAILING: Final[int]
ERR_STATE: Final[int]
ERR_ESCAPE: Final[int]
ERR_TABLES_COUNT: Final[int]
ERR_TABLES_SIZE: Final[int]
ERR_TABLES_RANGE: Final[int]
ERR_TABLES_LENGTH: Final[int]
ERR_TABLES_ZERO: Final[int]
ERR_TABLES_SUM: Final[int]
ERR_MEMORY: Final[int]
ERR_TABLES_UNITS: Final[int]
ERR_LANES: Final[int]
ERR_KERNEL: Final[int]
ERR_VERSION: Final[int]
ERR_SLICES: Final[int]
ERR_CHECKSUM: Final[int]

KERNEL_AUTO: Final[int]
KERNEL_PORTABLE: Final[int]
KERNEL_AVX2: Final[int]
KERNEL_AVX512: Final[int]

MAX_TABLES: Final[int]
MIN_BITS: Final[int]
MAX_BITS: Final[int]
MAX_FOLD: Final[int]
MAX_GROUPS: Final[int]
MAX_UNITS: Final[int]
MAX_LANES: Final[int]
MAX_SLICES: Final[int]

class ArithError(ValueError):
    """Wrong tables or a payload that cannot be coded; status is one of the ERR_ constants."""

    status: int

@final
class Tables:
    """An immutable bank of frequency tables."""

    def __new__(cls, frequencies: Array, shapes: Array, kernel: int = ...) -> Tables: ...
    @property
    def count(self) -> int: ...
    @property
    def kernel(self) -> int: ...
    @property
    def nbytes(self) -> int: ...

@final
class Decoder:
    """A payload that is decoded part by part."""

    def __new__(cls, data: Array) -> Decoder: ...
    @property
    def lanes(self) -> int: ...
    def pull(
        self,
        tables: Tables,
        indexes: Array,
        out: Array,
        means: Array | None = None,
        checksum: int = 0,
    ) -> int: ...
    def finish(self) -> None: ...

Part: TypeAlias = tuple[Tables, Array, Array] | tuple[Tables, Array, Array, Array | None]

def encode(parts: Iterable[Part], lanes: int = 0) -> bytes: ...
def decode(
    tables: Tables,
    data: Array,
    indexes: Array,
    out: Array,
    means: Array | None = None,
    checksum: int = 0,
) -> int: ...
def build_table(weights: Array, fold: int, below: int, above: int, out: Array) -> int: ...
def join_slices(slices: Iterable[Array]) -> bytes: ...
def split_slices(data: Array) -> list[tuple[int, int]]: ...
def check_slice(data: Array, position: int) -> None: ...
def crc32c(data: Array, crc: int = 0) -> int: ...
def checksum(values: Array, crc: int = 0) -> int: ...
def kernel_available(kernel: int) -> bool: ...
