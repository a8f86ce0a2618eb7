"""All kernels of this processor give the same bytes, values and statuses."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from c3d_export import _arith

from . import banks
from .reference import Table

PORTABLE = _arith.KERNEL_PORTABLE
every_kernel = pytest.mark.parametrize("kernel", banks.KERNELS)
every_lanes = pytest.mark.parametrize("lanes", banks.LANES)


class Stream(NamedTuple):
    """Values, what they are coded with, and what the portable kernel makes of them."""

    tables: list[Table]
    values: banks.Values
    indexes: banks.Indexes
    means: banks.Values | None
    payload: bytes


def stream(rng: np.random.Generator, lanes: int, n: int, escapes: float = 0.02) -> Stream:
    """Draw a stream; one bank in three is too large for the registers."""
    tables = banks.random_bank(rng, int(rng.integers(65, 257) if rng.random() < 0.33 else 9))
    values, indexes = banks.random_values(rng, tables, n, escapes)
    means = banks.random_means(rng, n) if rng.random() < 0.5 else None
    if means is not None:
        values = values + means
    compiled = banks.compile_bank(tables, PORTABLE)
    return Stream(
        tables, values, indexes, means, banks.encode(compiled, values, indexes, means, lanes)
    )


def outcome(tables: _arith.Tables, payload: bytes, s: Stream) -> tuple[int, bytes]:
    """Return the status, and the values where it is OK."""
    status = banks.status_of(tables, payload, s.indexes, s.means)
    if status != _arith.OK:
        return status, b""
    return status, banks.decode(tables, payload, s.indexes, s.means).tobytes()


def damaged(rng: np.random.Generator, payload: bytes, times: int) -> Iterator[bytes]:
    """Flip bits, cut, lengthen, and replace the payload."""
    for _ in range(times):
        changed = bytearray(payload)
        kind = rng.integers(6)
        if kind <= 2:
            changed[rng.integers(1, len(changed))] ^= 1 << int(rng.integers(8))
        elif kind == 3:
            changed = changed[: rng.integers(len(changed))]
        elif kind == 4:
            changed += rng.bytes(int(rng.integers(1, 300)))
        else:
            start = int(rng.integers(1, len(changed)))
            changed[start:] = rng.bytes(len(changed) - start)
        yield bytes(changed)


def test_kernels_that_are_there() -> None:
    assert banks.KERNELS[0] == PORTABLE
    for kernel in banks.KERNELS:
        assert banks.compile_bank([banks.FLAT], kernel).kernel == kernel
    assert banks.compile_bank([banks.FLAT]).kernel == banks.KERNELS[-1]
    missing = {_arith.KERNEL_AVX2, _arith.KERNEL_AVX512} - set(banks.KERNELS)
    for kernel in missing:
        with pytest.raises(_arith.ArithError):
            banks.compile_bank([banks.FLAT], kernel)


@every_kernel
@every_lanes
def test_same_bytes_and_values(kernel: int, lanes: int) -> None:
    rng = np.random.default_rng([lanes, 1])
    for _ in range(25):
        s = stream(rng, lanes, int(rng.integers(1, 40 * lanes + 200)), rng.choice([0, 0.02, 0.5]))
        tables = banks.compile_bank(s.tables, kernel)
        assert banks.encode(tables, s.values, s.indexes, s.means, lanes) == s.payload
        np.testing.assert_array_equal(banks.decode(tables, s.payload, s.indexes, s.means), s.values)


@every_kernel
@every_lanes
def test_same_statuses_of_damaged_payloads(kernel: int, lanes: int) -> None:
    rng = np.random.default_rng([lanes, 2])
    seen = set()
    for _ in range(12):
        s = stream(rng, lanes, int(rng.integers(1, 20 * lanes + 100)), rng.choice([0, 0.02, 0.5]))
        portable = banks.compile_bank(s.tables, PORTABLE)
        tables = banks.compile_bank(s.tables, kernel)
        for payload in damaged(rng, s.payload, 40):
            expected = outcome(portable, payload, s)
            assert outcome(tables, payload, s) == expected
            seen.add(expected[0])
    assert {_arith.OK, _arith.ERR_TRUNCATED, _arith.ERR_TRAILING, _arith.ERR_STATE} <= seen
    assert _arith.ERR_ESCAPE in seen


@every_kernel
@every_lanes
def test_same_status_of_every_prefix(kernel: int, lanes: int) -> None:
    """The end of the payload is where a kernel may read too far."""
    s = stream(np.random.default_rng([lanes, 3]), lanes, 3 * lanes + 70, 0.3)
    tables = banks.compile_bank(s.tables, kernel)
    for length in range(len(s.payload)):
        assert outcome(tables, s.payload[:length], s) == (_arith.ERR_TRUNCATED, b"")


@every_kernel
@every_lanes
def test_parts_of_other_kernels(kernel: int, lanes: int) -> None:
    """A part for each kernel in one payload: they leave and find the same states."""
    rng = np.random.default_rng([lanes, 4])
    parts = [stream(rng, lanes, int(rng.integers(0, 9 * lanes))) for _ in range(6)]
    kernels = [kernel if k % 2 else banks.KERNELS[k // 2 % len(banks.KERNELS)] for k in range(6)]
    mixed = [banks.compile_bank(p.tables, k) for p, k in zip(parts, kernels, strict=True)]
    plain = [banks.compile_bank(p.tables, PORTABLE) for p in parts]

    def encode(tables: list[_arith.Tables]) -> bytes:
        return _arith.encode(
            [(t, p.values, p.indexes, p.means) for t, p in zip(tables, parts, strict=True)], lanes
        )

    payload = encode(plain)
    assert encode(mixed) == payload
    decoder = _arith.Decoder(payload)
    for tables, part in zip(mixed, parts, strict=True):
        out = np.empty(len(part.values), np.int16)
        decoder.pull(tables, part.indexes, out, part.means)
        np.testing.assert_array_equal(out, part.values)
    decoder.finish()


@every_kernel
@pytest.mark.parametrize("fold", range(6))
@pytest.mark.parametrize("bits", range(11, 17))
def test_every_shape(kernel: int, fold: int, bits: int) -> None:
    """Each width of the frequencies, and each of the groups."""
    rng = np.random.default_rng([fold, bits])
    tables = [banks.random_table(rng, bits, fold) for _ in range(40)]
    values, indexes = banks.random_values(rng, tables, 4096, 0.05)
    portable, compiled = banks.compile_bank(tables, PORTABLE), banks.compile_bank(tables, kernel)
    payload = banks.encode(portable, values, indexes, lanes=64)
    assert banks.encode(compiled, values, indexes, lanes=64) == payload
    np.testing.assert_array_equal(banks.decode(compiled, payload, indexes), values)


@every_kernel
@pytest.mark.parametrize("count", [1, 63, 64, 65, 128, 255, 256])
def test_last_table_of_a_bank(kernel: int, count: int) -> None:
    """The tables of small banks are in registers; the last one is the farthest."""
    rng = np.random.default_rng(count)
    tables = [Table(16, 5, 511, (65536 - 2047 * 32, *[2] * 1022, 3))] * (count - 1)
    tables.append(Table(12, 1, 300, (4096 - 2 * 700, *[1] * 600, 100)))
    values, _ = banks.random_values(rng, tables[-1:], 5000, 0.1)
    indexes = np.full(5000, count - 1, np.uint8)
    portable, compiled = banks.compile_bank(tables, PORTABLE), banks.compile_bank(tables, kernel)
    payload = banks.encode(portable, values, indexes, lanes=32)
    assert banks.encode(compiled, values, indexes, lanes=32) == payload
    np.testing.assert_array_equal(banks.decode(compiled, payload, indexes), values)


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [1, 64])
def test_many_values_in_one_call(lanes: int) -> None:
    """2^26 values: sizes and offsets beyond 24 bits. The checksum stands for the values."""
    rng = np.random.default_rng(26)
    tables = [banks.gaussian_table(scale) for scale in (0.2, 1.0, 30.0)]
    period = 1_000_003  # a prime, so that the values shift against the rows
    some, names = banks.random_values(rng, tables, period, 0.001)
    values, indexes = np.resize(some, 1 << 26), np.resize(names, 1 << 26)
    expected = _arith.checksum(values)
    payloads = {
        banks.encode(banks.compile_bank(tables, k), values, indexes, lanes=lanes)
        for k in banks.KERNELS
    }
    assert len(payloads) == 1
    payload = payloads.pop()
    for kernel in banks.KERNELS:
        values.fill(0x5A5A)
        compiled = banks.compile_bank(tables, kernel)
        assert _arith.decode(compiled, payload, indexes, values) == expected
        assert _arith.checksum(values) == expected
