"""Start a network as a transform codec: block KLT of the frames in its linear paths.

The KLT (PCA) of 16x16x3 pixel blocks gives M orthonormal components; g_a's linear path projects
on them, g_s's linear branches come back, the index head starts at the components' spread, and
the steps follow from lambda. Training then begins at a usable codec instead of at noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..runtime.copies import copied_channels
from .layers import BIAS_UNIT, IntConv2d
from .means import mean_colours, start_means
from .network import Codec, initial_fine, initial_step, quality_lambdas
from .spec import BLOCK, BLOCK_CHANNELS, PATCH, PATCH_CHANNELS
from .transforms import LINEAR_UNIT

RANGE = 115.0
"""Units of v that the largest coefficient of a component takes (127 would leave no headroom)."""
JOINT = 6
"""Components of an 8x8 patch that are transformed jointly over the 16x16 block."""
FEATURE_RANGE = 230.0
"""The same for the trunks' first features, of 0..255."""


def blocks_of(frame: Tensor, size: int = BLOCK) -> Tensor:
    """(H, W, 3) uint8 -> (n, 3 size^2) float32 blocks of pixels - 128, row-major, channel last."""
    height, width, _ = frame.shape
    rows, columns = height // size, width // size
    cut = frame[: rows * size, : columns * size].reshape(rows, size, columns, size, 3)
    return cut.permute(0, 2, 1, 3, 4).reshape(-1, 3 * size * size).float() - 128.0


@dataclass(frozen=True)
class Basis:
    """KLT of square blocks. vectors: (3 size^2, count), orthonormal, by falling energy.

    largest: (count,) 99.99 % quantile of each component's magnitude per frame, the maximum over
    the frames. deviation: (count,) root mean square.
    """

    vectors: Tensor
    largest: Tensor
    deviation: Tensor


def block_klt(frames: list[Tensor], weights: list[float], size: int, count: int) -> Basis:
    """Principal components of the frames' blocks (weighted second moments about mid-grey)."""
    basis = _components(_moment(frames, weights, size))[:, :count].contiguous()
    return Basis(basis, *_spread(frames, basis, size))


def two_level_klt(frames: list[Tensor], weights: list[float], count: int) -> Basis:
    """KLT of 8x8 patches, whose JOINT strongest components are joined over a 16x16 block.

    Rendered edges are hard and local: a 16x16 transform spreads each of them over 256 pixels,
    while smooth areas want it. This basis is the 16x16 one where it pays and the 8x8 one elsewhere
    (measured with one context model: +.4 to +.6 dB over the 16x16 KLT at .25 to 1 bpp).
    """
    patch = _components(_moment(frames, weights, PATCH))
    spread = torch.stack([_in_block(patch, place) for place in range((BLOCK // PATCH) ** 2)], 2)
    low = spread[:, :JOINT].reshape(BLOCK_CHANNELS, -1)
    high = spread[:, JOINT:].reshape(BLOCK_CHANNELS, -1)
    moment = _moment(frames, weights, BLOCK)
    low = low @ _components(low.T.double() @ moment @ low.double())
    both = torch.cat([low, high], 1)
    energy = ((both.T.double() @ moment) * both.T).sum(1)
    chosen = torch.argsort(energy, descending=True, stable=True)[:count]
    basis = both[:, chosen].contiguous()
    return Basis(basis, *_spread(frames, basis, BLOCK))


def _in_block(patch: Tensor, place: int) -> Tensor:
    """(192, n) patch components as (768, n) components of a block, at one of its four places."""
    ratio = BLOCK // PATCH
    block = torch.zeros(ratio, PATCH, ratio, PATCH * 3, patch.shape[1])
    block[place // ratio, :, place % ratio] = patch.reshape(PATCH, PATCH * 3, -1)
    return block.reshape(BLOCK_CHANNELS, -1)


def _moment(frames: list[Tensor], weights: list[float], size: int) -> Tensor:
    moment = torch.zeros(3 * size * size, 3 * size * size, dtype=torch.float64)
    for frame, weight in zip(frames, weights, strict=True):
        blocks = blocks_of(frame, size)
        moment += weight / len(blocks) * (blocks.T @ blocks).double()
    return moment


def _components(moment: Tensor) -> Tensor:
    """Eigenvectors as columns, by falling eigenvalue."""
    vectors: Tensor = torch.linalg.eigh(moment).eigenvectors
    return vectors.flip(1).float()


def _spread(frames: list[Tensor], basis: Tensor, size: int) -> tuple[Tensor, Tensor]:
    largest = torch.zeros(basis.shape[1])
    square = torch.zeros(basis.shape[1])
    for frame in frames:
        y = blocks_of(frame, size) @ basis
        kept = max(1, len(y) // 10_000)
        largest = torch.maximum(largest, y.abs().topk(min(kept + 1, len(y)), dim=0).values[-1])
        square += (y**2).mean(0) / len(frames)
    return largest, square.sqrt()


def _set(conv: IntConv2d, matrix: Tensor) -> None:
    conv.weight[: len(matrix), : matrix.shape[1]] = matrix[:, :, None, None]


def _set_pixels(model: Codec, matrix: Tensor) -> None:
    """matrix: (768, M). The copies of a latent share its weight."""
    columns = copied_channels(model.spec.latents)
    copies = torch.bincount(torch.tensor(columns))
    model.g_s.pixels.weight.zero_()
    _set(model.g_s.pixels, (matrix / copies)[:, columns])


def _both_signs(rows: Tensor) -> Tensor:
    """(n, m) -> (2n, m): each row and its negative, so that a ReLU pair keeps both signs."""
    return torch.stack([rows, -rows], 1).reshape(-1, rows.shape[1])


def _start_trunks(model: Codec, blocks: Basis, patches: Basis, unit: Tensor) -> None:
    """Trunks begin at whitened features: signed pairs of KLT coefficients.

    Random projections of pixels are all nearly the mean brightness (the spread of a patch's
    components is 1 to 1000), and training would spend its time on undoing that.
    """
    model.g_a.patch.weight.zero_()
    pairs = min(model.spec.g_a.high, len(patches.vectors)) // 2
    gain = FEATURE_RANGE / patches.largest[:pairs]
    _set(model.g_a.patch, _both_signs((patches.vectors[:, :pairs] * gain).T))
    low = min(model.spec.g_s.low // 2, model.spec.latents)
    model.g_s.enter.weight.zero_()
    _set(model.g_s.enter, _both_signs(torch.eye(low) * (FEATURE_RANGE / RANGE)))
    _start_up(model, blocks.vectors[:, :low] * (unit[:low] * RANGE / FEATURE_RANGE), patches)


def _start_up(model: Codec, to_pixels: Tensor, patches: Basis) -> None:
    """g_s.up: the block that the low-pass latents decode to, as KLT features of its patches."""
    pairs = min(model.spec.g_s.high, len(patches.vectors)) // 2
    analysis = patches.vectors[:, :pairs] * (FEATURE_RANGE / patches.largest[:pairs])
    ratio = BLOCK // PATCH
    grid = to_pixels.T.reshape(-1, ratio, PATCH, ratio, PATCH, 3).permute(1, 3, 0, 2, 4, 5)
    model.g_s.up.weight.zero_()
    for place, sub in enumerate(grid.reshape(ratio * ratio, -1, PATCH_CHANNELS)):
        rows = _both_signs((sub @ analysis).T)
        columns = _both_signs(rows.T).T
        start = place * model.spec.g_s.high
        model.g_s.up.weight[start : start + len(rows), : columns.shape[1], 0, 0] = columns


@torch.no_grad()
def initialize_from_frames(model: Codec, frames: list[Tensor], weights: list[float]) -> None:
    """Sets linear paths, first trunk layers, steps and initial scales in place.

    frames: (H, W, 3) uint8, sides of at least 16; weights: one per frame (to balance games).
    """
    spec = model.spec
    klt = two_level_klt(frames, weights, spec.latents)
    unit = (klt.largest / RANGE).clamp_min(0.25)
    _set(model.g_a.linear, klt.vectors.T / unit[:, None])
    _set_pixels(model, klt.vectors * (unit / LINEAR_UNIT))
    _start_trunks(model, klt, block_klt(frames, weights, PATCH, PATCH_CHANNELS), unit)
    start_means(model, mean_colours(klt.vectors, spec.base), klt.deviation / unit)
    fine = initial_fine(klt.deviation / unit) / BIAS_UNIT
    for part, own in ((model.h_s, fine[: spec.base]), (model.g_cp, fine[: spec.base]),
                      (model.g_ep, fine[spec.base :])):  # fmt: skip
        assert part.index.bias is not None
        part.index.bias.copy_(own)
    for row, lam in enumerate(quality_lambdas(spec.qualities)):
        model.log_step[row] = torch.log(initial_step(lam) / unit)
