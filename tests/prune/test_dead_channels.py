"""The strong test: removing what does nothing changes not one bit of the outputs.

The network runs in its integer simulation with weights that are integers times powers of two, so
that every sum is exact and the order of summation, which changes with the widths, is no excuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from c3d_export.models.layers import IntConv2d
from c3d_export.models.network import Codec
from c3d_export.models.spec import SIZES, CodecSpec, StageSpec
from c3d_export.prune.apply import prune_codec
from c3d_export.prune.groups import Part
from c3d_export.prune.importance import Importance, magnitude_importance
from c3d_export.prune.planner import Planner
from c3d_export.prune.widths import spec_widths, with_widths

XSMALL = SIZES["xsmall"]
NARROW = {name: now // 4 * 2 + 8 for name, now in spec_widths(XSMALL).items()}

Outputs = Callable[[Codec], list[Tensor]]


def _layers(model: Codec) -> list[IntConv2d]:
    return [layer for layer in model.modules() if isinstance(layer, IntConv2d)]


@torch.no_grad()
def _silence(model: Codec, part: Part, dead: list[int]) -> None:
    for member in part.members:
        layer = model.get_submodule(member.layer)
        assert isinstance(layer, IntConv2d)
        assert layer.bias is not None
        channels = [c for index in dead for c in member.channels[index]]
        if member.side == "out":
            layer.weight[channels] = 0.0
            layer.bias[channels] = 0.0
        else:
            # What a dead channel was to its consumers must not set their integer grid.
            layer.weight[:, channels] = 0.0


@torch.no_grad()
def _to_exact_grid(model: Codec) -> None:
    for layer in _layers(model):
        largest = layer.weight.abs().amax((1, 2, 3), keepdim=True).clamp_min(2.0**-20)
        power = torch.exp2(largest.log2().floor())
        layer.weight.copy_((layer.weight / largest * 64).round() * power / 64)
    model.quantize(True)


def _dead(importance: Importance, part: Part, then: int) -> list[int]:
    kept = importance.best(part.name, part.factor * then)
    return sorted(set(range(part.size)) - set(kept))


def _narrowed(names: list[str]) -> CodecSpec:
    return with_widths(XSMALL, spec_widths(XSMALL) | {name: NARROW[name] for name in names})


def _equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def _belongs(part: str, name: str) -> bool:
    return part == name or (name == "g_ep" and part.startswith(("g_cp.", "g_ep.")))


def _check_unchanged(
    model: Codec,
    importance: Importance,
    parts: dict[str, Part],
    names: list[str],
    outputs: Outputs,
) -> None:
    for name in names:
        for part in (p for key, p in parts.items() if _belongs(key, name)):
            _silence(model, part, _dead(importance, part, NARROW[name]))
    _to_exact_grid(model)
    before = outputs(model)
    target = Planner(model, importance).by_target(_narrowed(names))
    pruned, _ = prune_codec(model, target, importance)
    assert pruned.spec == _narrowed(names)
    assert _equal(outputs(pruned), before)
    # The control, without which this might compare constants: the worst choice is noticed.
    worst = {name: -score for name, score in importance.scores.items()}
    wrong, _ = prune_codec(model, target, replace(importance, scores=worst))
    assert not _equal(outputs(wrong), before)


@pytest.mark.parametrize("name", NARROW)
def test_dead_channels_of_one_width(
    model: Codec, importance: Importance, parts: dict[str, Part], name: str, outputs: Outputs
) -> None:
    _check_unchanged(model, importance, parts, [name], outputs)


def test_dead_channels_of_all_widths(
    model: Codec, importance: Importance, parts: dict[str, Part], outputs: Outputs
) -> None:
    _check_unchanged(model, importance, parts, list(NARROW), outputs)


def test_a_dead_block_can_be_left_out(
    make_model: Callable[[CodecSpec], Codec], outputs: Outputs
) -> None:
    deep, flat = (StageSpec(48, (48,) * n, 96, (96,) * n) for n in (2, 1))
    wanted = replace(XSMALL, g_a=flat, g_s=flat)
    model = make_model(replace(XSMALL, g_a=deep, g_s=deep))
    for path in ("g_a.high.0", "g_a.low.1", "g_s.high.1", "g_s.low.0"):
        layer = model.get_submodule(f"{path}.conv2")
        assert isinstance(layer, IntConv2d)
        assert layer.bias is not None
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    _to_exact_grid(model)
    before = outputs(model)
    importance = magnitude_importance(model)
    target = Planner(model, importance).by_target(wanted)
    assert set(target.dropped) == {
        *("g_a.high_inner.0", "g_a.low_inner.1", "g_s.high_inner.1", "g_s.low_inner.0")
    }
    pruned, _ = prune_codec(model, target, importance)
    assert pruned.spec == wanted
    assert _equal(outputs(pruned), before)
