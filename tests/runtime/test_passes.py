"""Bands of rows: they cover the grid, and what threads share is what one thread does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.runtime import passes
from c3d_export.runtime.bundle import Bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.passes import NAMES, Passes, bands
from c3d_export.runtime.sessions import SessionOptions

MakeFrame = Callable[..., NDArray[np.uint8]]


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 15, 16, 17, 45, 68, 135, 1024])
@pytest.mark.parametrize("columns", [1, 40, 80, 1024])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_bands_cover_the_rows_and_begin_at_even_ones(rows: int, columns: int, count: int) -> None:
    found = bands(rows, columns, count, 1000)
    assert 1 <= len(found) <= count
    assert [row for band in found for row in range(band.start, band.stop)] == list(range(rows))
    assert all(band.start % 2 == 0 and band.stop > band.start for band in found)
    # Less than two rows short, which is what an even length may cost.
    least = min(band.stop - band.start for band in found) + 2
    assert len(found) == 1 or least * columns >= 1000


def test_every_pass_is_named_so_that_a_stopwatch_times_it() -> None:
    public = {name for name, value in vars(Passes).items() if name[0] != "_" and callable(value)}
    assert set(NAMES) == public


@pytest.mark.parametrize("size", [(16 * 17, 40), (16 * 33 + 5, 33), (16 * 16 - 1, 17)], ids=str)
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_give_the_same_streams_and_frames(
    monkeypatch: pytest.MonkeyPatch,
    tiny_bundle: Bundle,
    make_frame: MakeFrame,
    size: tuple[int, int],
    threads: int,
) -> None:
    monkeypatch.setattr(passes, "LEAST", 20)
    frame = make_frame(*size, 5)
    one, many = (Codec(tiny_bundle, SessionOptions(threads=n)) for n in (1, threads))
    for quality in (1, 8):
        data = one.encode(frame, quality)
        assert many.encode(frame, quality) == data
        assert np.array_equal(many.decode(data), one.decode(data))
