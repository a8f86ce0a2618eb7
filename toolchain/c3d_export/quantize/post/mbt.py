"""The entropy path of mbt2018-mean and mbt2018 in integers.

    z (whole) ones                    y_hat (1/2^f, cut to its range)
        |     |                          |
        +-----+--> h_s -> params      context
                    |        |           |
        (mean:) heads     parameters <---+ (mbt2018)
                             |
                           heads: scale (1/256) -> table index, mean (1/2^f)

z is coded as whole distances from its medians. These are no whole numbers, but z_hat enters a
linear layer: a plane of ones brings them in, padded with zeros as z_hat is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.entropy import SCALE_MIN, STEPS_PER_OCTAVE, TABLES
from ...runtime.hyperprior.waves import REACH, waves
from .certificate import SumCertificate, certify
from .convert import IN_FLOAT32, IN_INT16
from .grid import Grid
from .layer import IntegerChain, IntegerLayer

SCALE_ONE: Final = 256
"""Units of a scale in 1; table 0 ends at 28 of them."""
SCALE_LARGEST: Final = 65535
LATENT_LARGEST: Final = 32767


def scale_thresholds() -> list[int]:
    """Scale (in 1/SCALE_ONE) from which on each table but the first is used: the geometric middles
    between the tables' own scales (`quantize/tables.py`)."""
    fine = [(STEPS_PER_OCTAVE // 6) * table - 0.5 for table in range(1, TABLES)]
    return [round(SCALE_ONE * SCALE_MIN * 2 ** (f / STEPS_PER_OCTAVE)) for f in fine]


@dataclass(frozen=True)
class Coded:
    """What a decoder has: symbols and table indexes (1, M, h, w), and y_hat in 1/2^fraction."""

    symbols: Tensor
    indexes: Tensor
    y_hat: Tensor


class EntropyPath(nn.Module):
    """The integer networks of one codec.

    fraction: bits behind the point of means and latents. z_range: units of z. context: what the
    context model is, with the range to which it cuts its inputs, None in mbt2018-mean.
    """

    thresholds: Tensor

    def __init__(
        self,
        h_s: IntegerChain,
        z_range: Grid,
        fraction: int,
        context: IntegerLayer | None = None,
        parameters: IntegerChain | None = None,
    ) -> None:
        super().__init__()
        self.h_s, self.z_range, self.fraction = h_s, z_range, fraction
        self.context, self.entropy_parameters = context, parameters
        self.register_buffer("thresholds", torch.tensor(scale_thresholds(), dtype=torch.float32))

    def hyper(self, z: Tensor) -> Tensor:
        """z: (B, N, h, w) whole -> what h_s gives (B, 2 M, 4 h, 4 w), whole, float32."""
        ones = torch.ones_like(z[:, :1])
        out: Tensor = self.h_s(torch.cat([z, ones], 1))
        return out

    def clipped_z(self, z: Tensor) -> Tensor:
        """Rounded hyper-latents (distances from the medians) within the range of the proof."""
        low, high = (t[:-1, None, None] for t in (self.z_range.low, self.z_range.high))
        return z.round().double().clamp(low, high).float()

    def gaussians(self, params: Tensor, y_hat: Tensor) -> tuple[Tensor, Tensor]:
        """Table index and mean (1/2^fraction), each (B, M, h, w), from all of y_hat at once."""
        if self.context is None or self.entropy_parameters is None:
            return self.heads(params)
        return self.heads(
            self.entropy_parameters(torch.cat([params, self.context(self._seen(y_hat))], 1))
        )

    def heads(self, out: Tensor) -> tuple[Tensor, Tensor]:
        scale, mean = out.chunk(2, 1)
        return torch.bucketize(scale.contiguous(), self.thresholds, right=True), mean

    def _seen(self, y_hat: Tensor) -> Tensor:
        assert self.context is not None
        low, high = (t[:, None, None] for t in (self.context.source.low, self.context.source.high))
        return y_hat.double().clamp(low, high)

    def symbols(self, y: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
        """y: float, mean in 1/2^fraction -> symbols, and y_hat in 1/2^fraction."""
        one = float(1 << self.fraction)
        symbols = (y.float() - mean / one).round().clamp(-LATENT_LARGEST, LATENT_LARGEST)
        y_hat = symbols * one + mean
        # What would leave the range becomes the nearest symbol that does not.
        over = (y_hat.abs() > LATENT_LARGEST) * y_hat.sign()
        edge = torch.trunc((over * LATENT_LARGEST - mean) / one)
        symbols = torch.where(over != 0, edge, symbols)
        return symbols, symbols * one + mean

    @torch.no_grad()
    def code(self, y: Tensor, z: Tensor) -> Coded:
        """y: (1, M, h, w) float; z: (1, N, hz, wz) whole -> what the decoder will have."""
        params = self.hyper(z)[:, :, : y.shape[2], : y.shape[3]]
        if self.context is None:
            indexes, mean = self.heads(params)
            symbols, y_hat = self.symbols(y, mean)
            return Coded(symbols, indexes, y_hat)
        return Coded(*by_waves(y, params, self._at, self.symbols))

    def _at(self, windows: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """windows: (P, M, 5, 5) of y_hat, params: (P, 2 M, 1, 1) -> as `gaussians`."""
        assert self.context is not None
        assert self.entropy_parameters is not None
        context = self.context.requantised(self.context.accumulate(self._seen(windows), padding=0))
        return self.heads(self.entropy_parameters(torch.cat([params, context], 1)))

    def certificates(self) -> list[SumCertificate]:
        """Raises CertificateError where a layer has no proof."""
        made = [certify(f"h_s.{i}", x, IN_FLOAT32) for i, x in enumerate(self.h_s.layers())]
        if self.context is not None and self.entropy_parameters is not None:
            made.append(certify("context_prediction", self.context, IN_INT16))
            rest = enumerate(self.entropy_parameters.layers())
            made += [certify(f"entropy_parameters.{i}", x, IN_INT16) for i, x in rest]
        return made


At = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Quantiser = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def by_waves(y: Tensor, params: Tensor, at: At, quantise: Quantiser) -> tuple[Tensor, ...]:
    """Codes y (1, M, h, w) wave by wave: symbols, first output of `at`, and y_hat.

    at: windows of y_hat (P, M, 5, 5) and params (P, 2 M, 1, 1) -> (scale or index, mean).
    quantise: y and mean -> symbols and y_hat; all (P, M, 1, 1).
    """
    height, width = y.shape[2:]
    padded = F.pad(torch.zeros_like(y), [REACH] * 4)
    made = [torch.zeros_like(y), torch.zeros_like(y)]
    around = np.arange(2 * REACH + 1)
    for row, column in waves(height, width):
        rows = torch.from_numpy(row[:, None, None] + around[:, None])
        columns = torch.from_numpy(column[:, None, None] + around[None, :])
        windows = padded[0][:, rows, columns].transpose(0, 1)
        r, c = torch.from_numpy(row), torch.from_numpy(column)
        first, mean = at(windows, params[0][:, r, c].T[:, :, None, None])
        symbols, y_hat = quantise(y[0][:, r, c].T[:, :, None, None], mean)
        made[0][0][:, r, c] = symbols[:, :, 0, 0].T
        made[1][0][:, r, c] = first[:, :, 0, 0].T.to(y.dtype)
        padded[0][:, r + REACH, c + REACH] = y_hat[:, :, 0, 0].T
    inner = slice(REACH, -REACH)
    return (*made, padded[:, :, inner, inner])
