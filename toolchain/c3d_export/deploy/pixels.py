"""Comparison of integer synthesis: with PyTorch's integers, and with float synthesis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..runtime.codec import Codec
from ..runtime.floatcodec import FloatCodec
from ..runtime.hyperprior.packing import FASTEST
from ..runtime.images import Frame
from .floatreport import IntegerRow, PsnrRow, integer_row, psnr

Picture = NDArray[np.uint8]


def as_picture(pixels: Tensor) -> Picture:
    """(1, 3, H, W) whole, 0..255 -> (H, W, 3)."""
    made: Picture = pixels[0].permute(1, 2, 0).numpy().astype(np.uint8)
    return made


def picture_rows(
    codecs: Mapping[int, FloatCodec], cases: Iterable[tuple[str, Any, Callable[[], Picture]]]
) -> Iterator[IntegerRow]:
    """codecs: with integer synthesis, by threads. cases: subject, what `synthesise` takes, and what
    PyTorch makes of it; the first, which is small, is tried with every kernel."""
    for number, (subject, latents, make) in enumerate(cases):
        wanted = make()
        for kernel in range(0 if number == 0 else FASTEST, FASTEST + 1):
            for threads, codec in codecs.items():
                codec.use_kernel(kernel)
                got = codec.synthesise(latents, *wanted.shape[:2])
                way = f"kernel {kernel}, {threads} threads"
                yield integer_row("pixels", subject, way, got, wanted)


def psnr_row(name: str, floating: Codec, exact: Codec, frame: Frame) -> PsnrRow:
    """What integer synthesis costs on a frame."""
    stream = exact.encode(frame)
    shown = [codec.decode(stream) for codec in (floating, exact)]
    return PsnrRow(name, *(psnr(picture, frame) for picture in shown))
