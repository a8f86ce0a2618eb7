"""Learnt overlays as arrays of a bundle, and as many of their groups as there is room for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.deploy.bundle import Export, Provenance
from c3d_export.overlay.pack import (
    BEST,
    FIXED_BYTES,
    UNTOUCHED,
    WORST,
    LearntOverlay,
    eight_bits,
    limits,
    six_bits,
)
from c3d_export.quantize.tables import TableBank, build_tables
from c3d_export.runtime.bundle import OVERLAY_ARRAYS, Bundle, parse_bundle
from c3d_export.runtime.overlay import Overlay, overlay_of

from ..runtime.overlays import flags_of, shown, small_overlay, with_overlay

Bytes = NDArray[np.uint8]
MakeFrame = Callable[..., Bytes]


@pytest.fixture(scope="module")
def bank(tiny_bundle: Bundle) -> TableBank:
    """Tables that were fitted to frames."""
    return TableBank(tiny_bundle.arrays["frequencies"], tiny_bundle.arrays["shapes"])


def _read(bundle: Bundle) -> Overlay:
    tables = _arith.Tables(bundle.arrays["frequencies"], bundle.arrays["shapes"])
    overlay = overlay_of(bundle, tables)
    assert overlay is not None
    return overlay


def _expected(learnt: LearntOverlay) -> Bytes:
    """The pixels that a host has: of six bits, where they are touched."""
    pixels = eight_bits(six_bits(learnt.pixels))
    pixels[~learnt.touched] = UNTOUCHED
    return pixels


def test_six_bits_are_within_two_grey_levels() -> None:
    every = np.arange(256, dtype=np.uint8)
    back = eight_bits(six_bits(every))
    assert (back[0], back[255]) == (0, 255)
    assert (np.diff(back.astype(int)) >= 0).all()
    assert np.abs(back.astype(int) - every).max() <= 2
    assert np.array_equal(eight_bits(six_bits(back)), back)


def test_a_bundle_holds_what_was_learnt(tiny_bytes: bytes) -> None:
    learnt = small_overlay(3)
    read = _read(parse_bundle(with_overlay(tiny_bytes, learnt)))
    assert (read.height, read.width) == learnt.size
    assert np.array_equal(read.place, learnt.place)
    assert np.array_equal(read.group, learnt.group)
    assert np.array_equal(read.pixels, _expected(learnt))
    assert read.limit.tolist() == limits(8).tolist()


def _of_bank(learnt: LearntOverlay, bundle: Bundle, bank: TableBank) -> Overlay:
    """As a bundle of these tables would have it, without the file."""
    arrays: dict[str, Any] = {**bundle.arrays, **learnt.arrays(bank, bundle.qualities)}
    return _read(replace(bundle, arrays=arrays))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from([0.0, 0.02, 0.4, 0.9, 1.0]), st.integers(1, 255))
def test_any_pixels_come_back(
    tiny_bundle: Bundle, bank: TableBank, seed: int, share: float, spread: int
) -> None:
    """Smooth and wild ones, all or none of a tile touched."""
    rng, learnt = np.random.default_rng(seed), small_overlay()
    pixels = np.cumsum(rng.integers(-spread, spread + 1, (5, 256, 4)), 1).astype(np.uint8)
    pixels[..., 3] = np.minimum(pixels[..., 3], 254)
    pixels[rng.random((5, 256)) >= share] = UNTOUCHED
    learnt = replace(learnt, pixels=pixels)
    assert np.array_equal(_of_bank(learnt, tiny_bundle, bank).pixels, _expected(learnt))


def test_arrays_are_the_same_each_time(bank: TableBank) -> None:
    first, second = (small_overlay(1).arrays(bank, 3) for _ in range(2))
    assert set(first) == set(OVERLAY_ARRAYS)
    for name, array in first.items():
        assert array.tobytes() == second[name].tobytes(), name
        assert (array.dtype.str, array.ndim) == OVERLAY_ARRAYS[name]


def test_limits_fall_from_the_first_rate_point_to_the_last() -> None:
    for qualities in (2, 3, 8, 255):
        found = limits(qualities)
        assert (found[0], found[-1]) == (WORST, BEST)
        assert (np.diff(found) <= 0).all()
    assert limits(1).tolist() == [WORST]


def test_training_sees_what_the_encoder_codes(make_frame: MakeFrame) -> None:
    """At the first rate point, and with the learnt pixels of eight bits."""
    learnt = small_overlay(2)
    whole = Overlay(
        learnt.size, learnt.place, learnt.group, learnt.pixels, limits(1).astype(np.uint16)
    )
    frame = shown(learnt, make_frame(*learnt.size, 4), [0, 1, 2])
    wanted = whole.lift(frame, flags_of(whole, [0, 1, 2]))
    assert np.array_equal(learnt.lift(frame), wanted)
    other = make_frame(33, 40)
    assert np.array_equal(learnt.lift(other), other)
    assert learnt.lift(other) is not other


def _many(groups: int = 12, tiles: int = 3) -> LearntOverlay:
    """Groups that cost about the same, and save more or less."""
    rng = np.random.default_rng(9)
    count = groups * tiles
    place = np.stack(np.unravel_index(np.arange(count), (8, 8)), 1).astype(np.uint16)
    pixels = np.zeros((count, 256, 4), np.uint8)
    pixels[..., :3] = rng.integers(0, 256, (count, 256, 3))
    numbers = np.repeat(np.arange(groups), tiles).astype(np.uint16)
    saved = rng.permutation(groups).astype(float) * 100 + 50
    return LearntOverlay((128, 128), place, numbers, pixels, np.linspace(0.1, 1, groups), saved)


def test_the_limit_is_kept_in_real_bytes_and_the_most_valuable_groups_stay(
    tiny_bytes: bytes, bank: TableBank
) -> None:
    learnt = _many()
    found = []
    for limit in range(6_000, 40_000, 4_000):
        kept = learnt.within(limit, bank)
        assert kept is not None
        grown = len(with_overlay(tiny_bytes, kept)) - len(tiny_bytes)
        assert grown <= limit
        assert grown > limit - 3_000 or len(kept.saved) == 12, "room is used"
        best = np.sort(learnt.saved)[-len(kept.saved) :]
        assert np.array_equal(np.sort(kept.saved), best)
        found.append(len(kept.saved))
    assert found == sorted(set(found)) or found[-1] == 12


def test_what_is_kept_is_a_part_in_its_order(bank: TableBank) -> None:
    learnt = _many()
    kept = learnt.within(15_000, bank)
    assert kept is not None
    assert 1 < len(kept.saved) < 12
    old = np.flatnonzero(np.isin(learnt.saved, kept.saved))
    rows = np.isin(learnt.group, old)
    assert np.array_equal(kept.saved, learnt.saved[old])
    assert np.array_equal(kept.shares, learnt.shares[old])
    assert np.array_equal(kept.pixels, learnt.pixels[rows])
    assert np.array_equal(kept.place, learnt.place[rows])
    assert kept.group.tolist() == np.repeat(np.arange(len(old)), 3).tolist()
    assert kept.group.dtype == np.uint16
    Overlay(kept.size, kept.place, kept.group, kept.pixels, limits(1).astype(np.uint16))


def test_a_group_that_saves_less_for_its_bytes_goes_first(bank: TableBank) -> None:
    """Two small groups before a large one that saves a little more than each."""
    learnt = _many(3, 6)
    numbers = np.repeat([0, 1, 2], [1, 1, 16]).astype(np.uint16)
    learnt = replace(learnt, group=numbers, saved=np.array([100.0, 101.0, 150.0]))
    kept = learnt.within(FIXED_BYTES + 3_000, bank)
    assert kept is not None
    assert kept.saved.tolist() == [100, 101]


def test_a_group_that_is_too_large_bars_no_other(bank: TableBank) -> None:
    learnt = _many(3, 6)
    numbers = np.repeat([0, 1, 2], [1, 1, 16]).astype(np.uint16)
    learnt = replace(learnt, group=numbers, saved=np.array([10.0, 11.0, 9000.0]))
    kept = learnt.within(FIXED_BYTES + 3_000, bank)
    assert kept is not None
    assert kept.saved.tolist() == [10, 11]


@pytest.mark.parametrize("limit", [0, 1, FIXED_BYTES, FIXED_BYTES + 200])
def test_no_room_for_any(bank: TableBank, limit: int) -> None:
    assert _many().within(limit, bank) is None


def test_the_limit_holds_in_a_written_bundle(tiny_export: Export) -> None:
    """Its tables are fitted to frames, and groups were chosen before by Gaussian ones."""
    provenance = Provenance("tiny")
    for limit in (8_000, 20_000):
        kept = _many().within(limit, build_tables())
        assert kept is not None
        sizes = [
            len(replace(tiny_export, overlay=overlay).bundle(provenance, []))
            for overlay in (None, kept)
        ]
        assert 0 < sizes[1] - sizes[0] <= limit
