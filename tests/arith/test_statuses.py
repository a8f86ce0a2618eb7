"""Every status of the interface can be reached, in the binding or in the C checks."""

from collections.abc import Callable

import numpy as np
import pytest

from c3d_export import _arith

from . import banks
from .reference import Table

FLAT = Table(0, (2048, 2048))
ZEROS = np.zeros(4, np.uint8)
STATE_BELOW = (0xFFFF).to_bytes(4, "little")


def bank(frequencies: list[int], minimums: list[int], sizes: list[int]) -> None:
    _arith.Tables(
        np.array(frequencies, np.uint32), np.array(minimums, np.int16), np.array(sizes, np.uint16)
    )


def payload_of(n: int) -> bytes:
    return _arith.encode(banks.compile_bank([FLAT]), np.zeros(n, np.int16), np.zeros(n, np.uint8))


def decode(payload: bytes, indexes: banks.Indexes = ZEROS) -> None:
    banks.decode(banks.compile_bank([FLAT]), payload, indexes)


def covered_escape() -> None:
    narrow = banks.compile_bank([Table(0, (2048, 2048))])
    moved = banks.compile_bank([Table(9, (2048, 2048))])
    data = _arith.encode(narrow, np.array([9], np.int16), np.zeros(1, np.uint8))
    banks.decode(moved, data, np.zeros(1, np.uint8))


CASES: dict[str, Callable[[], object]] = {
    "ERR_INDEX": lambda: decode(payload_of(4), np.array([0, 0, 1, 0], np.uint8)),
    "ERR_TRUNCATED": lambda: decode(payload_of(4)[:-1]),
    "ERR_TRAILING": lambda: decode(payload_of(4) + b"\0\0"),
    "ERR_STATE": lambda: decode(STATE_BELOW),
    "ERR_ESCAPE": covered_escape,
    "ERR_TABLES_COUNT": lambda: bank([], [], []),
    "ERR_TABLES_SIZE": lambda: bank([4096], [0], [0]),
    "ERR_TABLES_RANGE": lambda: bank([1, 1, 4094], [32767], [2]),
    "ERR_TABLES_LENGTH": lambda: bank([1, 4095, 0], [0], [1]),
    "ERR_TABLES_ZERO": lambda: bank([0, 4096], [0], [1]),
    "ERR_TABLES_SUM": lambda: bank([1, 4096], [0], [1]),
}

# A missing pointer, a full buffer, 2^28 symbols and no memory cannot come from the binding:
# test_c_library.py has them.
IN_C = {"ERR_ARGUMENT", "ERR_LENGTH", "ERR_CAPACITY", "ERR_MEMORY"}


@pytest.mark.parametrize("name", CASES)
def test_status(name: str) -> None:
    with pytest.raises(_arith.ArithError) as caught:
        CASES[name]()
    assert caught.value.status == getattr(_arith, name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) > 10


def test_no_status_is_left_out() -> None:
    names = {name for name in dir(_arith) if name.startswith("ERR_")}
    assert names == set(CASES) | IN_C
    assert sorted(getattr(_arith, name) for name in names) == list(range(1, 16))
    assert _arith.OK == 0


def test_final_state_is_checked() -> None:
    """A state one above the encoder's pulls the same symbols but does not end at 2^16."""
    payload = payload_of(4)
    state = int.from_bytes(payload[:4], "little") + 1
    with pytest.raises(_arith.ArithError) as caught:
        decode(state.to_bytes(4, "little") + payload[4:])
    assert caught.value.status == _arith.ERR_STATE


def test_encoder_checks_the_indexes() -> None:
    with pytest.raises(_arith.ArithError) as caught:
        _arith.encode(banks.compile_bank([FLAT]), np.zeros(1, np.int16), np.ones(1, np.uint8))
    assert caught.value.status == _arith.ERR_INDEX


def test_no_symbols_are_no_bytes() -> None:
    assert payload_of(0) == b""
    decode(b"", ZEROS[:0])
    with pytest.raises(_arith.ArithError) as caught:
        decode(b"\0", ZEROS[:0])
    assert caught.value.status == _arith.ERR_TRAILING
    with pytest.raises(_arith.ArithError) as caught:
        decode(b"", ZEROS)
    assert caught.value.status == _arith.ERR_TRUNCATED


def test_error_is_a_value_error() -> None:
    assert issubclass(_arith.ArithError, ValueError)
    assert _arith.ArithError("by hand").status == _arith.OK
