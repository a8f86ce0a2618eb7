"""Slices: what they hold, that threads change nothing, and that damage stays inside one."""

from __future__ import annotations

import gc
import time
import weakref
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.core.errors import LatentsChecksumError
from c3d_export.runtime.slices import (
    MOST,
    POSITIONS,
    Part,
    SliceDecoder,
    Workers,
    encode_slices,
    slice_count,
)


@pytest.fixture(scope="module")
def tables() -> _arith.Tables:
    frequencies = np.array([3000, 400, 500, 196, 1500, 300, 240, 8], np.uint32)
    return _arith.Tables(frequencies, np.array([[12, 0, 1, 1], [11, 0, 1, 1]], np.uint16))


def _part(rows: int, per_row: int, seed: int) -> Part:
    rng = np.random.default_rng(seed)
    symbols = np.rint(rng.laplace(0, 0.6, (rows, per_row))).astype(np.int16)
    return Part(symbols, rng.integers(0, 2, (rows, per_row)).astype(np.uint8), rows)


PARTS = [_part(12, 40, 1), _part(45, 70, 2), _part(45, 10, 3)]


def _decode(
    tables: _arith.Tables, slices: list[bytes], threads: int = 2
) -> list[NDArray[np.int16]]:
    decoder = SliceDecoder(tables, slices, Workers(threads))
    symbols = [decoder.pull(part.indexes, part.rows) for part in PARTS]
    decoder.finish()
    return symbols


@pytest.mark.parametrize("count", [1, 2, 3, 8, 50, 255])
def test_round_trip(tables: _arith.Tables, count: int) -> None:
    slices = encode_slices(tables, PARTS, count, Workers(2))
    assert len(slices) == count
    for part, symbols in zip(PARTS, _decode(tables, slices), strict=True):
        assert np.array_equal(part.symbols, symbols)


def test_threads_change_nothing(tables: _arith.Tables) -> None:
    alone = encode_slices(tables, PARTS, 4, Workers(1))
    assert encode_slices(tables, PARTS, 4, Workers(4)) == alone
    assert all(map(np.array_equal, _decode(tables, alone, 1), _decode(tables, alone, 4)))


def test_a_slice_holds_its_rows_of_every_part(tables: _arith.Tables) -> None:
    _, second = encode_slices(tables, PARTS, 2, Workers(1))
    cut = [(tables, p.symbols[p.rows // 2 :], p.indexes[p.rows // 2 :]) for p in PARTS]
    assert second == _arith.encode(cut)


def test_damage_stays_inside_a_slice(tables: _arith.Tables) -> None:
    slices = encode_slices(tables, PARTS, 3, Workers(1))
    slices[1] = slices[1][:1] + bytes(reversed(slices[1][1:]))
    with pytest.raises(LatentsChecksumError):
        _decode(tables, slices, 1)
    for s in (0, 2):
        decoder = SliceDecoder(tables, [slices[s]], Workers(1))
        for part in PARTS:
            rows = slice(part.rows * s // 3, part.rows * (s + 1) // 3)
            found = decoder.pull(part.indexes[rows], rows.stop - rows.start)
            assert np.array_equal(found, part.symbols[rows])
        decoder.finish()


def test_a_payload_that_goes_on_is_found_at_the_end(tables: _arith.Tables) -> None:
    slices = encode_slices(tables, PARTS, 2, Workers(1))
    with pytest.raises(LatentsChecksumError):
        _decode(tables, [slices[0], slices[1] + b"\0\0"])


def test_parts_without_symbols(tables: _arith.Tables) -> None:
    nothing = Part(np.empty((0, 4), np.int16), np.empty((0, 4), np.uint8), 0)
    slices = encode_slices(tables, [nothing, nothing], 2, Workers(2))
    assert slices == [b"", b""]
    decoder = SliceDecoder(tables, slices, Workers(2))
    assert decoder.pull(nothing.indexes, 0).shape == (0, 4)
    decoder.finish()


def test_slices_are_counted_by_the_size_of_the_frame() -> None:
    assert [slice_count(n) for n in (0, 1, 2 * POSITIONS - 1)] == [1, 1, 1]
    assert slice_count(45 * 80) == 2  # 1280x720
    assert slice_count(68 * 120) == 4  # 1920x1080
    assert slice_count(10**6) == MOST


def test_a_failing_job_waits_for_the_others() -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        Workers(3).run([fail, lambda: done.append(1), lambda: done.append(2)])
    assert sorted(done) == [1, 2]


@pytest.mark.parametrize("failing", [{0}, {1}, {2}, {0, 1, 2}])
def test_an_error_keeps_no_array_of_its_callers(failing: set[int]) -> None:
    """They are freed with it, and not when the garbage collector comes by: damaged streams, one
    after the other, would fill the memory with frames."""
    workers = Workers(3)

    def job(number: int) -> None:
        if number in failing:
            raise ValueError(number)

    def decode() -> tuple[weakref.ref[NDArray[np.int16]], object]:
        latents = np.zeros(9, np.int16)
        held = weakref.ref(latents)
        try:
            workers.run([partial(job, number) for number in range(3)])
        except ValueError as error:
            return held, error.args[0]
        pytest.fail(f"no error of the jobs, and {len(latents)} latents")

    gc.collect()
    gc.disable()
    try:
        (held, raised), begin = decode(), time.monotonic()
        assert raised == min(failing)
        while held() is not None and time.monotonic() < begin + 5:
            time.sleep(0.001)  # a thread that failed lets go of its error a moment later
        assert held() is None
    finally:
        gc.enable()
