"""The golden bundle with an overlay of random tiles. Made from their symbols, without the training
side, which not every host that runs these tests has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.runtime.bundle import TABLES, parse_bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.overlay import MAX_TILES, PIXELS, PLANES, TILE, Overlay

from .forged import GOOD, Repack, npy

Array = NDArray[Any]
Arrays = Mapping[str, Array]

LIMITS = (60, 20, 0)
"""Of the golden bundle's rate points."""


def overlay_arrays(height: int, width: int, groups: int, tiles: int = 3) -> dict[str, Array]:
    """The arrays of an overlay, by their names without `overlay_`. Groups of so many tiles each,
    some of them at the place of others where there are more than places; symbols of any size."""
    rng = np.random.default_rng(height + width + groups)
    rows, columns = height // TILE, width // TILE
    cells = np.resize(rng.permutation(rows * columns), groups * tiles)
    mask = rng.integers(0, 256, (len(cells), PIXELS // 8), np.uint8)
    table = rng.integers(0, TABLES, (len(cells), PLANES), np.uint8)
    return {
        "frame": np.array([(height, width)], "<u2"),
        "place": np.stack([cells // columns, cells % columns], 1).astype("<u2"),
        "group": np.repeat(np.arange(groups), tiles).astype("<u2"),
        "mask": mask,
        "table": table,
        "payload": _payload(mask, table, rng),
        "limit": np.array(LIMITS, "<u2"),
    }


def _payload(mask: Array, table: Array, rng: np.random.Generator) -> Array:
    touched = np.unpackbits(mask, axis=1).sum(1, dtype=np.int64)
    indexes = np.repeat(table.reshape(-1), np.repeat(touched, PLANES))
    symbols = rng.integers(-300, 300, len(indexes)).astype(np.int16)
    arrays = parse_bundle(GOOD).arrays
    tables = _arith.Tables(arrays["frequencies"], arrays["shapes"])
    return np.frombuffer(_arith.encode([(tables, symbols, indexes)]), np.uint8)


def overlaid(repack: Repack, arrays: Arrays) -> bytes:
    """The golden bundle with these arrays."""
    return repack(GOOD, {f"arrays/overlay_{name}.npy": npy(a) for name, a in arrays.items()})


def overlay_in(codec: Codec) -> Overlay:
    assert codec.overlay is not None
    return codec.overlay


def drawn(codec: Codec, frame: NDArray[np.uint8], tiles: Sequence[int]) -> NDArray[np.uint8]:
    """The frame with these tiles of the codec's overlay on it."""
    overlay, out = overlay_in(codec), frame.copy()
    overlay.paste(np.isin(np.arange(len(overlay.place)), tiles).astype(np.uint8), out)
    return out


def forged_arrays(good: Arrays) -> list[dict[str, Array]]:
    """Overlays that lack an array or have one of a wrong form or value, one fault each, and some
    that are only others."""
    found = [{k: v for k, v in good.items() if k != name} for name in good]
    found += [{name: good[name]} for name in good]
    for name, change in _changes(good):
        found.append({**good, name: change})
    return [*found, _padded(good, MAX_TILES), _padded(good, MAX_TILES + 1)]


def _padded(good: Arrays, count: int) -> dict[str, Array]:
    """With tiles that touch no pixel, in the last group."""
    more = count - len(good["place"])
    found = dict(good)
    for name in ("place", "mask", "table"):
        found[name] = np.pad(good[name], ((0, more), (0, 0)))
    found["group"] = np.pad(good["group"], (0, more), mode="edge")
    return found


def _changes(good: Arrays) -> list[tuple[str, Array]]:
    """Each array in wrong forms, then with other values."""
    found: list[tuple[str, Array]] = []
    for name, a in good.items():
        longer = np.concatenate([a, a[-1:]])
        found += [(name, longer), (name, a[:-1]), (name, a.astype("<i4")), (name, a[..., None])]
        found += [(name, a[:, :-1]), (name, a[:, 0])] if a.ndim == 2 else []
    sides = [(15, 88), (70, 15), (0, 88), (16385, 88), (70, 16385), (16384, 16384)]
    sides += [(63, 88), (70, 79), (64, 80), (72, 104), (16384, 5461)]
    found += [("frame", np.array([side], "<u2")) for side in sides]
    for name, at, value in [
        *(("place", 0, value) for value in (4, 65535)),
        *(("place", 1, value) for value in (5, 65535)),
        *(("group", 0, value) for value in (1, 65535)),
        *(("group", -1, value) for value in (0, 12, 65535)),
        *(("table", 5, value) for value in (0, 64, 255)),
        *(("mask", 7, value) for value in (0, 255)),
        *(("payload", 0, value) for value in (0, 1, 255)),
        *(("payload", 60, value) for value in (0, 255)),
        *(("limit", 0, value) for value in (0, 65535)),
    ]:
        changed = good[name].copy()
        changed.flat[at] = value
        found.append((name, changed))
    payload = good["payload"]
    found += [("payload", other) for other in (np.resize(payload, 2 * len(payload)), payload[:3])]
    found += [("payload", payload[:0]), ("mask", good["mask"] * 0), ("group", good["group"][::-1])]
    return found
