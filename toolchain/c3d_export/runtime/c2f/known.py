"""Known answers: does this host compute the integers that the exporting host computed?

As for other bundles with float transforms (`hyperprior/known.py`): the entropy path is asked with
latents made from integers alone, and a picture may differ by a little.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from c3d_export import _arith

from ..bundle import Bundle
from ..floatcodec import check_float_codec
from ..images import Frame
from ..known import integer_noise
from ..stream import HEADER_BYTES, parse_stream
from .bundle import KNOWN_SHAPE
from .codec import C2FLatents, CoarseToFineCodec, Decoded
from .prior import Ints

HEIGHT, WIDTH = KNOWN_SHAPE[:2]
ROWS, COLUMNS = 2, 2
"""Of z1; z2 and z3 have two and four times as many."""


def known_latents(bundle: Bundle) -> C2FLatents:
    """z1 and z2 over all of their ranges, z3 some units wide."""
    spec, a = bundle.manifest["spec"], bundle.arrays

    def within(name: str, seed: int) -> Ints:
        low, high = (a[f"{name}_{end}"].astype(np.int32) for end in ("low", "high"))
        scale = 2 if name == "z2" else 1
        noise = integer_noise((scale * ROWS, scale * COLUMNS, len(low)), seed).astype(np.int32)
        values: Ints = (low + noise * (high - low) // 255).astype(np.int16)
        return values

    noise = integer_noise((4 * ROWS, 4 * COLUMNS, spec["latents"]), 1).astype(np.int16)
    z3 = np.where(noise < 192, (noise - 96) >> 6, noise - 224).astype(np.int16)
    return C2FLatents(z3, within("z2", 2), within("z1", 3) if "z1_low" in a else None)


def decoded(codec: CoarseToFineCodec, latents: C2FLatents) -> Decoded:
    """As a decoder has them."""
    h1 = None if latents.z1 is None else codec.side("side2", latents.z1).h
    return Decoded(latents, codec.side("side3", latents.z2).h, h1)


def known_picture(codec: CoarseToFineCodec) -> Frame:
    """What synthesis makes of the known latents here."""
    return codec.synthesise(decoded(codec, known_latents(codec.bundle)), HEIGHT, WIDTH)


def compute_known_answers(codec: CoarseToFineCodec) -> list[dict[str, Any]]:
    """CRC-32C of all that each level gives, of the payload, of the latents that it decodes to, and
    of the picture where synthesis is integer."""
    latents = known_latents(codec.bundle)
    answers: list[dict[str, Any]] = []
    for graph, z in (("side2", latents.z1), ("side3", latents.z2)):
        if z is not None:
            out = codec.level(graph, z)
            joined = np.concatenate([part.astype(np.int32).reshape(-1) for part in out])
            answers.append({"graph": graph, "out": _arith.crc32c(joined.view(np.uint8).data)})
    stream = codec.stream_of(latents, HEIGHT, WIDTH)
    answers.append({"payload": _arith.crc32c(stream[HEADER_BYTES:])})
    got = codec.decode_latents(parse_stream(stream))
    answers.append({"latents": codec.checksum(got)})
    if codec.exact_pixels:
        answers.append({"pixels": _arith.crc32c(known_picture(codec).reshape(-1).data)})
    return answers


def check_known_answers(codec: CoarseToFineCodec) -> None:
    """Raises KnownAnswerError where one differs, BundleManifestError where one is missing, and
    BundleFormatError where the graphs do not run."""
    check_float_codec(codec, lambda: compute_known_answers(codec), lambda: known_picture(codec))
