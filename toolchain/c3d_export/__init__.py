"""Small neural image codecs, each made for the frames of one application.

    codec = c3d_export.open_codec("supertuxkart-small.c3b")
    blob = codec.encode(frame, quality=4)      # frame: uint8, (H, W, 3), RGB
    frame = codec.decode(blob)

Codecs that were installed (`c3d-export install`) are opened by name, and switched between frames:

    store = c3d_export.open_store()
    encoder, decoder = store.encoder("supertuxkart-small"), store.decoder()
    frame = decoder.decode(encoder.encode(frame, quality=4))

Nothing is loaded before it is asked for: importing the package costs nothing, and the host side
never needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime.codec import open_codec
    from .runtime.store.store import open_store

__version__ = "0.1.0"
__all__ = ["__version__", "open_codec", "open_store"]


def __getattr__(name: str) -> object:
    if name == "open_codec":
        from .runtime.codec import open_codec

        return open_codec
    if name == "open_store":
        from .runtime.store.store import open_store

        return open_store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
