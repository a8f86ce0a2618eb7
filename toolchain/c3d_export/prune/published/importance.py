"""Which channels of a published network matter, as `prune/importance.py` has it: the squared
gradient of a gate behind each channel, from its readers, on the loss that the network trains on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from ...core.errors import OptionError
from ...models.families import Network, family_of
from ...models.scaffold import Scaffold, Staged
from ...train.crops import Pool, sample_batch
from ...train.objectives import Objective
from ...train.schedules import WHOLE
from ..importance import MAGNITUDE, TAYLOR, Importance, Sampling, importance_from, normalised
from .groups import Groups, Member, groups_of

DEFAULT: Final = Sampling()


def magnitude_importance(model: Network) -> Importance:
    """By |w| of all layers of a group, each counting the same: needs no frames."""
    values = {name: p.detach().abs().double() for name, p in model.named_parameters()}
    scores = {}
    for name, members in groups_of(model).items():
        layers = [m for m in members if m.side != "both" and f"{m.layer}.weight" in values]
        each = [_score(model, member, values) for member in layers]
        scores[name] = torch.stack([normalised(score) for score in each]).sum(0)
    return importance_from(MAGNITUDE, scores)


def taylor_importance(
    model: Network,
    pools: list[Pool],
    objective: Objective,
    sampling: Sampling = DEFAULT,
    report: Callable[[int], None] | None = None,
) -> Importance:
    """On crops of these frames. The model and the random state are left as they were. report: gets
    the number of batches that are done.

    Raises OptionError on a pool without frames and on crops that are too small.
    """
    if not pools or not all(pool.frames for pool in pools):
        raise OptionError("a pool without frames: import frames of that game or leave it out")
    objective.check_crop(sampling.crop)
    groups, model = groups_of(model), copy.deepcopy(model).requires_grad_(True)
    scores = {
        name: torch.zeros(len(members[0].channels)).double() for name, members in groups.items()
    }
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        scaffold = family_of(model).scaffold(model).train()
        for step in range(sampling.batches):
            torch.manual_seed(sampling.seed * 1_000_003 + step)
            frame = sample_batch(pools, sampling.batch, sampling.crop, sampling.seed, step)
            _backward(scaffold, frame, objective)
            for name, gate in _gates(model, groups).items():
                scores[name] += gate.square() / sampling.batches
            if report is not None:
                report(step + 1)
    return importance_from(TAYLOR, scores)


def _backward(scaffold: Scaffold, frame: Tensor, objective: Objective) -> None:
    scaffold.zero_grad(set_to_none=True)
    out: Staged = scaffold(frame, WHOLE)
    objective.loss(out.x_hat, frame, out.bits).mean().backward()  # type: ignore[no-untyped-call]


def _gates(model: Network, groups: Groups) -> dict[str, Tensor]:
    values = {
        name: (parameter.detach() * parameter.grad).double()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    readers = {name: [m for m in members if m.side == "in"] for name, members in groups.items()}
    return {
        name: torch.stack([_score(model, member, values) for member in members]).sum(0)
        for name, members in readers.items()
    }


def _score(model: Network, member: Member, values: Mapping[str, Tensor]) -> Tensor:
    """(size of the width,): the sum over the weights that go with each index."""
    weight = values[f"{member.layer}.weight"].cpu()
    axis = int(member.side == "in")
    if isinstance(model.get_submodule(member.layer), nn.ConvTranspose2d):
        axis = 1 - axis
    others = tuple(i for i in range(weight.dim()) if i != axis)
    return weight.sum(others)[torch.tensor(member.channels)].sum(1)
