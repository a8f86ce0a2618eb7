"""Known answers: does this host compute what the exporting host computed?"""

from __future__ import annotations

from typing import Any

import numpy as np

from c3d_export import _arith

from ..core.errors import BundleFormatError, BundleManifestError, C3DError, KnownAnswerError
from .codec import Codec
from .geometry import PLANES
from .images import Frame

HEIGHT, WIDTH = 72, 104
"""Neither side a multiple of 16, so that padding is part of the answer."""


def known_frame() -> Frame:
    """(72, 104, 3) uint8 from integers alone: a gradient, hard edges and noise."""
    row, column = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.uint32)
    state = (row * np.uint32(WIDTH) + column + np.uint32(1)) * np.uint32(2654435761)
    state ^= state >> np.uint32(15)
    noise = (state * np.uint32(2246822519)) >> np.uint32(26)
    edges = ((row // 11 + column // 17) % 3) * np.uint32(60)
    ramp = (row * 255 // HEIGHT, column * 255 // WIDTH, (row + column) % 256)
    channels = [np.minimum(r // 2 + edges + noise, 255) for r in ramp]
    return np.stack(channels, -1).astype(np.uint8)


def _noise(shape: tuple[int, ...], seed: int) -> Frame:
    """uint8 noise from integers alone."""
    state = np.arange(int(np.prod(shape)), dtype=np.uint32) + np.uint32(seed * 7919 + 1)
    state *= np.uint32(2654435761)
    state ^= state >> np.uint32(15)
    state *= np.uint32(2246822519)
    return (state >> np.uint32(24)).astype(np.uint8).reshape(shape)


def _graph_inputs(codec: Codec) -> dict[str, dict[str, tuple[int, ...]]]:
    """Shapes for every graph: 5 x 7 latents (4 x 8 for h_a, which needs multiples of 4)."""
    b, rows, columns = codec.bundle, 5, 7
    latents, hyper = b.latents + PLANES, b.hyper + PLANES
    known = {
        "features": (rows, columns, b.features),
        "known": (rows, columns, 2 * b.base + PLANES),
    }
    return {
        "g_a": {"patches": (2 * rows, 2 * columns, 192), "blocks": (rows, columns, 768)},
        "h_a": {"activity": (4, 8, b.base + latents)},
        "h_s": {"z_hat": (2, 3, hyper)},
        "g_cp": dict(known),
        "g_ep": dict(known),
        "g_s": {"v": (rows, columns, latents)},
    }


def _graph_answers(codec: Codec) -> list[dict[str, Any]]:
    """CRC-32C of every raw output of every graph on noise: one wrong unit anywhere shows.

    Coded frames alone do not: most units of a mean or an index never reach a symbol.
    """
    answers: list[dict[str, Any]] = []
    for seed, (graph, shapes) in enumerate(_graph_inputs(codec).items()):
        feed = {name: _noise(shape, seed) for name, shape in shapes.items()}
        outputs = codec.sessions.run(graph, feed)
        crcs = {n: _arith.crc32c(np.ascontiguousarray(x)) for n, x in sorted(outputs.items())}
        answers.append({"graph": graph, "outputs": crcs})
    return answers


def compute_known_answers(codec: Codec) -> list[dict[str, Any]]:
    """CRC-32C of every graph's raw outputs; then of payloads and of the decoded frame at the
    lowest, middle and highest quality.

    The stream's header is left out: it names the bundle, whose manifest holds these answers.
    """
    return _graph_answers(codec) + _frame_answers(codec)


def _frame_answers(codec: Codec) -> list[dict[str, Any]]:
    frame, count = known_frame(), codec.bundle.qualities
    answers = []
    for quality in sorted({1, (count + 1) // 2, count}):
        stream = codec.encode(frame, quality)
        decoded = codec.decode(stream)
        payload = _arith.crc32c(stream[_header_bytes() :])
        answers.append({"quality": quality, "payload": payload, "frame": _arith.crc32c(decoded)})
    return answers


def _header_bytes() -> int:
    from .stream import HEADER_BYTES

    return HEADER_BYTES


def check_known_answers(codec: Codec) -> None:
    """Raises KnownAnswerError where this host, provider and flavour give other numbers."""
    wanted = codec.bundle.manifest.get("known_answers")
    if not isinstance(wanted, list) or not wanted:
        raise BundleManifestError("the bundle has no known answers")
    try:
        answers = compute_known_answers(codec)
    except (C3DError, MemoryError):
        raise
    except Exception as error:  # graphs that contradict the manifest fail in many places
        raise BundleFormatError(f"the bundle's graphs do not run: {error}") from error
    if answers != wanted:
        options = codec.sessions.options
        raise KnownAnswerError(
            f"this host computes other numbers than the bundle was made with (device"
            f" {options.device}, flavour {codec.sessions.flavour}); try another flavour or device"
        )
