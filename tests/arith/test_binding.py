"""Arguments of the binding: types, shapes, ownership; and the checksum."""

import array
import gc
import resource
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest

from c3d_export import _arith

from . import banks
from .reference import Table

TABLES = banks.compile_bank([Table(-1, (100, 3900, 90, 6))])
SYMBOLS = np.array([0, 0, 1, -1, 500], np.int16)
INDEXES = np.zeros(5, np.uint8)
PAYLOAD = _arith.encode(TABLES, SYMBOLS, INDEXES)


@pytest.mark.parametrize("dtype", ["int32", "uint16", "float16", "int8", ">i2", "bool"])
def test_symbols_of_another_type(dtype: str) -> None:
    wrong: Any = SYMBOLS.astype(dtype)
    with pytest.raises(TypeError, match="symbols must hold int16 in native byte order"):
        _arith.encode(TABLES, wrong, INDEXES)
    with pytest.raises(TypeError, match="out must hold int16"):
        _arith.decode(TABLES, PAYLOAD, INDEXES, wrong)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "bool"])
def test_indexes_of_another_type(dtype: str) -> None:
    wrong: Any = INDEXES.astype(dtype)
    with pytest.raises(TypeError, match="indexes must hold uint8"):
        _arith.encode(TABLES, SYMBOLS, wrong)
    with pytest.raises(TypeError, match="indexes must hold uint8"):
        _arith.decode(TABLES, PAYLOAD, wrong, SYMBOLS.copy())


@pytest.mark.parametrize("position", [0, 1, 2])
def test_bank_of_another_type(position: int) -> None:
    arguments: list[Any] = [
        np.array([1, 4095], np.uint32),
        np.zeros(1, np.int16),
        np.ones(1, np.uint16),
    ]
    arguments[position] = arguments[position].astype(np.int64)
    name = ["frequencies", "minimums", "sizes"][position]
    with pytest.raises(TypeError, match=f"{name} must hold"):
        _arith.Tables(*arguments)


def test_no_buffer() -> None:
    wrong: Any = [0, 0, 1, -1, 500]
    with pytest.raises(TypeError, match="symbols must support the buffer protocol"):
        _arith.encode(TABLES, wrong, INDEXES)


def test_gaps_between_the_symbols() -> None:
    spread = np.zeros(10, np.int16)[::2]
    with pytest.raises(ValueError, match="symbols must be C-contiguous"):
        _arith.encode(TABLES, spread, INDEXES)
    with pytest.raises(ValueError, match="out must be C-contiguous"):
        _arith.decode(TABLES, PAYLOAD, INDEXES, spread)


def test_read_only_output() -> None:
    frozen = np.zeros(5, np.int16)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out must be writable"):
        _arith.decode(TABLES, PAYLOAD, INDEXES, frozen)


def test_lengths_that_differ() -> None:
    with pytest.raises(ValueError, match="symbols and indexes must have the same length, not 5"):
        _arith.encode(TABLES, SYMBOLS, INDEXES[:4])
    with pytest.raises(ValueError, match="indexes and out must have the same length"):
        _arith.decode(TABLES, PAYLOAD, INDEXES, np.zeros(6, np.int16))


def test_output_over_an_input() -> None:
    shared = np.zeros(10, np.uint8)
    with pytest.raises(ValueError, match="out and indexes must not share memory"):
        _arith.decode(TABLES, PAYLOAD, shared[:5], shared.view(np.int16))
    with pytest.raises(ValueError, match="out and data must not share memory"):
        _arith.decode(TABLES, shared, INDEXES, shared.view(np.int16))


class Forged:
    """Says that it is a bank."""

    __class__ = _arith.Tables  # type: ignore[assignment]


@pytest.mark.parametrize("wrong", [None, 5, Forged()])
def test_tables_of_another_type(wrong: Any) -> None:
    with pytest.raises(TypeError, match="tables must be a Tables object"):
        _arith.encode(wrong, SYMBOLS, INDEXES)


def test_tables_are_final() -> None:
    with pytest.raises(TypeError):
        type("Derived", (_arith.Tables,), {})
    with pytest.raises(AttributeError):
        TABLES.count = 3  # type: ignore[misc]


def test_any_buffer_will_do() -> None:
    symbols, indexes = array.array("h", SYMBOLS.tolist()), bytes(5)
    assert _arith.encode(TABLES, symbols, indexes) == PAYLOAD
    for data in (PAYLOAD, bytearray(PAYLOAD), memoryview(PAYLOAD)):
        out = array.array("h", bytes(10))
        _arith.decode(TABLES, data, indexes, out)
        assert out == symbols


def test_buffers_are_released() -> None:
    symbols, data = bytearray(10), bytearray(PAYLOAD)
    with pytest.raises(TypeError):
        _arith.encode(TABLES, symbols, INDEXES)
    with pytest.raises(_arith.ArithError):
        _arith.decode(TABLES, data[:-1], INDEXES, np.zeros(5, np.int16))
    _arith.decode(TABLES, data, INDEXES, np.zeros(5, np.int16))
    symbols.append(1)  # BufferError where a view is still open
    data.append(1)


def exercise() -> None:
    tables = banks.compile_bank([Table(-1, (100, 3900, 90, 6))] * 20)
    payload = _arith.encode(tables, SYMBOLS, INDEXES)
    banks.decode(tables, payload, INDEXES)
    assert banks.status_of(tables, payload[:-1], INDEXES) == _arith.ERR_TRUNCATED
    with pytest.raises(_arith.ArithError):
        _arith.Tables(np.zeros(2, np.uint32), np.zeros(1, np.int16), np.ones(1, np.uint16))


def test_nothing_leaks() -> None:
    """A leaked bank of 20 tables is 330 KB, so 300 of them would show as 96 MB."""
    for _ in range(20):
        exercise()
    gc.collect()
    objects = len(gc.get_objects())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(300):
        exercise()
    gc.collect()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000
    assert len(gc.get_objects()) - objects < 200


def test_nothing_traced_leaks() -> None:
    """The encoder's buffer is traced; it is mostly untouched, so the resident size is blind."""
    symbols, indexes = np.zeros(10_000, np.int16), np.zeros(10_000, np.uint8)
    _arith.encode(TABLES, symbols, indexes)
    tracemalloc.start()
    for _ in range(10):
        _arith.encode(TABLES, symbols, indexes)
    traced, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert traced < 30_000


def test_crc32c_known_answers() -> None:
    """The check value of the catalogues, and the vectors of RFC 3720, appendix B.4."""
    assert _arith.crc32c(b"123456789") == 0xE3069283
    assert _arith.crc32c(b"") == 0
    assert _arith.crc32c(bytes(32)) == 0x8A9136AA
    assert _arith.crc32c(b"\xff" * 32) == 0x62A8AB43
    assert _arith.crc32c(bytes(range(32))) == 0x46DD794E
    assert _arith.crc32c(bytes(range(31, -1, -1))) == 0x113FDB5C


def test_crc32c_goes_on() -> None:
    data = np.random.default_rng(0).bytes(100)
    for cut in range(101):
        assert _arith.crc32c(data[cut:], _arith.crc32c(data[:cut])) == _arith.crc32c(data)
    assert _arith.crc32c(data) != zlib.crc32(data)


def test_crc32c_of_any_array() -> None:
    numbers = np.arange(50, dtype=np.int16)
    assert _arith.crc32c(numbers) == _arith.crc32c(data=numbers.tobytes(), crc=0)


@pytest.mark.parametrize("crc", [-1, 2**32])
def test_crc32c_of_a_wrong_start(crc: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        _arith.crc32c(b"", crc)
