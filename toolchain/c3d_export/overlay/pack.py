"""The arrays of a bundle that hold an overlay: its pixels as one payload of the entropy coder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith

from ..core.digest import sha256_bytes
from ..quantize.tables import COUNT_RADIUS, TableBank
from ..runtime.overlay import PIXELS, TILE, Overlay

Bytes = NDArray[np.uint8]

UNTOUCHED: Final = (0, 0, 0, 255)
FIRST: Final = (0, 32, 0, 0)
"""What the first touched pixel of a tile is foretold as, by plane."""
TILE_BYTES: Final = 42
"""Of a bundle for a tile, besides its pixels: place, group, mask, tables."""
FIXED_BYTES: Final = 3200
"""Of a bundle for an overlay, however small: names, hashes and heads of seven arrays take 2,800,
and the coder some hundred more than the bits of its tables."""
LIFTER: Final = 1
"""To be raised when the same overlay leaves other frames."""
WORST, BEST = 60.0, 5.0
"""Mean squared errors that are taken for the same picture at the first and the last rate point:
what a codec makes there of the rest of the picture, or less."""


@dataclass(frozen=True)
class LearntOverlay:
    """size: height and width of its frames. place (N, 2), group (N), pixels (N, 256, 4): as in
    `runtime.overlay.Overlay`. shares: (G) of training frames that show each group. saved: (G) bits
    that each saves in an average frame, about."""

    size: tuple[int, int]
    place: NDArray[np.uint16]
    group: NDArray[np.uint16]
    pixels: Bytes
    shares: NDArray[np.float64]
    saved: NDArray[np.float64]

    @property
    def touched(self) -> NDArray[np.bool_]:
        """(N, 256): the pixels that are not the picture's alone."""
        return self.pixels[..., 3] < UNTOUCHED[3]

    def arrays(self, bank: TableBank, qualities: int) -> dict[str, NDArray[Any]]:
        """Array -> its values, for the bundle; bank: the tables that the bundle has."""
        symbols, counts = _symbols(self.pixels, self.touched)
        tables, _ = _cheapest_tables(bank, symbols, counts)
        indexes = np.repeat(tables.reshape(-1), counts.reshape(-1))
        coder = _arith.Tables(bank.frequencies, bank.shapes)
        payload = _arith.encode([(coder, symbols, indexes)])
        return {
            "overlay_frame": np.array([self.size], "<u2"),
            "overlay_place": self.place.astype("<u2"),
            "overlay_group": self.group.astype("<u2"),
            "overlay_mask": np.packbits(self.touched, axis=1, bitorder="little"),
            "overlay_table": tables,
            "overlay_payload": np.frombuffer(payload, np.uint8),
            "overlay_limit": limits(qualities).astype("<u2"),
        }

    @cached_property
    def _shown(self) -> Overlay:
        return Overlay(self.size, self.place, self.group, self.pixels, limits(1).astype(np.uint16))

    def lift(self, frame: Bytes) -> Bytes:
        """A frame (H, W, 3) uint8 as an encoder codes it at the first rate point."""
        return self._shown.take(np.ascontiguousarray(frame), 0)[0].copy()

    @cached_property
    def digest(self) -> str:
        """Tells overlays apart that leave other frames: all that `lift` depends on."""
        parts = (np.array(self.size, "<u4"), self.place, self.group, self.pixels)
        data = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
        return f"{LIFTER} {sha256_bytes(data)}"

    def within(self, limit: int, bank: TableBank) -> LearntOverlay | None:
        """The groups that save most for their bytes in a bundle, as many as `limit` has room for.

        None where there is no room for any.
        """
        symbols, counts = _symbols(self.pixels, self.touched)
        _, bits = _cheapest_tables(bank, symbols, counts)
        sizes = np.bincount(self.group, bits.sum(1) / 8 + TILE_BYTES)
        order = np.argsort(-self.saved / sizes, kind="stable")
        kept = _fitting(order, sizes, limit - FIXED_BYTES)
        chosen = np.isin(self.group, kept)
        if not chosen.any():
            return None
        groups = np.unique(self.group[chosen], return_inverse=True)[1].astype(np.uint16)
        rest = (self.shares[np.sort(kept)], self.saved[np.sort(kept)])
        return LearntOverlay(self.size, self.place[chosen], groups, self.pixels[chosen], *rest)


def _fitting(order: NDArray[np.int64], sizes: NDArray[Any], room: float) -> NDArray[np.int64]:
    """The first of an order for which there is room; one that is too large bars no later one."""
    kept = []
    for n in order:
        if sizes[n] <= room:
            kept.append(n)
            room -= sizes[n]
    return np.array(kept, np.int64)


def limits(qualities: int) -> NDArray[np.int64]:
    """(Q): from WORST to BEST in equal ratios."""
    return np.rint(np.geomspace(WORST, BEST, qualities)).astype(np.int64)


def _symbols(
    pixels: Bytes, touched: NDArray[np.bool_]
) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """All symbols in their order, int16, and how many each tile and plane has (N, 4)."""
    red, green, blue, keep = (six_bits(pixels[..., k]) for k in range(4))
    planes = np.stack([keep, green, red - green, blue - green], 1) & np.uint8(63)
    foretold = np.stack(
        [_foretold(planes[:, k], touched, first) for k, first in enumerate(FIRST)], 1
    )
    residuals = ((planes - foretold + 32) & 63).astype(np.int16) - 32
    wanted = np.broadcast_to(touched[:, None], residuals.shape)
    return np.ascontiguousarray(residuals[wanted]), wanted.sum(-1, dtype=np.int64)


def six_bits(values: Bytes) -> Bytes:
    """0 to 255 -> 0 to 63, the nearest; a host makes (259 v + 32) >> 6 of it."""
    six: Bytes = np.rint(values * (63 / 255)).astype(np.uint8)
    return six


def eight_bits(values: Bytes) -> Bytes:
    return ((values.astype(np.int64) * 259 + 32) >> 6).astype(np.uint8)


def _foretold(plane: Bytes, touched: NDArray[np.bool_], first: int) -> Bytes:
    """(N, 256): as native_overlay.c foretells each touched pixel from those before it."""
    grid, mask = plane.reshape(-1, TILE, TILE), touched.reshape(-1, TILE, TILE)
    left, above = np.zeros_like(grid), np.zeros_like(grid)
    has_left, has_above = np.zeros_like(mask), np.zeros_like(mask)
    left[:, :, 1:], has_left[:, :, 1:] = grid[:, :, :-1], mask[:, :, :-1]
    above[:, 1:], has_above[:, 1:] = grid[:, :-1], mask[:, :-1]
    mean = ((left.astype(np.int64) + above) // 2).astype(np.uint8)
    one = np.where(has_left, left, above)
    near = np.where(has_left & has_above, mean, one).reshape(-1, PIXELS)
    known = (has_left | has_above).reshape(-1, PIXELS)
    return np.where(known, near, _last(plane, touched, first)).astype(np.uint8)


def _last(plane: Bytes, touched: NDArray[np.bool_], first: int) -> Bytes:
    """(N, 256): the touched pixel before each one, `first` where there is none."""
    position = np.where(touched, np.arange(PIXELS), -1)
    before = np.maximum.accumulate(position, 1)[:, :-1]
    before = np.pad(before, ((0, 0), (1, 0)), constant_values=-1)
    value = np.take_along_axis(plane, np.maximum(before, 0), 1)
    return np.where(before < 0, first, value).astype(np.uint8)


def _cheapest_tables(
    bank: TableBank, symbols: NDArray[np.int16], counts: NDArray[np.int64]
) -> tuple[Bytes, NDArray[np.float64]]:
    """(N, 4): the table that codes each tile's plane in the fewest bits, and those bits."""
    bits = bank.bits
    ends = np.cumsum(counts.reshape(-1))[:-1]
    parts = np.split(symbols.astype(np.int64) + COUNT_RADIUS, ends)
    costs = np.array([bits[:, part].sum(1) for part in parts])
    best = costs.argmin(1).astype(np.uint8).reshape(counts.shape)
    return best, costs.min(1).reshape(counts.shape)
