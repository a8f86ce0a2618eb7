"""The entropy coder's work on one frame, in slices of rows that threads share.

A slice has the hyper-latents z and the latents y of a range of rows, in one payload each whose
states go on from z through the three coding steps of y: the first bytes of a payload, which the
states cost, are paid once. Slices do not need one another, so that they are coded side by side,
and what is damaged in one leaves the symbols of the others.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from c3d_export import _arith

from ..core.errors import LatentsChecksumError
from .geometry import Bytes, Symbols

POSITIONS = 1800
"""Places of the latents' grid that a slice has at least: half of a frame of 1280x720. Each slice
costs some 100 bytes."""
MOST = 8
"""Slices that an encoder makes; a decoder takes any number."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Part:
    """Symbols of one coding step: int16 and their table indexes uint8, `rows` equal rows each in
    raster order. tables: None for those of the frame."""

    symbols: Symbols
    indexes: Bytes
    rows: int
    tables: _arith.Tables | None = None


def slice_count(positions: int) -> int:
    """How many slices the encoder makes of a grid of this many places."""
    return max(1, min(MOST, positions // POSITIONS))


def _borders(size: int, rows: int, count: int) -> list[tuple[int, int]]:
    """Where each slice of an array of `rows` equal rows begins and ends."""
    per_row = size // rows if rows else 0
    edges = [rows * s // count * per_row for s in range(count + 1)]
    return list(pairwise(edges))


class Workers:
    """Threads that slices are coded in, the caller's own among them; for use by many callers."""

    def __init__(self, threads: int) -> None:
        """threads: 0 for one each core; at most MOST are used."""
        self.count = min(threads or os.cpu_count() or 1, MOST)
        extra = self.count - 1
        self._pool = ThreadPoolExecutor(extra, "c3d-slice") if extra > 0 else None

    def run(self, jobs: Sequence[Callable[[], _Result]]) -> list[_Result]:
        """The results in the order of the jobs; the first job is the caller's."""
        if self._pool is None or len(jobs) < 2:
            return [job() for job in jobs]
        others = deque(self._pool.submit(job) for job in jobs[1:])
        try:
            results = [jobs[0]()]
            while others:
                results.append(others.popleft().result())
            return results
        finally:
            wait(others)  # they write into arrays of the caller
            # A future keeps its error, which keeps this call: a circle, that would keep the arrays
            # of a damaged frame until the garbage collector comes by.
            others.clear()


def encode_slices(
    tables: _arith.Tables, parts: Sequence[Part], count: int, workers: Workers
) -> list[bytes]:
    """One payload for each of `count` slices."""
    arrays = [(part.symbols.reshape(-1), part.indexes.reshape(-1)) for part in parts]
    borders = [_borders(part.symbols.size, part.rows, count) for part in parts]

    def encode(s: int) -> bytes:
        cut: list[tuple[Any, ...]] = []
        for part, (symbols, indexes), edges in zip(parts, arrays, borders, strict=True):
            begin, end = edges[s]
            cut.append((part.tables or tables, symbols[begin:end], indexes[begin:end]))
        return _arith.encode(cut)

    return workers.run([partial(encode, s) for s in range(count)])


class SliceDecoder:
    """Decodes the parts of a frame one after the other, all slices side by side.

    Every method raises LatentsChecksumError where a payload does not decode: its bytes are known
    to be sound, so that it is the table indexes of this host that differ.
    """

    def __init__(self, tables: _arith.Tables, slices: Sequence[bytes], workers: Workers) -> None:
        self._tables, self._workers = tables, workers
        self._decoders = self._guarded(lambda: [_arith.Decoder(data) for data in slices])

    def pull(self, indexes: Bytes, rows: int, tables: _arith.Tables | None = None) -> Symbols:
        """The symbols of the next part, in the shape of their indexes. tables: as Part has them."""
        bank = tables or self._tables
        symbols = np.empty(indexes.shape, np.int16)
        flat, out = indexes.reshape(-1), symbols.reshape(-1)
        borders = _borders(flat.size, rows, len(self._decoders))

        def pull(decoder: _arith.Decoder, begin: int, end: int) -> None:
            decoder.pull(bank, flat[begin:end], out[begin:end])

        jobs = [
            partial(pull, decoder, *edges)
            for decoder, edges in zip(self._decoders, borders, strict=True)
        ]
        self._guarded(lambda: self._workers.run(jobs))
        return symbols

    def finish(self) -> None:
        """To be called after the last part: nothing of a payload may be left."""
        for decoder in self._decoders:
            self._guarded(decoder.finish)

    @staticmethod
    def _guarded(call: Callable[[], _Result]) -> _Result:
        try:
            return call()
        except _arith.ArithError as error:
            raise LatentsChecksumError(
                f"the stream does not decode on this host ({error}); run c3d-export doctor"
            ) from error
