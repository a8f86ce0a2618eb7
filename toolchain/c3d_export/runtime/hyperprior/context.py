"""The entropy path behind h_s: from what it gives to table indexes, means, symbols and y_hat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from c3d_export import _native

from ...core.errors import LatentsChecksumError
from ..bundle import Bundle
from .bundle import DENSE, DENSE_ARRAYS, has_context
from .dense import Dense
from .waves import REACH, Places, waves

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int16]
Wave = tuple[Ints, Bytes]
"""Symbols and table indexes of one coding step, (positions, M) or (h, w, M)."""

Chooser = Callable[[Bytes, Ints, Any], Ints]
"""Table indexes, means and positions -> symbols: an encoder's or a decoder's."""


class EntropyPath:
    """Nothing in it changes; for use by many threads."""

    def __init__(self, bundle: Bundle) -> None:
        a = bundle.arrays
        self.latents, self.fraction = bundle.latents, int(bundle.manifest["fraction"])
        steps = np.searchsorted(a["thresholds"], np.arange(65536), side="right")
        self._tables = steps.astype(np.uint8)
        self.context = has_context(bundle.manifest)
        if self.context:
            self._seen = (a["seen_low"], a["seen_high"])
            self._layers = [_layer(bundle, name) for name in DENSE]

    def use_kernel(self, kernel: int) -> None:
        """Of the context model (`dense.py`), for comparisons of one with another."""
        for layer in self._layers if self.context else ():
            layer.kernel = kernel

    def heads(self, out: NDArray[Any]) -> tuple[Bytes, Ints]:
        """out: (..., 2 M) whole numbers, scales first -> table index, and mean in 1/2^fraction."""
        given = np.ascontiguousarray(out, np.int32)
        shape = (*out.shape[:-1], self.latents)
        index, mean = np.empty(shape, np.uint8), np.empty(shape, np.int16)
        places = index.size // self.latents
        _native.heads(given, places, self.latents, self._tables, index, mean)
        return index, mean

    def quantised(self, y: NDArray[np.float32], mean: Ints) -> Ints:
        """Symbols of latents (float32): whole distances from the means, within the range."""
        symbols = np.empty(mean.shape, np.int16)
        given = np.ascontiguousarray(y, np.float32), np.ascontiguousarray(mean)
        _native.symbols(*given, symbols.size, self.fraction, symbols)
        return symbols

    def decoded(self, symbols: Ints, mean: Ints) -> Ints:
        """y_hat in 1/2^fraction; raises LatentsChecksumError where it leaves the range."""
        y_hat = np.empty(mean.shape, np.int16)
        given = np.ascontiguousarray(symbols), np.ascontiguousarray(mean)
        if not _native.y_hat(*given, y_hat.size, self.fraction, y_hat):
            raise LatentsChecksumError(
                "a latent of the stream is out of range: this host computes other numbers; run"
                " c3d-export doctor"
            )
        return y_hat

    def by_waves(self, params: Ints, choose: Chooser) -> Ints:
        """y_hat (h, w, M) of mbt2018. params: (h, w, 2 M), of h_s. choose: called for each wave in
        decoding order."""
        height, width, m = params.shape[0], params.shape[1], self.latents
        y_hat = np.empty((height, width, m), np.int16)
        seen = np.zeros((height + REACH, width + 2 * REACH, m), np.int16)
        # Runs of 5 M numbers: what a position sees in one row.
        runs = sliding_window_view(seen.reshape(len(seen), -1), (2 * REACH + 1) * m, axis=1)
        for row, column in waves(height, width):
            index, mean = self._predict(runs, params[row, column], row, column)
            symbols = choose(index, mean, (row, column))
            decoded = self.decoded(symbols, mean)
            y_hat[row, column] = decoded
            seen[row + REACH, column + REACH] = decoded.clip(*self._seen)
        return y_hat

    def _predict(self, runs: Ints, params: Ints, row: Places, column: Places) -> tuple[Bytes, Ints]:
        m, begin = self.latents, column * self.latents
        above = [runs[row + r, begin] for r in range(REACH)]
        window = np.concatenate([*above, runs[row + REACH, begin][:, : REACH * m]], 1)
        context, *layers = self._layers
        x = np.concatenate([params, context(window).astype(np.int16)], 1)
        for layer in layers[:-1]:
            x = layer(x).astype(np.int16)
        return self.heads(layers[-1](x))


def _layer(bundle: Bundle, name: str) -> Dense:
    weight, bias, *floats = (bundle.arrays[f"{name}_{part}"] for part in DENSE_ARRAYS)
    scale, negative, low, high = floats
    return Dense(weight, bias, scale, negative, low, high)
