"""Golden streams of the families with float transforms: what must come out of them for ever."""

from __future__ import annotations

import hashlib
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from c3d_export.core.digest import sha256_bytes
from c3d_export.runtime.c2f.codec import Decoded
from c3d_export.runtime.floatcodec import FloatCodec
from c3d_export.runtime.hyperprior.codec import Pulled
from c3d_export.runtime.stream import parse_stream


class Answer(TypedDict):
    """SHA-256 in hex. latents: of all decoded latents, int16 little-endian, in the order of
    decoding. pixels: of the picture by integer synthesis."""

    latents: str
    pixels: str


def latents_of(codec: FloatCodec, stream: bytes) -> list[NDArray[np.int16]]:
    """In the order of decoding."""
    pulled = codec.pull(parse_stream(stream))
    if isinstance(pulled, Decoded):
        return pulled.latents.arrays()
    assert isinstance(pulled, Pulled)
    return [pulled.z, pulled.y_hat]


def digest_of(latents: list[NDArray[np.int16]]) -> str:
    digest = hashlib.sha256()
    for array in latents:
        assert array.dtype == np.int16
        digest.update(array.astype("<i2").tobytes())
    return digest.hexdigest()


def answer_of(codec: FloatCodec, stream: bytes) -> Answer:
    """codec: with integer synthesis."""
    assert codec.exact_pixels
    pixels = sha256_bytes(codec.decode(stream).tobytes())
    return {"latents": digest_of(latents_of(codec, stream)), "pixels": pixels}
