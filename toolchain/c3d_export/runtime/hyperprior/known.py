"""Known answers: does this host compute the integers that the exporting host computed?

The entropy path is asked with latents made from integers alone, since the float analysis gives
others on every host. Float synthesis is asked too: its picture may differ a little, and not more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from c3d_export import _arith

from ..bundle import Bundle
from ..floatcodec import check_float_codec
from ..images import Frame
from ..known import integer_noise
from ..stream import HEADER_BYTES, parse_stream
from .bundle import KNOWN_SHAPE
from .codec import HyperpriorCodec
from .context import Ints

HEIGHT, WIDTH = KNOWN_SHAPE[:2]
ROWS, COLUMNS = -(-HEIGHT // 16), -(-WIDTH // 16)


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


def compute_known_answers(codec: HyperpriorCodec) -> list[dict[str, Any]]:
    """CRC-32C of what h_s gives, of the payload, of the latents that it decodes to, and of the
    picture where synthesis is integer."""
    y, z = known_latents(codec.bundle)
    out = codec.hyper(z, ROWS, COLUMNS).astype(np.int32)
    stream = codec.stream_of(codec.code(y, z), HEIGHT, WIDTH)
    decoded = codec.decode_latents(parse_stream(stream))
    answers: list[dict[str, Any]] = [
        {"graph": "h_s", "out": _arith.crc32c(np.ascontiguousarray(out))},
        {"payload": _arith.crc32c(stream[HEADER_BYTES:])},
        {"latents": _arith.crc32c(np.ascontiguousarray(decoded))},
    ]
    if codec.exact_pixels:
        answers.append({"pixels": _arith.crc32c(known_picture(codec).reshape(-1).data)})
    return answers


def check_known_answers(codec: HyperpriorCodec) -> None:
    """Raises KnownAnswerError where one differs, BundleManifestError where one is missing, and
    BundleFormatError where the graphs do not run."""
    check_float_codec(codec, lambda: compute_known_answers(codec), lambda: known_picture(codec))
