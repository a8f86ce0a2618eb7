"""The codec in PyTorch integers: what every host must reproduce, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..models.entropy import FINE_PER_TABLE
from ..models.latents import CEILING, KNEE, SHALLOW
from ..models.network import Codec, first_step_mask
from ..models.spec import BLOCK
from ..runtime.activity import RAW_CHANNELS
from ..runtime.copies import FINE_MAX, FINE_MIN, FINE_ONE, NEAREST, all_runs
from .freeze import Parameters


@dataclass(frozen=True)
class Coded:
    """Everything between a frame and its picture.

    z: (hz, wz, Z) int16. symbols: (h, w, M) int16. indexes: (h, w, M) uint8, the table of each
    symbol. v: (h, w, M) uint8, the decoded latents + 128. frame: (H, W, 3) uint8.
    """

    z: NDArray[np.int16]
    symbols: NDArray[np.int16]
    indexes: NDArray[np.uint8]
    v: NDArray[np.uint8]
    frame: NDArray[np.uint8]


class _Step(NamedTuple):
    """Symbols, table indexes and latents in 1/256 of a unit, (1, C, h, w) each."""

    symbols: Tensor
    indexes: Tensor
    fine: Tensor

    @property
    def v(self) -> Tensor:
        return _rounded(self.fine, NEAREST)


def _rounded(fine: Tensor, offset: int) -> Tensor:
    return torch.div(fine + offset, FINE_ONE, rounding_mode="floor")


def _last(x: Tensor) -> NDArray[np.int16]:
    """(1, C, h, w) -> (h, w, C)."""
    array: NDArray[np.int16] = x[0].permute(1, 2, 0).contiguous().numpy().astype(np.int16)
    return array


def _bytes(x: Tensor) -> NDArray[np.uint8]:
    return _last(x).astype(np.uint8)


def padded_frame(frame: NDArray[np.uint8]) -> Tensor:
    """(1, 3, H', W') float64: pixels - 128, edges repeated to multiples of 16."""
    x = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None].double() - 128.0
    return F.pad(x, (0, -x.shape[3] % BLOCK, 0, -x.shape[2] % BLOCK), mode="replicate")


class ReferenceCodec:
    """Encodes and decodes with a frozen network; slow, exact, without an entropy coder."""

    def __init__(self, frozen: Codec, parameters: Parameters) -> None:
        self.net, self.parameters = frozen, parameters

    def _planes(self, x: Tensor, quality: int) -> Tensor:
        planes = torch.from_numpy(self.parameters.planes[quality].astype(np.float64)) - 128.0
        shape = (1, len(planes), x.shape[2], x.shape[3])
        return torch.cat([x.double(), planes.reshape(1, -1, 1, 1).expand(shape)], 1)

    def _row(self, name: str, quality: int) -> Tensor:
        row = getattr(self.parameters, name)[quality]
        return torch.from_numpy(row.astype(np.float32)).reshape(1, -1, 1, 1)

    def _indexes(self, fine: Tensor, quality: int, part: slice) -> Tensor:
        moved = fine.float() + self._row("offset", quality)[:, part]
        return torch.div(moved.clamp(0, 255), FINE_PER_TABLE, rounding_mode="floor")

    def _symbols(
        self, y: Tensor, mean: Tensor, indexes: Tensor, quality: int, part: slice
    ) -> Tensor:
        ratio = (y - mean.float()) * self._row("reciprocal", quality)[:, part]
        rounding = torch.from_numpy(self.parameters.rounding)[indexes.long()]
        return ratio.sign() * (ratio.abs().clamp(max=32000.0) + rounding).floor()

    def _fine(self, symbols: Tensor, mean: Tensor, quality: int, part: slice) -> Tensor:
        step = self._row("step", quality)[:, part].double()
        return (mean.double() * FINE_ONE + symbols.double() * step).clamp(FINE_MIN, FINE_MAX)

    @torch.no_grad()
    def analyse(self, frame: NDArray[np.uint8], quality: int) -> tuple[Tensor, Tensor]:
        """y (1, M, h, w) float32 and z (1, Z, hz, wz) float64 integers."""
        y = self.net.g_a(padded_frame(frame))
        height, width = y.shape[2:]
        rounded = y.round().clamp(-128, 127)
        padded = F.pad(rounded, (0, -width % 4, 0, -height % 4))
        return y, self.net.h_a(self._planes(self._activity(padded, quality), quality))

    def _activity(self, v: Tensor, quality: int) -> Tensor:
        """`Codec.activity` in integers: 32 a quantiser step, in 1/65536 of a unit of v."""
        factor = self._row("factor", quality)[:, : v.shape[1]].double()
        size = torch.div(v.double().abs() * factor + 32768, 65536, rounding_mode="floor")
        low = size.clamp(max=KNEE)
        high = torch.div(size.clamp(max=CEILING) - low, SHALLOW, rounding_mode="floor")
        size, base = low + high, self.net.spec.base
        raw = min(RAW_CHANNELS, base)
        signed = size[:, raw:base] * v[:, raw:base].sign()
        return torch.cat([v[:, :raw].double(), signed, size], 1)

    def _known(self, v: Tensor, quality: int) -> Tensor:
        return self._planes(self._activity(v, quality), quality)

    @torch.no_grad()
    def encode(self, frame: NDArray[np.uint8], quality: int) -> Coded:
        """frame: (H, W, 3) uint8; quality: 0..Q-1. The decoder's side included."""
        y, z = self.analyse(frame, quality)
        height, width = y.shape[2:]
        features, *prior = (t[..., :height, :width] for t in self.net.h_s(self._planes(z, quality)))
        base = self.net.spec.base
        y_base = y[:, :base]
        first = first_step_mask(y_base)
        one = self._step(y_base, prior, quality, 0)
        prior = self.net.g_cp(features, self._known(one.v * first, quality))
        two = self._step(y_base, prior, quality, 0)
        both = _Step(*(torch.where(first, a, b) for a, b in zip(one, two, strict=True)))
        prior = self.net.g_ep(features, self._known(both.v, quality))
        three = self._step(y[:, base:], prior, quality, base)
        every = _Step(*(torch.cat(pair, 1) for pair in zip(both, three, strict=True)))
        pixels = self.synthesise(every.fine, quality, frame.shape[0], frame.shape[1])
        v = _bytes(every.v + 128)
        return Coded(_last(z), _last(every.symbols), _bytes(every.indexes), v, pixels)

    def _step(self, y: Tensor, prior: Sequence[Tensor], quality: int, start: int) -> _Step:
        """One step's latents, the channels from `start` on; prior: mean and fine index."""
        mean, fine = prior
        part = slice(start, start + y.shape[1])
        indexes = self._indexes(fine, quality, part)
        symbols = self._symbols(y, mean, indexes, quality, part)
        return _Step(symbols, indexes, self._fine(symbols, mean, quality, part))

    @torch.no_grad()
    def synthesise(self, fine: Tensor, quality: int, height: int, width: int) -> NDArray[np.uint8]:
        runs = all_runs(self.net.spec.latents)
        parts = [_rounded(fine[:, r.first : r.first + r.channels], r.offset) for r in runs]
        x = self.net.g_s(self._planes(parts[0], quality), torch.cat(parts, 1))
        # Halves round up: floor(x + 1/2), as the C pass does with (8 x + 4) >> 3.
        pixels = (x.double() + 0.5).floor() + 128.0
        frame = _bytes(pixels.clamp(0, 255))[:height, :width]
        return np.ascontiguousarray(frame)
