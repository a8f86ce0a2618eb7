"""Is a coarse-to-fine bundle's entropy path bit for bit the integer network, and how far are its
float parts?

As `deploy/hyperprior/validate.py`: each level as a graph at two levels of optimisation with one and
two threads, and in C with every kernel, on noise over the whole range and on the latents of frames;
streams are decoded. Pixels and latents of the float transforms are compared with PyTorch and only
reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import LatentsChecksumError
from ...models.c2f.frames import from_network
from ...models.c2f.network import CoarseToFine
from ...quantize.post.c2f import EntropyPath
from ...quantize.post.c2f_synthesis import IntegerSynthesis
from ...runtime.bundle import Bundle
from ...runtime.c2f.codec import C2FLatents, CoarseToFineCodec, Decoded
from ...runtime.c2f.known import decoded, known_latents
from ...runtime.c2f.prior import Ints
from ...runtime.hyperprior.bundle import has_integer_synthesis
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
from .restore import restore_path, restore_transforms, steps
from .restore_synthesis import restore_synthesis

THREADS = (1, 2)
WAYS = [(level, threads) for level in ("none", "all") for threads in THREADS]
OUTPUTS = ("h", "index", "mean")


def validate_c2f(bundle: Bundle, frames: Sequence[tuple[str, Frame]]) -> ExactnessReport:
    """frames: name and pixels. Raises CertificateError where a proof does not hold or is another
    than the manifest's."""
    path = restore_path(bundle)
    synthesis, proven = None, path.certificates()
    if has_integer_synthesis(bundle.manifest):
        synthesis = restore_synthesis(bundle, path)
        proven += synthesis.certificates()
    report = ExactnessReport(check_certificates(bundle, proven))
    graphs = {way: _codec(bundle, *way, native=False) for way in WAYS}
    natives = {threads: _codec(bundle, "all", threads) for threads in THREADS}
    plain, network = natives[1], restore_transforms(bundle)
    cases = [("noise", known_latents(bundle))]
    cases += [(name, plain.analyse(frame)) for name, frame in frames]
    for subject, latents in cases:
        for graph, z in (("side2", latents.z1), ("side3", latents.z2)):
            if z is not None:
                report.integers += _level(subject, path, graph, (graphs, natives), z)
    for name, frame in [("known frame", known_frame()), *frames]:
        latents = plain.analyse(frame)
        report.integers.append(_stream(name, plain, frame, latents))
        report.floats += _floats(name, network, plain, frame, latents)
    if synthesis is not None:
        exact = {n: CoarseToFineCodec(bundle, SessionOptions(threads=n)) for n in THREADS}
        report.integers += picture_rows(
            exact,
            [(n, decoded(plain, z), partial(_synthesised, path, synthesis, z)) for n, z in cases],
        )
        report.psnr = [psnr_row(name, plain, exact[1], frame) for name, frame in frames]
    return report


@torch.no_grad()
def _synthesised(path: EntropyPath, synthesis: IntegerSynthesis, latents: C2FLatents) -> Picture:
    h1 = None
    if latents.z1 is not None and path.coarse is not None:
        h1 = path.coarse.h_s(_first(latents.z1))
    return as_picture(synthesis(_first(latents.z3), path.fine.h_s(_first(latents.z2)), h1))


def _codec(bundle: Bundle, level: str, threads: int, native: bool = True) -> CoarseToFineCodec:
    options = SessionOptions(flavour="float", level=level, threads=threads)
    return CoarseToFineCodec(bundle, options, native=native)


Codecs = tuple[dict[tuple[str, int], CoarseToFineCodec], dict[int, CoarseToFineCodec]]
"""Levels as graphs by optimisation and threads, and in C by threads."""


def _first(z: Ints) -> Tensor:
    """(h, w, C) -> (1, C, h, w) float32."""
    return torch.from_numpy(z.astype(np.float32)).permute(2, 0, 1)[None]


@torch.no_grad()
def _level(
    subject: str, path: EntropyPath, graph: str, codecs: Codecs, z: Ints
) -> Iterator[IntegerRow]:
    """Outputs of a level in every way, each against those of the integers in PyTorch."""
    graphs, natives = codecs
    wanted = [t[0].permute(1, 2, 0).numpy() for t in path.levels()[graph](_first(z))]

    def compared(way: str, codec: CoarseToFineCodec) -> Iterator[IntegerRow]:
        made: list[NDArray[Any]] = list(codec.level(graph, z))
        for what, got, right in zip(OUTPUTS, made, wanted, strict=True):
            yield integer_row(f"{graph}: {what}", subject, way, got, right)

    for (level, threads), codec in graphs.items():
        yield from compared(f"graph, level {level}, {threads} threads", codec)
    for kernel in range(FASTEST + 1):
        for threads, codec in natives.items():
            codec.use_kernel(kernel)
            yield from compared(f"kernel {kernel}, {threads} threads", codec)


def _stream(name: str, codec: CoarseToFineCodec, frame: Frame, latents: C2FLatents) -> IntegerRow:
    """Whether a stream decodes to what was encoded."""
    count, differing = sum(z.size for z in latents.arrays()), 0
    try:
        got = codec.decode_latents(parse_stream(codec.encode(frame))).latents
        pairs = zip(got.arrays(), latents.arrays(), strict=True)
        differing = sum(int((a != b).sum()) for a, b in pairs)
    except LatentsChecksumError:
        differing = count
    return IntegerRow("stream", name, "decoded", count, differing)


@torch.no_grad()
def _floats(
    name: str, network: CoarseToFine, codec: CoarseToFineCodec, frame: Frame, latents: C2FLatents
) -> list[FloatRow]:
    """How far ONNX Runtime's latents and pixels are from PyTorch's; network: the transforms."""
    height, width = frame.shape[:2]
    theirs = network.g_a(as_tensor(frame)).round()[0].permute(1, 2, 0).numpy()
    known = decoded(codec, latents)
    shown = codec.synthesise(known, height, width)
    x_hat = network.reconstruct(_first(latents.z3), *_features(codec.bundle, known))
    pixels = from_network(x_hat, height, width)[0].permute(1, 2, 0).numpy()
    return [
        float_row(name, "z3 (g_a), rounded", latents.z3, theirs),
        float_row(name, "pixels (synthesis), grey levels", shown, pixels),
    ]


def _features(bundle: Bundle, known: Decoded) -> tuple[Tensor, Tensor | None]:
    """h2 and h1 in the network's units."""
    unit = steps(bundle)
    h2 = torch.from_numpy(known.h2).permute(2, 0, 1)[None] * unit["h2"]
    if known.h1 is None:
        return h2, None
    return h2, torch.from_numpy(known.h1).permute(2, 0, 1)[None] * unit["h1"]
