"""Arguments of the binding: types, shapes, overlaps; and the checksums."""

import array
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from c3d_export import _arith

from . import banks

TABLES = banks.compile_bank([banks.FLAT])
VALUES = np.array([0, 0, 1, -1, 500], np.int16)
INDEXES = np.zeros(5, np.uint8)
PAYLOAD = banks.encode(TABLES, VALUES, INDEXES)

Fill = Callable[..., object]


def pull(tables: Any, data: Any, indexes: Any, out: Any, means: Any = None) -> int:
    return _arith.Decoder(data).pull(tables, indexes, out, means)


both_decoders = pytest.mark.parametrize("decode", [_arith.decode, pull])


def out() -> banks.Values:
    return np.full(5, 0x5A5A, np.int16)


@pytest.mark.parametrize("dtype", ["int32", "uint16", "float16", "int8", ">i2", "bool"])
@both_decoders
def test_values_of_another_type(dtype: str, decode: Fill) -> None:
    wrong: Any = VALUES.astype(dtype)
    with pytest.raises(TypeError, match="values must hold int16 in native byte order"):
        _arith.encode([(TABLES, wrong, INDEXES)])
    with pytest.raises(TypeError, match="means must hold int16"):
        _arith.encode([(TABLES, VALUES, INDEXES, wrong)])
    with pytest.raises(TypeError, match="out must hold int16"):
        decode(TABLES, PAYLOAD, INDEXES, wrong)
    with pytest.raises(TypeError, match="means must hold int16"):
        decode(TABLES, PAYLOAD, INDEXES, out(), wrong)
    with pytest.raises(TypeError, match="values must hold int16"):
        _arith.checksum(wrong)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "bool"])
@both_decoders
def test_indexes_of_another_type(dtype: str, decode: Fill) -> None:
    wrong: Any = INDEXES.astype(dtype)
    with pytest.raises(TypeError, match="indexes must hold uint8"):
        _arith.encode([(TABLES, VALUES, wrong)])
    with pytest.raises(TypeError, match="indexes must hold uint8"):
        decode(TABLES, PAYLOAD, wrong, out())


@pytest.mark.parametrize("dtype", ["int64", "int32", "float32", ">u4"])
def test_frequencies_of_another_type(dtype: str) -> None:
    right = np.array(banks.FLAT.frequencies, np.uint32)
    shapes = np.array(banks.shape_of(banks.FLAT), np.uint16)
    with pytest.raises(TypeError, match="frequencies must hold uint32"):
        _arith.Tables(right.astype(dtype), shapes)
    with pytest.raises(TypeError, match="shapes must hold uint16"):
        _arith.Tables(right, shapes.astype(dtype))
    with pytest.raises(TypeError, match="weights must hold uint32"):
        _arith.build_table(right.astype(dtype), 0, 1, 1, right)
    with pytest.raises(TypeError, match="out must hold uint32"):
        _arith.build_table(right, 0, 1, 1, right.astype(dtype))


def test_no_buffer() -> None:
    wrong: Any = [0, 0, 1, -1, 500]
    with pytest.raises(TypeError, match="values must support the buffer protocol"):
        _arith.encode([(TABLES, wrong, INDEXES)])
    with pytest.raises(TypeError, match="data must support the buffer protocol"):
        _arith.Decoder(wrong)
    with pytest.raises(TypeError, match="a slice must support the buffer protocol"):
        _arith.join_slices([b"", wrong])
    with pytest.raises(TypeError, match="data must hold bytes"):
        _arith.Decoder(VALUES)


@both_decoders
def test_gaps_between_the_values(decode: Fill) -> None:
    spread = np.zeros(10, np.int16)[::2]
    with pytest.raises(ValueError, match="values must be C-contiguous"):
        _arith.encode([(TABLES, spread, INDEXES)])
    with pytest.raises(ValueError, match="out must be C-contiguous"):
        decode(TABLES, PAYLOAD, INDEXES, spread)
    with pytest.raises(ValueError, match="means must be C-contiguous"):
        decode(TABLES, PAYLOAD, INDEXES, out(), spread)


@both_decoders
def test_values_at_odd_addresses(decode: Fill) -> None:
    odd = np.zeros(11, np.uint8)[1:].view(np.int16)
    with pytest.raises(ValueError, match="values must be aligned"):
        _arith.encode([(TABLES, odd, INDEXES)])
    with pytest.raises(ValueError, match="out must be aligned"):
        decode(TABLES, PAYLOAD, INDEXES, odd)


@both_decoders
def test_read_only_output(decode: Fill) -> None:
    frozen = out()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out must be writable"):
        decode(TABLES, PAYLOAD, INDEXES, frozen)
    with pytest.raises(ValueError, match="out must be writable"):
        _arith.build_table(np.ones(2, np.uint32), 0, 0, 0, memoryview(bytes(8)).cast("I"))


@both_decoders
def test_lengths_that_differ(decode: Fill) -> None:
    with pytest.raises(ValueError, match="values and indexes must have the same length, not 5"):
        _arith.encode([(TABLES, VALUES, INDEXES[:4])])
    with pytest.raises(ValueError, match="values and means must have the same length"):
        _arith.encode([(TABLES, VALUES, INDEXES, VALUES[:0])])
    with pytest.raises(ValueError, match="indexes and out must have the same length"):
        decode(TABLES, PAYLOAD, INDEXES, np.zeros(6, np.int16))
    with pytest.raises(ValueError, match="out and means must have the same length"):
        decode(TABLES, PAYLOAD, INDEXES, out(), VALUES[:4])
    with pytest.raises(ValueError, match="weights must hold below"):
        _arith.build_table(np.ones(3, np.uint32), 0, 1, 1, np.zeros(3, np.uint32))


@both_decoders
def test_output_over_an_input(decode: Fill) -> None:
    shared = np.frombuffer(bytearray(bytes(8) + PAYLOAD), np.uint8)
    with pytest.raises(ValueError, match="out and indexes must not share memory"):
        decode(TABLES, PAYLOAD, shared[5:10], shared[:10].view(np.int16))
    with pytest.raises(ValueError, match="out and data must not share memory"):
        decode(TABLES, shared[8:], INDEXES, shared[:10].view(np.int16))
    means = np.zeros(9, np.int16)
    with pytest.raises(ValueError, match="out and means must not share memory"):
        decode(TABLES, PAYLOAD, INDEXES, means[4:], means[:5])
    weights = np.ones(3, np.uint32)
    with pytest.raises(ValueError, match="out and weights must not share memory"):
        _arith.build_table(weights[1:], 0, 0, 0, weights[:2])


@pytest.mark.parametrize("part", [5, (), (TABLES, VALUES), [TABLES, VALUES, INDEXES], (1,) * 5])
def test_parts_of_another_form(part: Any) -> None:
    with pytest.raises(TypeError, match="a part must be a tuple"):
        _arith.encode([(TABLES, VALUES, INDEXES), part])
    with pytest.raises(TypeError, match="not iterable"):
        _arith.encode(5)  # type: ignore[arg-type]


class Forged:
    """Says that it is a bank."""

    __class__ = _arith.Tables  # type: ignore[assignment]


@pytest.mark.parametrize("wrong", [None, 5, Forged()])
def test_tables_of_another_type(wrong: Any) -> None:
    with pytest.raises(TypeError, match="tables must be a Tables object"):
        _arith.encode([(wrong, VALUES, INDEXES)])
    with pytest.raises(TypeError, match="tables must be a Tables object"):
        _arith.Decoder(PAYLOAD).pull(wrong, INDEXES, out())


@pytest.mark.parametrize("final", [_arith.Tables, _arith.Decoder])
def test_types_are_final(final: type) -> None:
    with pytest.raises(TypeError):
        type("Derived", (final,), {})
    with pytest.raises(TypeError):
        final.extra = 1  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        TABLES.count = 3  # type: ignore[misc]


def test_attributes() -> None:
    assert (TABLES.count, TABLES.kernel) == (1, banks.KERNELS[-1])
    assert TABLES.nbytes > 4 * 2047 // 2
    assert [_arith.kernel_available(k) for k in (-1, 0, 1, 4, 2**31 - 1)] == [0, 1, 1, 0, 0]
    assert _arith.Decoder(b"").lanes == 0
    for lanes in banks.LANES:
        assert _arith.Decoder(banks.encode(TABLES, VALUES, INDEXES, lanes=lanes)).lanes == lanes


def test_any_buffer_will_do() -> None:
    values, indexes = array.array("h", VALUES.tolist()), bytes(5)
    assert _arith.encode(part for part in [(TABLES, values, indexes, None)]) == PAYLOAD
    for data in (PAYLOAD, bytearray(PAYLOAD), memoryview(PAYLOAD)):
        for decode in (_arith.decode, pull):
            result = array.array("h", bytes(10))
            assert decode(TABLES, data, indexes, result) == _arith.checksum(values)
            assert result == values


def test_crc32c_known_answers() -> None:
    """The check value of the catalogues, and the vectors of RFC 3720, appendix B.4."""
    assert _arith.crc32c(b"123456789") == 0xE3069283
    assert _arith.crc32c(b"") == 0
    assert _arith.crc32c(bytes(32)) == 0x8A9136AA
    assert _arith.crc32c(b"\xff" * 32) == 0x62A8AB43
    assert _arith.crc32c(bytes(range(32))) == 0x46DD794E
    assert _arith.crc32c(bytes(range(31, -1, -1))) == 0x113FDB5C


@pytest.mark.parametrize("length", [100, 5000])
def test_crc32c_goes_on(length: int) -> None:
    data = np.random.default_rng(0).bytes(length)
    for cut in range(0, length + 1, max(1, length // 100)):
        assert _arith.crc32c(data[cut:], _arith.crc32c(data[:cut])) == _arith.crc32c(data)
    assert _arith.crc32c(data) != zlib.crc32(data)


def test_crc32c_of_any_array() -> None:
    numbers = np.arange(-50, 50, dtype=np.int16)
    assert _arith.crc32c(numbers) == _arith.crc32c(data=numbers.tobytes(), crc=0)
    little = numbers.astype("<i2").tobytes()
    assert _arith.checksum(values=numbers, crc=7) == _arith.crc32c(little, 7)


def test_checksum_of_decoding_goes_on() -> None:
    expected = _arith.checksum(VALUES, 0xDEADBEEF)
    assert _arith.decode(TABLES, PAYLOAD, INDEXES, out(), checksum=0xDEADBEEF) == expected
    assert _arith.Decoder(PAYLOAD).pull(TABLES, INDEXES, out(), None, 0xDEADBEEF) == expected


@pytest.mark.parametrize("crc", [-1, 2**32, 2**70])
def test_crc32c_of_a_wrong_start(crc: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        _arith.crc32c(b"", crc)
    with pytest.raises(ValueError, match="32 bits"):
        _arith.checksum(VALUES, crc)
    with pytest.raises(ValueError, match="32 bits"):
        _arith.decode(TABLES, PAYLOAD, INDEXES, out(), checksum=crc)
