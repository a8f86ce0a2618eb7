"""The rANS entropy coder and the CRC-32C of the streams (C extension)."""

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

class ArithError(ValueError):
    """Wrong tables or a payload that cannot be coded; status is one of the ERR_ constants."""

    status: int

@final
class Tables:
    """An immutable bank of frequency tables."""

    def __new__(cls, frequencies: Array, minimums: Array, sizes: Array) -> Tables: ...
    @property
    def count(self) -> int: ...

def encode(tables: Tables, symbols: Array, indexes: Array) -> bytes: ...
def decode(tables: Tables, data: Array, indexes: Array, out: Array) -> None: ...
def crc32c(data: Array, crc: int = 0) -> int: ...
