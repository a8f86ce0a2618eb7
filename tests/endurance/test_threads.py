"""One codec object and many threads; scripts/soak does a thousand round trips on each number."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from endurance.subjects import FAMILIES, OVERLAID, OWN, opened
from endurance.threads import COUNTS, share, work_of

from c3d_export.core.errors import BitMismatchError, FrameShapeError
from c3d_export.runtime.stream import peek_header

TRIPS = {
    OWN: 48,
    OVERLAID / "tiny.c3b": 96,
    FAMILIES / "mbt2018-mean" / "tiny.c3b": 48,
    FAMILIES / "mbt2018" / "tiny.c3b": 48,
    FAMILIES / "c2f" / "tiny.c3b": 32,
}


@pytest.mark.parametrize("path", TRIPS, ids=lambda path: path.parent.name)
def test_many_threads_give_the_bytes_of_one(path: Path) -> None:
    codec = opened(path, 2)
    trips = work_of(codec, path.parent)
    for count in COUNTS:
        assert share(codec, trips, count, TRIPS[path]).threads == count


def test_some_frames_show_the_overlay() -> None:
    trips = work_of(opened(OVERLAID / "tiny.c3b", 1), OVERLAID)
    assert sum(peek_header(trip.stream).has_overlay for trip in trips) == 3


def test_all_threads_take_part_and_other_bytes_are_found_out() -> None:
    codec = opened(OVERLAID / "tiny.c3b", 1)
    trips, seen, all_of_them = work_of(codec), set(), threading.Barrier(4)
    encode = codec.encode

    def together(*given: object) -> bytes:
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            all_of_them.wait(30)
        return encode(*given)  # type: ignore[arg-type]

    codec.encode = together  # type: ignore[method-assign, assignment]
    assert share(codec, trips, 4, 40).trips == 40
    assert len(seen) == 4
    codec.encode = encode  # type: ignore[method-assign]
    wrong = [*trips[1:], replace(trips[0], picture=b"another")]
    with pytest.raises(BitMismatchError, match="5 of 40 round trips on 4 threads"):
        share(codec, wrong, 4, 40)


def test_an_error_in_a_thread_is_raised() -> None:
    codec = opened(OVERLAID / "tiny.c3b", 1)
    trips = work_of(codec)
    with pytest.raises(FrameShapeError):
        share(codec, [replace(trips[0], frame=trips[0].frame[:, :, 0])], 2, 4)
