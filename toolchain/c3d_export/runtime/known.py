"""Known answers: does this host compute what the exporting host computed?"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from c3d_export import _arith

from ..core.errors import (
    BundleFormatError,
    BundleManifestError,
    C3DError,
    C3DWarning,
    KnownAnswerError,
)
from .bundle import GRAPHS, Bundle
from .codec import Codec
from .copies import spread_channels
from .geometry import PLANES
from .graphlists import PORTS
from .images import Frame
from .sessions import Refusal, SessionOptions
from .stream import HEADER_BYTES

GRID = (5, 9)
"""Latents (rows, columns) of the noise: odd, and no multiple of 4."""
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


def integer_noise(shape: tuple[int, ...], seed: int) -> Frame:
    """uint8 noise from integers alone."""
    state = np.arange(int(np.prod(shape)), dtype=np.uint32) + np.uint32(seed * 7919 + 1)
    state *= np.uint32(2654435761)
    state ^= state >> np.uint32(15)
    state *= np.uint32(2246822519)
    return (state >> np.uint32(24)).astype(np.uint8).reshape(shape)


def _graph_inputs(b: Bundle, grid: tuple[int, int]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Shapes for every graph: latents on this grid, for h_a and h_s on one of multiples of 4."""
    rows, columns = grid
    tall, wide = (-(-n // 4) for n in grid)
    seen, hyper = b.base + b.latents + PLANES, b.hyper + PLANES
    known = {
        "features": (rows, columns, b.features),
        "known": (rows, columns, 2 * b.base + PLANES),
    }
    return {
        "g_a": {"patches": (2 * rows, 2 * columns, 192), "blocks": (rows, columns, 768)},
        "h_a": {"activity": (4 * tall, 4 * wide, seen)},
        "h_s": {"z_hat": (tall, wide, hyper)},
        "g_cp": dict(known),
        "g_ep": dict(known),
        "g_s": {
            "v": (rows, columns, b.latents + PLANES),
            "spread": (rows, columns, spread_channels(b.latents)),
        },
    }


def noise_feeds(bundle: Bundle, grid: tuple[int, int]) -> dict[str, dict[str, Frame]]:
    """Graph -> its inputs (h, w, C), the same noise on every host; grid: rows, columns."""
    return {
        graph: {name: integer_noise(shape, seed) for name, shape in shapes.items()}
        for seed, (graph, shapes) in enumerate(_graph_inputs(bundle, grid).items())
    }


def _graph_answers(codec: Codec) -> list[dict[str, Any]]:
    """CRC-32C of every raw output of every graph on noise: one wrong unit anywhere shows.

    Coded frames alone do not: most units of a mean or an index never reach a symbol.
    """
    answers: list[dict[str, Any]] = []
    for graph, feed in noise_feeds(codec.bundle, GRID).items():
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


def _frame_qualities(bundle: Bundle) -> list[int]:
    count = bundle.qualities
    return sorted({1, (count + 1) // 2, count})


def _frame_answers(codec: Codec) -> list[dict[str, Any]]:
    frame = known_frame()
    answers = []
    for quality in _frame_qualities(codec.bundle):
        stream = codec.encode(frame, quality)
        decoded = codec.decode(stream)
        payload = _arith.crc32c(stream[HEADER_BYTES:])
        answers.append({"quality": quality, "payload": payload, "frame": _arith.crc32c(decoded)})
    return answers


def require_known_answers(bundle: Bundle) -> list[dict[str, Any]]:
    """The answers of a bundle: every output of every graph, then frames at three qualities.

    Raises BundleManifestError where one is missing, since what no answer covers may differ.
    """
    answers = bundle.manifest.get("known_answers")
    if not isinstance(answers, list) or not answers:
        raise BundleManifestError("the bundle has no known answers; get it again from its maker")
    if [_subject(answer) for answer in answers] != _subjects(bundle):
        raise BundleManifestError(
            "the bundle's known answers do not cover every output of every graph and three"
            " qualities, each once; get it again from its maker"
        )
    return answers


def _subjects(bundle: Bundle) -> list[object]:
    outputs = {graph: sorted(name.decode() for name in PORTS[graph][1]) for graph in GRAPHS}
    return [*outputs.items(), *_frame_qualities(bundle)]


def _subject(answer: object) -> object:
    """What an answer is about: (graph, names of its outputs) or a quality; None: malformed."""
    match answer:
        case {"graph": str(graph), "outputs": dict(outputs), **rest} if not rest:
            numbers = list(outputs.values())
            subject: object = (graph, sorted(outputs))
        case {"quality": int(quality), "payload": payload, "frame": frame, **rest} if not rest:
            numbers, subject = [payload, frame], quality
        case _:
            return None
    return subject if all(type(number) is int for number in numbers) else None


def known_difference(codec: Codec) -> str:
    """What differs first from the known answers on this host, "" where they all hold.

    Raises BundleManifestError for missing answers, BundleFormatError for graphs that do not run.
    """
    wanted = require_known_answers(codec.bundle)
    try:
        answers = compute_known_answers(codec)
    except (C3DError, MemoryError):
        raise
    except Exception as error:  # graphs that contradict the manifest fail in many places
        raise BundleFormatError(f"the bundle's graphs do not run: {error}") from error
    if answers == wanted:
        return ""
    pairs = zip(answers, wanted, strict=False)
    subject = next((_subject(w) for a, w in pairs if a != w), "number of answers")
    if isinstance(subject, tuple):
        return f"graph {subject[0]}"
    return f"frame at quality {subject}" if isinstance(subject, int) else str(subject)


def check_known_answers(codec: Codec) -> None:
    """Raises KnownAnswerError where `known_difference` tells of one."""
    if difference := known_difference(codec):
        raise _differs([Refusal(codec.sessions.flavour, difference)], codec.sessions.options.device)


def _differs(refused: Sequence[Refusal], device: str) -> KnownAnswerError:
    flavours = ", ".join(f"flavour {r.flavour} first in the {r.reason}" for r in refused)
    return KnownAnswerError(
        f"this host computes other numbers than the bundle was made with (device {device},"
        f" {flavours}); allow another flavour or device, and run c3d-export doctor"
    )


def open_first(bundle: Bundle, choices: Sequence[SessionOptions]) -> Codec:
    """The first of the choices that gives the known answers; `refused` names those before it.

    A choice that is passed over is told of by a C3DWarning. Where all differ the KnownAnswerError
    names each. Other errors end the search: they say nothing about numbers.
    """
    require_known_answers(bundle)
    refused: list[Refusal] = []
    for options in choices:
        codec = Codec(bundle, options)
        if difference := known_difference(codec):
            refused.append(Refusal(codec.sessions.flavour, difference))
            continue
        codec.refused = tuple(refused)
        for refusal in refused:
            warnings.warn(passed_over(codec, refusal), C3DWarning, stacklevel=4)
        return codec
    raise _differs(refused, choices[0].device)


def passed_over(codec: Codec, refusal: Refusal) -> str:
    """One line on a flavour that was refused, and on what is used instead."""
    return (
        f"flavour {refusal.flavour} computes other numbers on this host, first in the"
        f" {refusal.reason}; {codec.sessions.flavour} is used, as was allowed"
    )
