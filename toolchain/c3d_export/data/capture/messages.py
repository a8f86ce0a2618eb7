"""What the preloaded library and the receiver say to one another; docs/capture.md has it in words.

    library -> receiver   magic "C3DCAPT1", password (32 bytes)
    receiver -> library   orders (32 bytes): which frames to send
    library -> receiver   heads (48 bytes), each of a frame followed by its pixels

All numbers are little-endian. The pixels are RGBA, the lowest row first.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from typing import Final

from c3d_export.core.errors import CaptureProtocolError
from c3d_export.core.limits import size_fault
from c3d_export.data.capture.options import Pace

MAGIC: Final = b"C3DCAPT1"
PASSWORD_BYTES: Final = 32
HELLO_BYTES: Final = len(MAGIC) + PASSWORD_BYTES
CHANNELS: Final = 4

_HEAD: Final = struct.Struct("<8sIIIIQQQ")
_ORDERS: Final = struct.Struct("<IIQQII")
HEAD_BYTES: Final = _HEAD.size

_FRAME: Final = 1
_TICK: Final = 2
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True)
class Head:
    """How far a program is, and the frame that follows.

    Laws: `swaps` counts the frames that the program has finished, `time` is its clock in
    nanoseconds; `width` and `height` are 0 where no frame follows, else within the limits.
    """

    swaps: int
    time: int
    width: int
    height: int

    @property
    def pixel_bytes(self) -> int:
        return self.width * self.height * CHANNELS


def check_hello(data: bytes, password: str) -> None:
    """Raises CaptureProtocolError unless it comes from a program that we have started."""
    if not hmac.compare_digest(data, MAGIC + password.encode()):
        raise CaptureProtocolError("a stranger connected; its frames are not taken")


def pack_orders(pace: Pace) -> bytes:
    """The answer to a hello."""
    interval = 0 if pace.every else round(_SECOND / pace.fps)
    warm = round(pace.warm_seconds * _SECOND)
    return _ORDERS.pack(pace.every, pace.warm_frames, interval, warm, pace.skip_drawing, 0)


def parse_head(data: bytes) -> Head:
    """One head. Raises CaptureProtocolError for anything that our library does not send."""
    magic, kind, width, height, _, swaps, time, size = _HEAD.unpack(data)
    if magic != MAGIC or kind not in (_FRAME, _TICK):
        raise CaptureProtocolError("a program sent something else than frames; it is cut off")
    head = Head(swaps, time, width, height)
    fault = size_fault(width, height) if kind == _FRAME else ""
    if fault or size != head.pixel_bytes or (kind == _TICK and size):
        what = fault or f"{width}x{height} pixels in {size} bytes"
        raise CaptureProtocolError(f"a program sent a frame of {what}; it is cut off")
    return head
