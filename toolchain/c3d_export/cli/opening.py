"""Opening a codec for a command: what was refused is told in a line on stderr."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import C3DWarning
from .output import note

if TYPE_CHECKING:
    from ..runtime.codec import Codec


def open_allowed(
    path: Path, device: str, flavours: tuple[str, ...], threads: int, effort: int = 1
) -> Codec:
    """flavours: those that may be used, in order; none for the device's default and no other.

    Raises as `open_codec`.
    """
    from ..runtime.codec import open_codec
    from ..runtime.known import passed_over

    with warnings.catch_warnings():
        # Python's own report of a warning has two lines and names a file.
        warnings.simplefilter("ignore", C3DWarning)
        codec = open_codec(path, device, flavour=flavours or None, threads=threads, effort=effort)
    for refusal in codec.refused:
        note(f"note: {passed_over(codec, refusal)}")
    return codec
