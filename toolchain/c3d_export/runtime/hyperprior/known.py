"""Known answers: does this host compute the integers that the exporting host computed?

The entropy path is asked with latents made from integers alone, since the float analysis gives
others on every host. Synthesis is float too: its picture may differ a little, and not more.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith

from ...core.errors import BundleFormatError, BundleManifestError, C3DError, KnownAnswerError
from ..bundle import Bundle
from ..images import Frame
from ..known import integer_noise
from ..sessions import SessionOptions
from ..stream import HEADER_BYTES, latents_checksum, pack_stream, parse_stream
from .bundle import KNOWN_SHAPE
from .codec import HyperpriorCodec, HyperpriorLatents
from .context import Ints

HEIGHT, WIDTH = KNOWN_SHAPE[:2]
ROWS, COLUMNS = -(-HEIGHT // 16), -(-WIDTH // 16)
MOST_DIFFERENCE: Final = 4
"""Grey levels by which a pixel may differ: float convolutions are off by far less than one, which
rounding may make one; a broken kernel is off by dozens."""


def known_latents(bundle: Bundle) -> tuple[NDArray[np.float32], Ints]:
    """y (5, 7, M) in quarters, a few units wide, and z (2, 2, N) over all of its range."""
    y = integer_noise((ROWS, COLUMNS, bundle.latents), 1).astype(np.float32)
    y = np.where(y < 160, (y - 80) / 64, (y - 208) / 4).astype(np.float32)
    low, high = (bundle.arrays[name].astype(np.int32) for name in ("z_low", "z_high"))
    noise = integer_noise((-(-ROWS // 4), -(-COLUMNS // 4), bundle.hyper), 2).astype(np.int32)
    return y, (low + noise * (high - low) // 255).astype(np.int16)


def known_picture(codec: HyperpriorCodec) -> Frame:
    """What synthesis makes of the known latents here."""
    return codec.synthesise(codec.code(*known_latents(codec.bundle)).y_hat, HEIGHT, WIDTH)


def _stream(codec: HyperpriorCodec, latents: HyperpriorLatents) -> bytes:
    crc = latents_checksum(latents.z, latents.y_hat.view(np.uint8))
    slices = codec.packed(latents)
    return pack_stream(
        quality=1, width=WIDTH, height=HEIGHT, codec_id=codec.id, slices=slices, latents_crc=crc
    )


def compute_known_answers(codec: HyperpriorCodec) -> list[dict[str, Any]]:
    """CRC-32C of what h_s gives, of the payload, and of the latents that it decodes to."""
    y, z = known_latents(codec.bundle)
    out = codec.hyper(z, ROWS, COLUMNS).astype(np.int32)
    stream = _stream(codec, codec.code(y, z))
    decoded = codec.decode_latents(parse_stream(stream))
    return [
        {"graph": "h_s", "out": _arith.crc32c(np.ascontiguousarray(out))},
        {"payload": _arith.crc32c(stream[HEADER_BYTES:])},
        {"latents": _arith.crc32c(np.ascontiguousarray(decoded))},
    ]


def check_known_answers(codec: HyperpriorCodec) -> None:
    """Raises KnownAnswerError where one differs, BundleManifestError where one is missing, and
    BundleFormatError where the graphs do not run."""
    wanted = codec.bundle.manifest.get("known_answers")
    subjects = [["graph", "out"], ["payload"], ["latents"]]
    if not isinstance(wanted, list) or [sorted(a) for a in wanted] != subjects:
        raise BundleManifestError("the bundle's known answers are not complete; get it again")
    try:
        answers, shown = compute_known_answers(codec), known_picture(codec)
    except (C3DError, MemoryError):
        raise
    except Exception as error:  # graphs that contradict the manifest fail in many places
        raise BundleFormatError(f"the bundle's graphs do not run: {error}") from error
    for answer, other in zip(answers, wanted, strict=True):
        if answer != other:
            raise _differs(codec, f"first in the {next(iter(answer))}")
    off = np.abs(shown.astype(np.int16) - codec.bundle.arrays["known_frame"]).max()
    if off > MOST_DIFFERENCE:
        raise _differs(codec, f"a decoded pixel by {off} grey levels")


def _differs(codec: HyperpriorCodec, what: str) -> KnownAnswerError:
    return KnownAnswerError(
        f"this host computes other numbers than the bundle was made with (device"
        f" {codec.sessions.options.device}, {what}); choose another device, and run c3d-export"
        " doctor"
    )


def open_hyperprior(bundle: Bundle, options: SessionOptions) -> HyperpriorCodec:
    """The codec of a bundle, its known answers checked."""
    codec = HyperpriorCodec(bundle, options)
    check_known_answers(codec)
    return codec
