"""Which channels matter: squared first-order Taylor importance on the rate-distortion loss.

To remove a channel is to close a gate behind it, and to first order the loss of a batch changes by
the gate's gradient: the sum of w * dL/dw over the weights that read the channel. Its square, the
mean over the batches, is the importance (Molchanov et al., CVPR 2019, equation 8; of a gate, the
empirical Fisher information). Squares of single batches, since effects of opposite sign are two
uses of a channel and not none. docs/pruning.md compares it with what else was tried.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.errors import OptionError
from ..models.network import Codec, Output, quality_lambdas
from ..train.centering import fold_centers
from ..train.config import TrainConfig
from ..train.crops import Pool, sample_batch
from ..train.loop import distortion
from .groups import Member, Part, prunable_widths

TAYLOR = "taylor-squared"
MAGNITUDE = "magnitude"
CROP_STEP = 64
"""A crop's side must be a multiple: one position of the hyper-latents."""


@dataclass(frozen=True)
class Importance:
    """kind: TAYLOR or MAGNITUDE. scores: by name of a group (`Part.name`), float64 (size,), not
    negative, mean 1 (or all 0 for a group that does nothing). totals: the same summed before the
    normalisation, to compare groups with one another.
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

    def losses(self, part: str) -> list[float]:
        """What goes where the n most important channels stay, n = 0..size, in units of `totals`."""
        scores = self.scores[part].sort(descending=True).values
        kept = [0.0, *(scores.cumsum(0) / len(scores)).tolist()]
        return [self.totals[part] * max(0.0, kept[-1] - share) for share in kept]


Values = Mapping[str, Tensor]
"""By parameter name: a value per weight, shaped like the parameter."""


@dataclass(frozen=True)
class Sampling:
    """The crops that importance is measured on. crop: pixels a side, a multiple of 64.

    Raises OptionError on a bad number.
    """

    batches: int = 64
    batch: int = 2
    crop: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.batches, self.batch) < 1 or self.crop < CROP_STEP or self.crop % CROP_STEP:
            raise OptionError(
                f"batches and batch must be 1 or more, crop a multiple of {CROP_STEP}"
            )


def importance_of(
    model: Codec,
    pools: list[Pool] | None = None,
    sampling: Sampling = Sampling(),
) -> Importance:
    """Taylor importance on crops of these frames, every game with the same number of them; by
    weight magnitudes where there are none.

    The model and the random state are left as they were. Raises OptionError on a pool without
    frames.
    """
    if not pools:
        return magnitude_importance(model)
    if not all(pool.frames for pool in pools):
        raise OptionError("a pool without frames: import frames of that game or leave it out")
    return importance_from(TAYLOR, _taylor(copy.deepcopy(model), _parts(model), pools, sampling))


def magnitude_importance(model: Codec) -> Importance:
    """By |w|: needs no frames, and knows nothing of what the frames need."""
    values = {name: p.detach().abs().double() for name, p in model.named_parameters()}
    # Magnitudes of two layers are in different units: each layer of a group counts the same.
    scores = {
        part.name: _sum(part, [normalised(_member_score(m, values)) for m in part.members])
        for part in _parts(model)
    }
    return importance_from(MAGNITUDE, scores)


def _parts(model: Codec) -> list[Part]:
    return [part for width in prunable_widths(model) for part in width.parts]


def _taylor(
    model: Codec, parts: list[Part], pools: list[Pool], sampling: Sampling
) -> dict[str, Tensor]:
    fold_centers(model)
    model.train().requires_grad_(True)
    loss, batch, seed = _Loss(model), sampling.batch, sampling.seed
    scores = {part.name: _sum(part, []) for part in parts}
    with torch.random.fork_rng(), torch.enable_grad():
        for step in range(sampling.batches):
            torch.manual_seed(seed * 1_000_003 + step)
            frame = sample_batch(pools, batch, sampling.crop, seed, step).to(model.planes.device)
            quality = rate_points(step, batch, model.spec.qualities)
            model.zero_grad(set_to_none=True)
            loss(frame, quality).backward()  # type: ignore[no-untyped-call]
            for part, gate in zip(parts, _gates(model, parts), strict=True):
                scores[part.name] += gate.square() / sampling.batches
    return scores


def rate_points(step: int, batch: int, count: int) -> Tensor:
    """(batch,) int64: the rate points of one batch, in turns.

    One further with every turn: games take turns too, and with 2 or 4 of them each rate point would
    meet one game for ever.
    """
    places = torch.arange(step * batch, (step + 1) * batch)
    return (places + places // count) % count


def _gates(model: Codec, parts: list[Part]) -> list[Tensor]:
    """For each part, (size,): the gradient of a gate behind each channel, from its readers."""
    values = {
        name: (parameter.detach() * parameter.grad).double()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    readers = [[member for member in part.members if member.side == "in"] for part in parts]
    return [
        _sum(part, [_member_score(member, values) for member in members])
        for part, members in zip(parts, readers, strict=True)
    ]


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


def importance_from(kind: str, scores: dict[str, Tensor]) -> Importance:
    """Of scores as they were measured, by name of a group."""
    totals = {name: float(score.sum()) for name, score in scores.items()}
    return Importance(kind, {name: normalised(s) for name, s in scores.items()}, totals)


def _sum(part: Part, terms: list[Tensor]) -> Tensor:
    return sum(terms, torch.zeros(part.size, dtype=torch.float64))


def _member_score(member: Member, values: Values) -> Tensor:
    """(size,): the sum over the parameters of this layer that go with each index."""
    weight = values[f"{member.layer}.weight"].cpu()
    if member.side == "out":
        channel = weight.sum((1, 2, 3)) + values[f"{member.layer}.bias"].cpu()
    else:
        channel = weight.sum((0, 2, 3))
    return channel[torch.tensor(member.channels)].sum(1)


def normalised(score: Tensor) -> Tensor:
    """With mean 1, or all 0 as it was."""
    mean = score.mean()
    return score / mean if mean > 0 else score
