"""Is a bundle's entropy path bit for bit the integer network, and how far are its float parts?

Integers are compared in every way that a host may compute them: h_s as a graph at two levels of
optimisation and in C with every kernel, each with one and two threads, the context model with every
kernel, all on noise over the whole range and on the latents of frames; streams are decoded. Pixels
and latents of the float transforms are compared with PyTorch and only reported: they are not
promised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.errors import LatentsChecksumError
from ...quantize.post.mbt import EntropyPath
from ...quantize.post.mbt_synthesis import IntegerSynthesis
from ...runtime.bundle import Bundle
from ...runtime.hyperprior.bundle import has_integer_synthesis
from ...runtime.hyperprior.codec import HyperpriorCodec
from ...runtime.hyperprior.context import Ints
from ...runtime.hyperprior.known import known_latents
from ...runtime.hyperprior.packing import FASTEST
from ...runtime.images import Frame
from ...runtime.known import known_frame
from ...runtime.sessions import SessionOptions
from ...runtime.stream import parse_stream
from ..floatreport import (
    ExactnessReport,
    FloatRow,
    IntegerRow,
    check_certificates,
    float_row,
    integer_row,
)
from ..pixels import Picture, as_picture, picture_rows, psnr_row
from .bundle import as_tensor
from .restore import restore_path, restore_transforms
from .restore_synthesis import restore_synthesis

THREADS = (1, 2)
WAYS = [(level, threads) for level in ("none", "all") for threads in THREADS]


def validate_hyperprior(bundle: Bundle, frames: Sequence[tuple[str, Frame]]) -> ExactnessReport:
    """frames: name and pixels. Raises CertificateError where a proof does not hold or is another
    than the manifest's."""
    path = restore_path(bundle)
    synthesis, proven = None, path.certificates()
    if has_integer_synthesis(bundle.manifest):
        synthesis = restore_synthesis(bundle)
        proven += synthesis.certificates()
    report = ExactnessReport(check_certificates(bundle, proven))
    graphs = {way: _codec(bundle, *way, native=False) for way in WAYS}
    natives = {threads: _codec(bundle, "all", threads) for threads in THREADS}
    plain = natives[1]
    cases = [("noise", *known_latents(bundle))]
    cases += [(name, *plain.analyse(frame)) for name, frame in frames]
    for subject, y, z in cases:
        report.integers += _integers(subject, path, (graphs, natives), y, z)
    for name, frame in [("known frame", known_frame()), *frames]:
        report.floats += _floats(name, bundle, plain, frame)
        report.integers.append(_decoded(name, plain, frame))
    if synthesis is not None:
        exact = {n: HyperpriorCodec(bundle, SessionOptions(threads=n)) for n in THREADS}
        coded = [(subject, plain.code(y, z).y_hat) for subject, y, z in cases]
        report.integers += picture_rows(
            exact, [(n, y_hat, partial(_synthesised, synthesis, y_hat)) for n, y_hat in coded]
        )
        report.psnr = [psnr_row(name, plain, exact[1], frame) for name, frame in frames]
    return report


def _synthesised(synthesis: IntegerSynthesis, y_hat: Ints) -> Picture:
    return as_picture(synthesis(torch.from_numpy(y_hat.astype(np.float64)).permute(2, 0, 1)[None]))


def _codec(bundle: Bundle, level: str, threads: int, native: bool = True) -> HyperpriorCodec:
    options = SessionOptions(flavour="float", level=level, threads=threads)
    return HyperpriorCodec(bundle, options, native=native)


Codecs = tuple[dict[tuple[str, int], HyperpriorCodec], dict[int, HyperpriorCodec]]
"""With h_s as a graph by level and threads, and in C by threads."""


def _integers(
    subject: str, path: EntropyPath, codecs: Codecs, y: NDArray[np.float32], z: Ints
) -> Iterator[IntegerRow]:
    graphs, natives = codecs
    size = y.shape[0], y.shape[1]
    ys, zs = (torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None] for x in (y, z))
    with torch.no_grad():
        params = path.hyper(zs)[0].permute(1, 2, 0)[: size[0], : size[1]].numpy()
    y_hat = path.code(ys, zs).y_hat[0].permute(1, 2, 0).numpy()

    def compared(what: str, way: str, got: NDArray[Any], wanted: NDArray[Any]) -> IntegerRow:
        return integer_row(what, subject, way, got, wanted)

    for (level, threads), codec in graphs.items():
        way = f"graph, level {level}, {threads} threads"
        yield compared("h_s", way, codec.hyper(z, *size), params)
    for kernel in range(FASTEST + 1):
        for threads, codec in natives.items():
            codec.use_kernel(kernel)
            way = f"kernel {kernel}, {threads} threads"
            yield compared("h_s", way, codec.hyper(z, *size), params)
        yield compared("latents", f"kernel {kernel}", natives[1].code(y, z).y_hat, y_hat)


def _decoded(name: str, codec: HyperpriorCodec, frame: Frame) -> IntegerRow:
    """Whether a stream decodes to what was encoded."""
    y_hat = codec.code(*codec.analyse(frame)).y_hat
    try:
        decoded = codec.decode_latents(parse_stream(codec.encode(frame)))
        differing = int((decoded != y_hat).sum())
    except LatentsChecksumError:
        differing = y_hat.size
    return IntegerRow("stream", name, "decoded", y_hat.size, differing)


@torch.no_grad()
def _floats(name: str, bundle: Bundle, codec: HyperpriorCodec, frame: Frame) -> list[FloatRow]:
    network = restore_transforms(bundle)
    y, z = codec.analyse(frame)
    theirs = network.g_a(as_tensor(frame))[0].permute(1, 2, 0).numpy()
    y_hat = codec.code(y, z).y_hat
    given = torch.from_numpy(y_hat.astype(np.float32)) / (1 << codec.path.fraction)
    pixels = network.g_s(given.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    shown = (pixels * 255).round().clamp(0, 255).numpy()[: frame.shape[0], : frame.shape[1]]
    mine = codec.synthesise(y_hat, *frame.shape[:2]).astype(np.float64)
    return [
        float_row(name, "y (g_a), latents' unit", y, theirs),
        float_row(name, "pixels (g_s), grey levels", mine, shown),
    ]
