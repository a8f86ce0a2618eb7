"""Which channels matter: first-order Taylor importance on the rate-distortion loss.

The loss changes by about -w * dL/dw where a weight is set to zero (Molchanov et al., CVPR 2019,
"Importance estimation for neural network pruning", in its absolute first-order form), so a
channel's importance is the sum of |w * dL/dw| over every parameter that its group would lose.
The values are taken per batch and then added: gradients of opposite sign in two batches are two
uses of a weight, not none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.errors import OptionError
from ..models.network import Codec, Output, quality_lambdas
from ..train.centering import fold_centers
from ..train.crops import Pool, sample_batch
from ..train.loop import TrainConfig, distortion
from .groups import Member, Part, prunable_widths

TAYLOR = "taylor"
MAGNITUDE = "magnitude"
CROP_STEP = 64
"""A crop's side must be a multiple: one position of the hyper-latents."""


@dataclass(frozen=True)
class Importance:
    """kind: "taylor" or "magnitude". scores: by name of a group (`Part.name`), float64 (size,),
    not negative, mean 1 (or all 0 for a group that does nothing). totals: the same summed before
    the normalisation, to compare whole blocks of one trunk.
    """

    kind: str
    scores: Mapping[str, Tensor]
    totals: Mapping[str, float]

    def best(self, part: str, count: int) -> list[int]:
        """Indexes of the `count` most important channels, rising.

        Of equals the first are kept: networks that start from a KLT have their features by
        falling energy.
        """
        order = self.scores[part].argsort(descending=True, stable=True)
        return sorted(order[:count].tolist())


Values = Mapping[str, Tensor]
"""By parameter name: a value per weight, shaped like the parameter."""


def importance_of(
    model: Codec,
    pools: list[Pool] | None = None,
    *,
    batches: int = 16,
    batch: int = 8,
    crop: int = 128,
    seed: int = 0,
) -> Importance:
    """Taylor importance on crops of these frames; by weight magnitudes where there are none.

    crop: pixels a side, a multiple of 64. The model and the random state are left as they were.
    Raises OptionError on a bad number or on pools without frames.
    """
    if not pools:
        return magnitude_importance(model)
    if min(batches, batch) < 1 or crop < CROP_STEP or crop % CROP_STEP:
        raise OptionError(f"batches and batch must be 1 or more, crop a multiple of {CROP_STEP}")
    if not all(pool.frames for pool in pools):
        raise OptionError("a pool without frames: import frames of that game or leave it out")
    values = _taylor_values(copy.deepcopy(model), pools, batches, batch, crop, seed)
    return _collect(model, TAYLOR, values, _plain)


def magnitude_importance(model: Codec) -> Importance:
    """|w| instead of |w * dL/dw|: needs no frames, and knows nothing of what the frames need."""
    values = {name: p.detach().abs().double() for name, p in model.named_parameters()}
    # Magnitudes of two layers are in different units: each layer of a group counts the same.
    return _collect(model, MAGNITUDE, values, _normalised)


def _taylor_values(
    model: Codec, pools: list[Pool], batches: int, batch: int, crop: int, seed: int
) -> Values:
    fold_centers(model)
    model.train().requires_grad_(True)
    loss = _Loss(model)
    values = {n: torch.zeros_like(p, dtype=torch.float64) for n, p in model.named_parameters()}
    with torch.random.fork_rng(), torch.enable_grad():
        for step in range(batches):
            torch.manual_seed(seed * 1_000_003 + step)
            frame = sample_batch(pools, batch, crop, seed, step).to(model.planes.device)
            quality = torch.arange(step * batch, (step + 1) * batch) % model.spec.qualities
            model.zero_grad(set_to_none=True)
            loss(frame, quality).backward()  # type: ignore[no-untyped-call]
            for name, parameter in model.named_parameters():
                if parameter.grad is not None:
                    values[name] += (parameter.detach() * parameter.grad).abs().double()
    return values


class _Loss:
    """The loss of `train.loop`: lambda * MSE + bpp, over the running mean of its rate point."""

    def __init__(self, model: Codec) -> None:
        self.model = model
        self.lambdas = torch.tensor(quality_lambdas(model.spec.qualities))
        self.mean = torch.zeros(model.spec.qualities)
        self.memory = TrainConfig(steps=0).memory

    def __call__(self, frame: Tensor, quality: Tensor) -> Tensor:
        output: Output = self.model(frame, quality.to(frame.device))
        bpp = (output.bits_y + output.bits_z) / (frame.shape[2] * frame.shape[3])
        loss = self.lambdas[quality].to(frame.device) * distortion(output, frame) + bpp
        for q, value in zip(quality.tolist(), loss.detach().cpu(), strict=True):
            keep = self.memory if self.mean[q] > 0 else 0.0
            self.mean[q] = keep * self.mean[q] + (1 - keep) * value
        return (loss / self.mean[quality].to(frame.device)).mean()


def _collect(
    model: Codec, kind: str, values: Values, weigh: Callable[[Tensor], Tensor]
) -> Importance:
    parts = [part for width in prunable_widths(model) for part in width.parts]
    scores = {part.name: _score(part, values, weigh) for part in parts}
    totals = {part.name: float(_score(part, values, _plain).sum()) for part in parts}
    return Importance(kind, {name: _normalised(s) for name, s in scores.items()}, totals)


def _score(part: Part, values: Values, weigh: Callable[[Tensor], Tensor]) -> Tensor:
    total = torch.zeros(part.size, dtype=torch.float64)
    for member in part.members:
        total += weigh(_member_score(member, values))
    return total


def _member_score(member: Member, values: Values) -> Tensor:
    """(size,): the sum over the parameters of this layer that go with each index."""
    weight = values[f"{member.layer}.weight"].cpu()
    if member.side == "out":
        channel = weight.sum((1, 2, 3)) + values[f"{member.layer}.bias"].cpu()
    else:
        channel = weight.sum((0, 2, 3))
    return channel[torch.tensor(member.channels)].sum(1)


def _plain(score: Tensor) -> Tensor:
    return score


def _normalised(score: Tensor) -> Tensor:
    mean = score.mean()
    return score / mean if mean > 0 else score
