"""Small neural image codecs, each made for the frames of one application.

    codec = c3d_export.open_codec("supertuxkart-small.c3b")
    blob = codec.encode(frame, quality=4)      # frame: uint8, (H, W, 3), RGB
    frame = codec.decode(blob)

Nothing is loaded before it is asked for: importing the package costs nothing, and the host side
never needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime.codec import open_codec

__version__ = "0.1.0"
__all__ = ["__version__", "open_codec"]


def __getattr__(name: str) -> object:
    if name == "open_codec":
        from .runtime.codec import open_codec

        return open_codec
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
