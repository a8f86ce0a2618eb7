"""The C passes between the networks and the entropy coder, in bands of rows that threads share.

A band is a run of rows of the latents' grid, an even number of them where there is a next one: the
checkerboard of the base latents then begins alike in each.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from c3d_export import _native

from .activity import activity_factors
from .bundle import Bundle
from .copies import extra_runs, fine_channels, spread_channels
from .geometry import BLOCK, PLANES, Bytes, Geometry, Prior, Step, Symbols, step_grid
from .images import Frame
from .refine import refined
from .scratch import Scratch
from .slices import Workers

Band = slice
LEAST: Final = 1000
"""Places of the latents' grid in a band: a thread takes some 50 microseconds to begin."""
NAMES: Final = (
    *("unshuffle", "latents", "no_latents", "known", "indexes", "quantize", "dequantize"),
    *("refine", "spread", "shuffle"),
)
"""The methods of `Passes`, which a stopwatch times."""


def bands(rows: int, columns: int, count: int, least: int) -> list[Band]:
    """At most `count` runs of rows, of about `least` places or more, all but the last of an even
    length."""
    count = max(1, min(count, rows * columns // least, rows // 2))
    edges = [rows * i // count // 2 * 2 for i in range(count)] + [rows]
    return [slice(*pair) for pair in pairwise(edges)]


class Passes:
    """The passes of one codec, with its arrays; safe to share by threads.

    Arrays that are returned may be scratch: the next frame in the same thread overwrites them.
    """

    def __init__(self, bundle: Bundle, workers: Workers) -> None:
        self._bundle, self._workers = bundle, workers
        self._arrays, self._scratch = bundle.arrays, Scratch()
        step = bundle.arrays["step"]
        # Half of float64's quotient: the same float32 on every IEEE host.
        self._reciprocal = (256.0 / step.astype(np.float64)).astype(np.float32)
        self._factor = activity_factors(step)
        self._runs = np.array(extra_runs(bundle.latents), np.int32)

    def _each(self, g: Geometry, work: Callable[[Band], None]) -> None:
        found = bands(g.rows, g.columns, self._workers.count, LEAST)
        self._workers.run([partial(work, band) for band in found])

    def unshuffle(self, frame: Frame, g: Geometry) -> dict[str, Bytes]:
        """What g_a sees of a frame: patches (2 h, 2 w, 192) and blocks (h, w, 768)."""
        take = self._scratch.take
        patches = take("patches", (2 * g.rows, 2 * g.columns, 192), np.uint8)
        blocks = take("blocks", (g.rows, g.columns, 768), np.uint8)

        def work(band: Band) -> None:
            part = frame[band.start * BLOCK : band.stop * BLOCK]
            twice = patches[2 * band.start : 2 * band.stop]
            _native.unshuffle(part, len(part), g.width, twice, blocks[band])

        self._each(g, work)
        return {"patches": patches, "blocks": blocks}

    def latents(
        self, sums: dict[str, NDArray[Any]], g: Geometry, row: int
    ) -> tuple[NDArray[np.float32], Bytes]:
        """y (h, w, M) float32, and what h_a sees, on a grid of multiples of 4."""
        latents, base, a = self._bundle.latents, self._bundle.base, self._arrays
        y = self._scratch.take("y", (g.rows, g.columns, latents), np.float32)
        padded = (4 * g.hyper_rows, 4 * g.hyper_columns)
        # The padding stays as it is: the pass writes the places of the frame only.
        shape = (*padded, base + latents + PLANES)
        activity = self._scratch.take("activity", shape, np.uint8, 128, (g.rows, g.columns))
        linear, head = ((a[f"{part}_scale"], a[f"{part}_bias"]) for part in ("linear", "head"))
        layers = (*linear, *head, self._factor[row])

        def work(band: Band) -> None:
            rows = band.stop - band.start
            activity[band, :, base + latents :] = a["planes"][row]
            sides = (rows, g.columns, latents, base, rows, padded[1])
            parts = (sums["linear_sum"][band], sums["head_sum"][band])
            _native.latents(*parts, *layers, *sides, y[band], activity[band])

        self._each(g, work)
        activity[g.rows :, :, base + latents :] = a["planes"][row]
        return y, activity

    def known(self, v: Bytes, g: Geometry, row: int) -> Bytes:
        """What g_cp and g_ep see of the latents that are decoded: (h, w, 2 base + PLANES)."""
        base, latents = self._bundle.base, self._bundle.latents
        known = self._scratch.take("known", (g.rows, g.columns, 2 * base + PLANES), np.uint8)

        def work(band: Band) -> None:
            known[band, :, 2 * base :] = self._arrays["planes"][row]
            sides = (band.stop - band.start, g.columns, latents, base)
            _native.activity(v[band], self._factor[row], *sides, known[band])

        self._each(g, work)
        return known

    def no_latents(self, g: Geometry) -> Bytes:
        """v (h, w, M) with nothing decoded yet: zeros, which are 128."""
        v: Bytes = self._scratch.take("v", (g.rows, g.columns, self._bundle.latents), np.uint8)
        v[:] = 128
        return v

    def indexes(self, step: Step, g: Geometry, row: int, index: Bytes) -> Bytes:
        """The table of each latent of this step, in coding order."""
        size = self._coded(step, g, g.rows)
        out: Bytes = self._scratch.take(f"indexes of {step.name}", (size,), np.uint8)

        def work(band: Band) -> None:
            grid = self._grid(step, g, index, band)
            offset = self._arrays["offset"][row]
            _native.indexes(grid, index[band], offset, out[self._part(step, g, band)])

        self._each(g, work)
        return out

    def quantize(
        self, step: Step, g: Geometry, row: int, y: NDArray[np.float32], prior: Prior, v: Bytes
    ) -> tuple[Symbols, Bytes]:
        """Symbols and table indexes of one step's latents; decodes them into v."""
        (mean, index), a = prior, self._arrays
        size, take = (self._coded(step, g, g.rows),), self._scratch.take
        indexes = take(f"indexes of {step.name}", size, np.uint8)
        symbols: Symbols = take(f"symbols of {step.name}", size, np.int16)
        fixed = (a["offset"][row], self._reciprocal[row], a["rounding"], a["step"][row])

        def work(band: Band) -> None:
            part, grid = self._part(step, g, band), self._grid(step, g, mean, band)
            coded = (symbols[part], indexes[part], v[band])
            _native.quantize(grid, y[band], mean[band], index[band], *fixed, *coded)

        self._each(g, work)
        return symbols, indexes

    def dequantize(
        self, step: Step, g: Geometry, row: int, symbols: Symbols, mean: Bytes, v: Bytes
    ) -> Symbols:
        """Decodes one step's latents into v and, (h, w, F) int16 in 1/256 of a unit, those that
        have copies into what is returned."""
        count = fine_channels(self._bundle.latents)
        fine: Symbols = self._scratch.take("fine", (g.rows, g.columns, count), np.int16)
        steps = self._arrays["step"][row]

        def work(band: Band) -> None:
            part, grid = self._part(step, g, band), self._grid(step, g, mean, band)
            parts = (mean[band], steps, v[band], fine[band], count)
            _native.dequantize(grid, symbols[part], *parts)

        self._each(g, work)
        return fine

    def refine(
        self,
        v: Bytes,
        fine: Symbols,
        sums: NDArray[Any],
        seen: NDArray[Any],
        y: NDArray[np.float32],
        g: Geometry,
    ) -> None:
        """y (h, w, M) as `refine.refined` moves it, in place."""

        def work(band: Band) -> None:
            scale = self._arrays["linear_scale"]
            y[band] = refined(v[band], fine[band], sums[band], seen[band], scale)

        self._each(g, work)

    def spread(self, v: Bytes, fine: Symbols, g: Geometry, row: int) -> dict[str, Bytes]:
        """The two inputs of g_s."""
        latents, place = self._bundle.latents, (g.rows, g.columns)
        seen = self._scratch.take("seen", (*place, latents + PLANES), np.uint8)
        spread = self._scratch.take("spread", (*place, spread_channels(latents)), np.uint8)
        runs, planes = (self._runs, len(self._runs)), self._arrays["planes"][row]

        def work(band: Band) -> None:
            sizes = (band.stop - band.start, g.columns, latents, fine.shape[2])
            _native.spread(v[band], fine[band], planes, *sizes, *runs, seen[band], spread[band])

        self._each(g, work)
        return {"v": seen, "spread": spread}

    def shuffle(self, out: dict[str, NDArray[Any]], g: Geometry) -> Frame:
        """The frame that g_s's outputs make."""
        frame = np.empty((g.height, g.width, 3), np.uint8)
        layer = (self._arrays["pixels_scale"], self._arrays["pixels_bias"])

        def work(band: Band) -> None:
            part = frame[band.start * BLOCK : band.stop * BLOCK]
            correction = out["correction_out"][2 * band.start : 2 * band.stop]
            _native.shuffle(out["pixels_sum"][band], *layer, correction, part, len(part), g.width)

        self._each(g, work)
        return frame

    def _grid(self, step: Step, g: Geometry, plane: Bytes, band: Band) -> Any:
        rows = Geometry((band.stop - band.start) * BLOCK, g.columns * BLOCK)
        return step_grid(rows, plane[band], step, self._bundle.latents, self._bundle.base)

    def _coded(self, step: Step, g: Geometry, rows: int) -> int:
        """How many latents this step has in so many rows."""
        others = self._bundle.latents - self._bundle.base
        each = others if step == Step.OTHERS else self._bundle.base // 2
        return rows * g.columns * each

    def _part(self, step: Step, g: Geometry, band: Band) -> slice:
        return slice(self._coded(step, g, band.start), self._coded(step, g, band.stop))
