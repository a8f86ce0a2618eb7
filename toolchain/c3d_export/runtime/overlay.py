"""What a game draws over its pictures: counters, panels, maps' frames, at the same place always.

A codec that is made for a game has it in its bundle, in tiles of 16x16 pixels. The encoder looks
which of them a frame shows, takes them out (what was below is filled in smoothly, which costs next
to nothing), and writes a bit for each group of tiles; the decoder pastes them back. Pixels can be
translucent. The arithmetic is in native_overlay.h, in integers: every host shows the same. How
overlays are learnt from frames: `c3d_export.overlay`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith, _native

from ..core.errors import BundleMemberError, StreamHeaderError
from ..core.limits import size_fault
from .bundle import TABLES, Bundle
from .geometry import Bytes
from .images import Frame
from .scratch import Scratch

TILE: Final = 16
PIXELS: Final = TILE * TILE
PLANES: Final = 4
"""Of a tile, in the order of their symbols: keep, green, red less green, blue less green."""
MAX_TILES: Final = 65535


class Overlay:
    """The overlay of one bundle; safe to share by threads.

    height, width: of the frames that have it. place: (N, 2) uint16, row and column of each tile in
    tiles. group: (N) uint16, ascending; tiles of a group come and go together, mostly. pixels:
    (N, 256, 4) uint8, red, green, blue, keep. limit: (Q) uint16, for each rate point the mean
    squared error that is taken for the same picture.
    """

    def __init__(
        self,
        size: tuple[int, int],
        place: NDArray[np.uint16],
        group: NDArray[np.uint16],
        pixels: Bytes,
        limit: NDArray[np.uint16],
    ) -> None:
        self.height, self.width = size
        self.place, self.group, self.pixels, self.limit = place, group, pixels, limit
        self.groups = int(group[-1]) + 1
        numbers = (self.height, self.width, len(place), self.groups)
        self._arguments = (place, group, pixels, *numbers)
        self._scratch = Scratch()
        self.paste(np.zeros(len(place), np.uint8), self._frame())  # raises for what does not fit

    def _frame(self) -> Frame:
        return np.zeros((self.height, self.width, 3), np.uint8)

    def find(self, frame: Frame, row: int) -> Bytes:
        """(N) uint8, 1 for each tile that the frame shows at this rate point (from 0).

        frame: uint8 (H, W, 3), contiguous; of another size than the overlay's it shows none.
        """
        flags = np.zeros(len(self.place), np.uint8)
        if frame.shape[:2] == (self.height, self.width):
            used = self._scratch.take("used", self._grid(), np.uint8)
            limit = int(self.limit[row])
            _native.overlay_choose(*self._arguments, frame, limit, used, flags)
        return flags

    def _grid(self) -> tuple[int, int]:
        return self.height // TILE, self.width // TILE

    def lift(self, frame: Frame, flags: Bytes) -> Frame:
        """The frame without the flagged tiles, which the next frame of this thread overwrites."""
        out = self._scratch.take("frame", frame.shape, np.uint8)
        np.copyto(out, frame)
        holes = self._scratch.take("holes", frame.shape[:2], np.uint8)
        room = (_native.fill_bytes(self.height, self.width),)
        cells = self._scratch.take("cells", room, np.uint8)
        _native.overlay_lift(*self._arguments, flags, out, holes, cells)
        return out

    def take(self, frame: Frame, row: int) -> tuple[Frame, bytes]:
        """The frame that is left to code at a rate point (from 0), and the flags for the stream.

        The frame itself and no flags where it shows no tile.
        """
        flags = self.find(frame, row)
        while flags.any():
            lifted = self.lift(frame, flags)
            if not _native.overlay_check(*self._arguments, frame, lifted, flags):
                return lifted, self.pack(flags)
        return frame, b""

    def paste(self, flags: Bytes, frame: Frame) -> None:
        """Puts the flagged tiles into the frame, in place."""
        _native.overlay_paste(*self._arguments, flags, frame)

    def pack(self, flags: Bytes) -> bytes:
        """The flags as they stand in a stream; none where no flag is set."""
        if not flags.any():
            return b""
        data = np.empty((2 * self.groups + len(flags) + 7) // 8, np.uint8)
        size = _native.overlay_pack(*self._arguments, flags, data)
        return data[:size].tobytes()

    def unpack(self, data: bytes, height: int, width: int) -> Bytes:
        """The flags of a stream whose frame has this size; raises StreamHeaderError."""
        if (height, width) != (self.height, self.width):
            raise StreamHeaderError(
                f"the stream has an overlay for {self.width}x{self.height} pixels, and a frame of"
                f" {width}x{height}"
            )
        flags = np.empty(len(self.place), np.uint8)
        try:
            _native.overlay_unpack(*self._arguments, data, len(data), flags)
        except ValueError as error:
            raise StreamHeaderError("the stream's overlay is not the bundle's") from error
        return flags


def overlay_of(bundle: Bundle, tables: _arith.Tables) -> Overlay | None:
    """The overlay of a bundle, if it has one; raises BundleMemberError for one that is wrong.

    tables: the bundle's bank.
    """
    arrays = bundle.arrays
    if "overlay_frame" not in arrays:
        return None
    _check(arrays, bundle.qualities)
    height, width = (int(side) for side in arrays["overlay_frame"][0])
    if size_fault(width, height) or min(height, width) < TILE:
        raise BundleMemberError(f"the bundle has an overlay for frames of {width}x{height} pixels")
    place, group = (_native_order(arrays[f"overlay_{name}"]) for name in ("place", "group"))
    limit = _native_order(arrays["overlay_limit"])
    try:
        pixels = _pixels(arrays, tables)
        return Overlay((height, width), place, group, pixels, limit)
    except (ValueError, _arith.ArithError) as error:
        raise BundleMemberError(f"the bundle's overlay is wrong: {error}") from error


def _check(arrays: Mapping[str, NDArray[Any]], qualities: int) -> None:
    """Shapes and ranges of the arrays of an overlay; raises BundleMemberError."""
    count = len(arrays["overlay_place"])
    shapes = {
        "frame": (1, 2),
        "place": (count, 2),
        "group": (count,),
        "mask": (count, PIXELS // 8),
        "table": (count, PLANES),
        "limit": (qualities,),
    }
    for name, shape in shapes.items():
        if arrays[f"overlay_{name}"].shape != shape:
            raise BundleMemberError(f"array overlay_{name} has a wrong shape")
    if count > MAX_TILES or arrays["overlay_table"].max() >= TABLES:
        raise BundleMemberError("the bundle's overlay has too many tiles or unknown tables")


def _native_order(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _pixels(arrays: Mapping[str, NDArray[Any]], tables: _arith.Tables) -> Bytes:
    """(N, 256, 4), from the payload: raises ValueError or ArithError."""
    mask, table = arrays["overlay_mask"], arrays["overlay_table"]
    touched = np.unpackbits(mask, axis=1).sum(1, dtype=np.int64)
    indexes = np.repeat(table.reshape(-1), np.repeat(touched, PLANES))
    symbols = np.empty(len(indexes), np.int16)
    decoder = _arith.Decoder(arrays["overlay_payload"].tobytes())
    decoder.pull(tables, indexes, symbols)
    decoder.finish()
    pixels = np.empty((len(mask), PIXELS, PLANES), np.uint8)
    _native.overlay_pixels(np.ascontiguousarray(mask), len(mask), symbols, len(symbols), pixels)
    return pixels
