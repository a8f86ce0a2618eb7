"""Bundles whose overlay somebody changed: refused with one error, whatever was changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.core.errors import BundleMemberError
from c3d_export.quantize.tables import TableBank
from c3d_export.runtime.bundle import ARRAYS, OVERLAY_ARRAYS, Bundle, parse_bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.overlay import MAX_TILES, Overlay, overlay_of

from .overlays import small_overlay, with_arrays

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Open = Callable[[Mapping[str, Array | None]], Overlay | None]
NAMES = [name.removeprefix("overlay_") for name in OVERLAY_ARRAYS]


@pytest.fixture(scope="module")
def bank(tiny_bundle: Bundle) -> TableBank:
    return TableBank(tiny_bundle.arrays["frequencies"], tiny_bundle.arrays["shapes"])


@pytest.fixture(scope="module")
def arrays(bank: TableBank) -> Arrays:
    """Those of `small_overlay`, by the names without `overlay_`."""
    made = small_overlay().arrays(bank, 8)
    return {name.removeprefix("overlay_"): array for name, array in made.items()}


@pytest.fixture(scope="module")
def opened(tiny_bytes: bytes, arrays: Arrays, bank: TableBank) -> Open:
    """opened(changes): the overlay of a bundle that has it with these arrays (None: without)."""
    tables = _arith.Tables(bank.frequencies, bank.shapes)

    def make(changes: Mapping[str, Array | None]) -> Overlay | None:
        members = {f"overlay_{name}": array for name, array in {**arrays, **changes}.items()}
        return overlay_of(parse_bundle(with_arrays(tiny_bytes, members)), tables)

    return make


def _changed(array: Array, place: int, value: int) -> Array:
    other = array.copy()
    other.flat[place] = value
    return other


def test_a_good_one(opened: Open, tiny_bundle: Bundle) -> None:
    overlay = opened({})
    assert overlay is not None
    assert (overlay.height, overlay.width, overlay.groups, len(overlay.place)) == (70, 88, 4, 5)
    assert overlay.limit.tolist() == [60, 42, 29, 21, 15, 10, 7, 5]
    assert set(tiny_bundle.arrays) == set(ARRAYS), "a bundle without one has none of the arrays"


@pytest.mark.parametrize("name", NAMES)
def test_one_that_is_missing_or_alone(opened: Open, name: str) -> None:
    with pytest.raises(BundleMemberError, match=f"overlay_{name} is missing"):
        opened({name: None})
    with pytest.raises(BundleMemberError, match="is missing"):
        opened({other: None for other in NAMES if other != name})


@pytest.mark.parametrize("name", NAMES)
def test_another_shape_or_type(opened: Open, arrays: Arrays, name: str) -> None:
    good = arrays[name]
    longer, empty = np.concatenate([good, good[-1:]]), good[:0]
    wrong = [longer, empty, good[None], good.astype("<i4"), good.astype(">f8"), good.ravel()[:1]]
    wrong += [good[:-1]] if len(good) > 1 else []
    wrong += [good[:, :-1], np.asfortranarray(longer), good.ravel()] if good.ndim == 2 else []
    for array in wrong:
        with pytest.raises(BundleMemberError):
            opened({name: array})


@pytest.mark.parametrize(
    "side", [(0, 88), (70, 0), (15, 88), (70, 15), (16385, 88), (70, 65535), (16384, 16384)]
)
def test_frames_that_cannot_be(opened: Open, side: tuple[int, int]) -> None:
    with pytest.raises(BundleMemberError, match="an overlay for frames of"):
        opened({"frame": np.array([side], "<u2")})


@pytest.mark.parametrize("side", [(63, 88), (70, 79), (16, 16)])
def test_frames_that_are_too_small_for_the_tiles(opened: Open, side: tuple[int, int]) -> None:
    with pytest.raises(BundleMemberError, match="outside the frame"):
        opened({"frame": np.array([side], "<u2")})


@pytest.mark.parametrize(("place", "value"), [(0, 4), (8, 65535), (1, 5), (9, 65535)])
def test_a_tile_outside(opened: Open, arrays: Arrays, place: int, value: int) -> None:
    with pytest.raises(BundleMemberError, match="outside the frame"):
        opened({"place": _changed(arrays["place"], place, value)})


@pytest.mark.parametrize(
    "group",
    [(1, 1, 2, 3, 4), (0, 0, 1, 3, 3), (0, 0, 2, 1, 3), (3, 2, 1, 0, 0), (0, 0, 1, 2, 65535)],
)
def test_groups_in_disorder(opened: Open, group: tuple[int, ...]) -> None:
    with pytest.raises(BundleMemberError, match="disorder"):
        opened({"group": np.array(group, "<u2")})


@pytest.mark.parametrize("value", [64, 255])
def test_a_table_that_is_none(opened: Open, arrays: Arrays, value: int) -> None:
    with pytest.raises(BundleMemberError, match="unknown tables"):
        opened({"table": _changed(arrays["table"], 7, value)})


@pytest.mark.parametrize("tail", [b"\0", b"\xff", b"\0" * 400, b"more"])
def test_a_payload_with_bytes_behind(opened: Open, arrays: Arrays, tail: bytes) -> None:
    longer = np.concatenate([arrays["payload"], np.frombuffer(tail, np.uint8)])
    with pytest.raises(BundleMemberError, match="overlay is wrong"):
        opened({"payload": longer})


def test_every_payload_that_was_cut(opened: Open, arrays: Arrays) -> None:
    size = len(arrays["payload"])
    for length in (1, 2, 3, 7, size // 2, size - 9, size - 2, size - 1):
        with pytest.raises(BundleMemberError, match="overlay is wrong"):
            opened({"payload": arrays["payload"][:length]})


def test_a_mask_that_asks_for_other_symbols(opened: Open, arrays: Arrays) -> None:
    mask = arrays["mask"]
    for wrong in (np.full_like(mask, 255), np.zeros_like(mask), mask | 1 << np.arange(32) % 8):
        with pytest.raises(BundleMemberError, match="overlay is wrong"):
            opened({"mask": wrong.astype(np.uint8)})


def _filled_up(arrays: Arrays, count: int) -> dict[str, Array | None]:
    """With tiles that touch no pixel, in the last group."""
    more = count - len(arrays["place"])
    tall = {k: np.pad(arrays[k], ((0, more), (0, 0))) for k in ("place", "mask", "table")}
    return {**tall, "group": np.pad(arrays["group"], (0, more), mode="edge")}


def test_as_many_tiles_as_there_may_be(opened: Open, arrays: Arrays) -> None:
    overlay = opened(_filled_up(arrays, MAX_TILES))
    assert overlay is not None
    assert (overlay.pixels[5:] == (0, 0, 0, 255)).all()
    with pytest.raises(BundleMemberError, match="too many tiles"):
        opened(_filled_up(arrays, MAX_TILES + 1))


def test_random_damage(tiny_bundle: Bundle, arrays: Arrays, bank: TableBank) -> None:
    """Values only: one error, or an overlay that is another one."""
    rng, tables = np.random.default_rng(6), _arith.Tables(bank.frequencies, bank.shapes)
    refused = 0
    for _ in range(400):
        damaged = {f"overlay_{name}": array.copy() for name, array in arrays.items()}
        array = damaged[f"overlay_{rng.choice(NAMES)}"]
        for _ in range(int(rng.integers(1, 4))):
            array.flat[rng.integers(array.size)] = rng.integers(np.iinfo(array.dtype).max + 1)
        try:
            overlay_of(replace(tiny_bundle, arrays={**tiny_bundle.arrays, **damaged}), tables)
        except BundleMemberError:
            refused += 1
    assert 100 < refused < 400


def test_a_codec_of_such_a_bundle_is_not_opened(
    tiny_bytes: bytes, arrays: Arrays, tiny_codec: Codec
) -> None:
    members = {f"overlay_{name}": array for name, array in arrays.items()}
    assert Codec(parse_bundle(with_arrays(tiny_bytes, members))).overlay is not None
    members["overlay_payload"] = arrays["payload"][:-1]
    with pytest.raises(BundleMemberError):
        Codec(parse_bundle(with_arrays(tiny_bytes, members)))
    assert tiny_codec.overlay is None
