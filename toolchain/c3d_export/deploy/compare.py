"""One comparison of a host with the reference: a graph, a frame, or the known answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.codec import Codec
from ..runtime.known import compute_known_answers, require_known_answers
from ..runtime.sessions import Feed
from .matrix import Configuration, FrameJob, Grid
from .reference_stream import Outputs, Wanted

KNOWN = "known answers"
FRAME = "frame"

Pairs = dict[str, tuple[NDArray[Any], NDArray[Any]]]
"""What a host gave, and what is wanted."""


@dataclass(frozen=True)
class ValidationRow:
    """One comparison in one configuration.

    what: a graph, KNOWN or FRAME. size: latents of the random input or pixels of the frame, both
    width x height. name, quality: of the frame, "" and 0 elsewhere. compared, differing: numbers of
    values (of answers, for KNOWN). first: the first value that differs.
    """

    what: str
    size: str
    name: str
    quality: int
    configuration: Configuration
    compared: int
    differing: int
    first: str = ""

    def __str__(self) -> str:
        if self.what == FRAME:
            return f"{self.name} {self.size} quality {self.quality}"
        return f"{self.what} {self.size}".strip()

    def to_json(self) -> dict[str, Any]:
        fields = asdict(self)
        return {**fields.pop("configuration"), **fields}


def graph_row(
    codec: Codec, c: Configuration, graph: str, grid: Grid, feed: Feed, wanted: Outputs
) -> ValidationRow:
    row = ValidationRow(graph, f"{grid[1]}x{grid[0]}", "", 0, c, 0, 0)
    try:
        got: Mapping[str, NDArray[Any]] = codec.sessions.run(graph, feed)
    except Exception as error:  # a damaged graph fails in as many ways as there are kernels
        return _failed(row, wanted, f"does not run: {error}")
    return _compare(row, {name: (got[name], x) for name, x in wanted.items()})


def frame_row(codec: Codec, job: FrameJob, wanted: Wanted, c: Configuration) -> ValidationRow:
    row = ValidationRow(FRAME, job.frame.size, job.frame.name, job.quality, c, 0, 0)
    frame, quality = job.frame.pixels, job.quality
    try:
        latents, stream = codec.latents(frame, quality), codec.encode(frame, quality)
    except Exception as error:  # as above
        return _failed(row, {"pixels": wanted.pixels}, f"does not run: {error}")
    pairs: Pairs = {
        "z": (latents.z, wanted.z),
        "v": (latents.v, wanted.v),
        "stream": _padded(stream, wanted.stream),
    }
    try:
        pairs["pixels"] = codec.decode(wanted.stream), wanted.pixels
    except Exception as error:  # a StreamError where integers differ, or as above
        pairs["pixels"] = ~wanted.pixels, wanted.pixels
        first = f"the reference's stream: {error}".splitlines()[0]
        return replace(_compare(row, pairs), first=first)
    return _compare(row, pairs)


def _padded(got: bytes, wanted: bytes) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Two streams as arrays of one length, -1 where a stream has ended."""
    arrays = np.full((2, max(len(got), len(wanted))), -1, np.int16)
    for array, data in zip(arrays, (got, wanted), strict=True):
        array[: len(data)] = np.frombuffer(data, np.uint8)
    return arrays[0], arrays[1]


def known_row(codec: Codec, c: Configuration) -> ValidationRow:
    row = ValidationRow(KNOWN, "", "", 0, c, 0, 0)
    wanted = require_known_answers(codec.bundle)
    try:
        got = compute_known_answers(codec)
    except Exception as error:  # as above
        return replace(row, compared=len(wanted), differing=len(wanted), first=str(error))
    pairs = [(g, w) for g, w in zip(got, wanted, strict=False) if g != w]
    differing = len(pairs) + abs(len(got) - len(wanted))
    first = f"{pairs[0][0]} instead of {pairs[0][1]}" if pairs else ""
    return replace(row, compared=len(wanted), differing=differing, first=first)


def _failed(row: ValidationRow, wanted: Mapping[str, NDArray[Any]], why: str) -> ValidationRow:
    size = sum(x.size for x in wanted.values())
    return replace(row, compared=size, differing=size, first=why.splitlines()[0])


def _compare(row: ValidationRow, pairs: Pairs) -> ValidationRow:
    """The row with its numbers; a value of another shape differs as a whole."""
    firsts: Sequence[str] = [_first(name, *pair) for name, pair in pairs.items()]
    differing = sum(_count(*pair) for pair in pairs.values())
    compared = sum(wanted.size for _, wanted in pairs.values())
    return replace(
        row, compared=compared, differing=differing, first=next(filter(None, firsts), "")
    )


def _count(got: NDArray[Any], wanted: NDArray[Any]) -> int:
    return int((got != wanted).sum()) if got.shape == wanted.shape else wanted.size


def _first(name: str, got: NDArray[Any], wanted: NDArray[Any]) -> str:
    if got.shape != wanted.shape:
        return f"{name} has shape {list(got.shape)} instead of {list(wanted.shape)}"
    where = np.argwhere(got != wanted)
    if not len(where):
        return ""
    index = tuple(int(i) for i in where[0])
    return f"{name}{list(index)}: {got[index]:g} instead of {wanted[index]:g}"
