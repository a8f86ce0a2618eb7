"""A set of decoded frames as a sequence of arrays, of which few are in memory at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, overload

from ..core.limits import MIB
from ..runtime.images import Frame
from .cropstore_file import DecodedFrame

# Pages of frames that stay in the process: 194 frames of 720p, so that small sets stay whole.
MAX_RESIDENT_BYTES: Final = 512 * MIB


class Resident:
    """The frames that were looked at last; the pages of those before are let go.

    An array in use loses nothing by it, its pages come back when they are read. For all threads.
    """

    def __init__(self, limit: int = MAX_RESIDENT_BYTES) -> None:
        self._limit, self._bytes = limit, 0
        self._frames: OrderedDict[DecodedFrame, None] = OrderedDict()
        self._lock = threading.Lock()

    def touch(self, frame: DecodedFrame) -> None:
        with self._lock:
            if frame not in self._frames:
                self._frames[frame] = None
                self._bytes += frame.nbytes
            self._frames.move_to_end(frame)
            while self._bytes > self._limit and len(self._frames) > 1:
                oldest, _ = self._frames.popitem(last=False)
                self._bytes -= oldest.nbytes
                oldest.let_go()


_RESIDENT: Final = Resident()
"""Of this process: the limit is for all sets together."""


class StoredFrames(Sequence[Frame]):
    """Frames in their files, in the order of `keys`, which name their contents.

    An item is uint8 (H, W, 3), read-only, as `DecodedFrame.pixels` has it; it raises
    DecodedFrameError. sizes: height and width of each, without looking at the pixels.
    """

    def __init__(
        self,
        keys: Sequence[str],
        files: Sequence[DecodedFrame],
        resident: Resident = _RESIDENT,
    ) -> None:
        self.keys, self._files, self._resident = tuple(keys), tuple(files), resident
        self.sizes = tuple(file.size for file in files)

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...

    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        if isinstance(index, slice):
            return [self._pixels(file) for file in self._files[index]]
        return self._pixels(self._files[index])

    def _pixels(self, file: DecodedFrame) -> Frame:
        self._resident.touch(file)
        return file.pixels()
