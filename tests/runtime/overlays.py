"""Overlays for tests, and bundles that have one."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c3d_export.core import jsonio
from c3d_export.core.digest import sha256_bytes
from c3d_export.overlay.pack import UNTOUCHED, LearntOverlay, eight_bits, six_bits
from c3d_export.quantize.tables import TableBank
from c3d_export.runtime.archive import pack_archive, unpack_archive
from c3d_export.runtime.bundle import MANIFEST, parse_bundle
from c3d_export.runtime.overlay import Overlay

HEIGHT, WIDTH = 70, 88
"""Of the frames of `small_overlay`: no multiples of 16."""


def small_overlay(seed: int = 0) -> LearntOverlay:
    """Five tiles in four groups, of opaque and tinted pixels; two are states of one tile."""
    rng = np.random.default_rng(seed)
    place = np.array([(0, 0), (0, 1), (2, 3), (2, 3), (3, 4)], np.uint16)
    group = np.array([0, 0, 1, 2, 3], np.uint16)
    pixels = np.tile(np.array(UNTOUCHED, np.uint8), (5, 256, 1))
    for tile in pixels:
        opaque, tinted = rng.random(256) < 0.3, rng.random(256) < 0.2
        tile[opaque, :3] = rng.integers(0, 256, (opaque.sum(), 3))
        tile[opaque, 3] = 0
        tile[tinted, :3] = rng.integers(0, 60, (tinted.sum(), 3))
        tile[tinted, 3] = rng.integers(20, 200, tinted.sum())
    return LearntOverlay((HEIGHT, WIDTH), place, group, pixels, np.ones(4), np.ones(4))


def shown(overlay: LearntOverlay, frame: NDArray[np.uint8], tiles: list[int]) -> NDArray[np.uint8]:
    """The frame with these tiles drawn over it, by the definition in native_overlay.h.

    Their pixels are those that a bundle holds, of six bits.
    """
    out = frame.copy()
    for n in tiles:
        (row, column), tile = overlay.place[n], eight_bits(six_bits(overlay.pixels[n]))
        area = out[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
        kept = tile[:, 3:].astype(np.int64)
        kept += kept >> 7
        below = area.reshape(256, 3).astype(np.int64)
        area[...] = np.minimum(tile[:, :3] + ((kept * below + 128) >> 8), 255).reshape(16, 16, 3)
    return out


def with_overlay(bundle: bytes, overlay: LearntOverlay) -> bytes:
    """The bundle with this overlay."""
    arrays = parse_bundle(bundle).arrays
    bank = TableBank(arrays["frequencies"], arrays["shapes"])
    return with_arrays(bundle, overlay.arrays(bank, len(arrays["step"])))


def with_arrays(bundle: bytes, arrays: Mapping[str, NDArray[Any] | None]) -> bytes:
    """The bundle with these arrays in place of its own, or without them where they are None."""
    members = unpack_archive(bundle)
    manifest = jsonio.loads(members.pop(MANIFEST), ValueError, what=MANIFEST)
    for name, array in arrays.items():
        path = f"arrays/{name}.npy"
        if array is None:
            members.pop(path, None)
            manifest["members"].pop(path, None)
            continue
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
        members[path] = buffer.getvalue()
        manifest["members"][path] = {
            "sha256": sha256_bytes(members[path]),
            "size": len(members[path]),
        }
    return pack_archive({**members, MANIFEST: jsonio.dumps(manifest)})


def opened(overlay: LearntOverlay, limit: int = 60) -> Overlay:
    """The overlay as a codec of one rate point has it, without a bundle."""
    pixels = eight_bits(six_bits(overlay.pixels))
    limits = np.array([limit], np.uint16)
    return Overlay(overlay.size, overlay.place, overlay.group, pixels, limits)


def flags_of(overlay: LearntOverlay | Overlay, tiles: Sequence[int]) -> NDArray[np.uint8]:
    """1 for each of these tiles."""
    return np.isin(np.arange(len(overlay.place)), tiles).astype(np.uint8)
