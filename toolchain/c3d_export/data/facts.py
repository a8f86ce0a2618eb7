"""What is known of one frame without looking at it again: digests, size, signature, history."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from c3d_export.core.digest import sha256_bytes
from c3d_export.core.errors import ImageError
from c3d_export.data.history import Trace, grid_trace
from c3d_export.data.reading import decode, lossy_coding
from c3d_export.runtime.images import Frame

# Means of 16x16 areas: the mean difference of two signatures is never above that of the pixels
# (but for rounding), so that a search by it misses no near-duplicate.
SIGNATURE_SIDE: Final = 16


@dataclass(frozen=True)
class Facts:
    """One frame.

    Laws: `digest` is the SHA-256 of the file, `pixels` of the size and the pixels, so that equal
    pixels are found in files of another format; `lossy` names the coding that lost pixels (JPEG,
    WebP, or a video's), empty for none; `trace` tells of an earlier one; `signature` is the luma of
    16x16 areas, a byte each.
    """

    digest: str
    pixels: str
    width: int
    height: int
    size: int
    lossy: str
    trace: Trace
    signature: bytes

    @property
    def suspect(self) -> bool:
        """Whether pixels that no file format lost show that they were coded with loss before."""
        return bool(self.trace.step) and not self.lossy

    @classmethod
    def of_file(cls, data: bytes) -> Facts:
        """Of an image file's bytes. Raises ImageError where they cannot be read."""
        facts = cls.of_frame(decode(data), lossy_coding(data))
        return replace(facts, digest=sha256_bytes(data), size=len(data))

    @classmethod
    def of_frame(cls, frame: Frame, lossy: str) -> Facts:
        """Of pixels, uint8 (height, width, 3), that lie in no file yet."""
        height, width = frame.shape[:2]
        trace = grid_trace(frame)
        return cls("", pixel_digest(frame), width, height, 0, lossy, trace, signature_of(frame))

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Facts:
        """Raises ImageError where the entry is not one that `to_json` made."""
        try:
            facts = cls(
                digest=str(entry["sha256"]),
                pixels=str(entry["pixels"]),
                width=int(entry["width"]),
                height=int(entry["height"]),
                size=int(entry["bytes"]),
                lossy=str(entry["lossy"]),
                trace=Trace(*entry["grid"]),
                signature=base64.b64decode(entry["signature"], validate=True),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ImageError(f"an entry of the index of frames is damaged: {error}") from error
        if len(facts.signature) != SIGNATURE_SIDE**2:
            raise ImageError("an entry of the index of frames has no signature")
        return facts

    def to_json(self) -> dict[str, Any]:
        trace = self.trace
        return {
            "sha256": self.digest,
            "pixels": self.pixels,
            "width": self.width,
            "height": self.height,
            "bytes": self.size,
            "lossy": self.lossy,
            "grid": [trace.step, round(trace.share, 3), trace.votes, trace.column, trace.row],
            "signature": base64.b64encode(self.signature).decode("ascii"),
        }


def pixel_digest(frame: Frame) -> str:
    """The SHA-256, in hexadecimal, of a frame's size and pixels."""
    digest = hashlib.sha256(f"{frame.shape[1]}x{frame.shape[0]} ".encode())
    digest.update(np.ascontiguousarray(frame).data)
    return digest.hexdigest()


def luma_of(frame: Frame) -> NDArray[np.uint8]:
    """Luma, uint8 (height, width)."""
    return np.asarray(Image.fromarray(frame).convert("L"))


def signature_of(frame: Frame) -> bytes:
    side = (SIGNATURE_SIDE, SIGNATURE_SIDE)
    return Image.fromarray(frame).convert("L").resize(side, Image.Resampling.BOX).tobytes()
