"""The widths of a `CodecSpec` by name: the vocabulary of everything in this folder.

Names are those of the spec: "g_a.high", "g_a.high_inner.0", "g_s.low", "h_a", "h_s.0", "g_ep".
The latents M, the hyper-latents Z, the base and the planes are no widths in this sense: streams,
tables and known answers hang on them, and they are the same in every size of the family.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..core.errors import OptionError
from ..models.spec import BLOCK, PATCH, CodecSpec, StageSpec

TRANSFORMS = ("g_a", "g_s")
"""What a share of MACs refers to: the transforms whose hidden widths a ratio shrinks."""


def spec_widths(spec: CodecSpec) -> dict[str, int]:
    """Every width that may shrink, in the order of the dataflow: g_a, h_a, h_s, g_ep, g_s."""
    widths = _stage_widths("g_a", spec.g_a)
    widths["h_a"] = spec.h_a
    widths.update({f"h_s.{i}": width for i, width in enumerate(spec.h_s)})
    widths["g_ep"] = spec.g_ep
    widths.update(_stage_widths("g_s", spec.g_s))
    return widths


def _stage_widths(name: str, stage: StageSpec) -> dict[str, int]:
    widths = {f"{name}.high": stage.high}
    widths.update({f"{name}.high_inner.{i}": n for i, n in enumerate(stage.high_inner)})
    widths[f"{name}.low"] = stage.low
    widths.update({f"{name}.low_inner.{i}": n for i, n in enumerate(stage.low_inner)})
    return widths


def with_widths(spec: CodecSpec, widths: Mapping[str, int]) -> CodecSpec:
    """`spec` with these widths; an inner width of 0 stands for a residual block left out.

    widths: the names of `spec_widths(spec)`, all of them. Raises KeyError on a missing name.
    """
    return replace(
        spec,
        g_a=_stage_of("g_a", spec.g_a, widths),
        g_s=_stage_of("g_s", spec.g_s, widths),
        h_a=widths["h_a"],
        h_s=(widths["h_s.0"], widths["h_s.1"], widths["h_s.2"]),
        g_ep=widths["g_ep"],
    )


def _stage_of(name: str, stage: StageSpec, widths: Mapping[str, int]) -> StageSpec:
    high = [widths[f"{name}.high_inner.{i}"] for i in range(len(stage.high_inner))]
    low = [widths[f"{name}.low_inner.{i}"] for i in range(len(stage.low_inner))]
    return StageSpec(
        widths[f"{name}.high"],
        tuple(n for n in high if n > 0),
        widths[f"{name}.low"],
        tuple(n for n in low if n > 0),
    )


def resolution(name: str) -> int:
    """Pixels a side of one position where a width lives: 8, 16 or 32."""
    if name in ("h_a", "h_s.0"):
        return 2 * BLOCK
    return PATCH if ".high" in name else BLOCK


def is_transform(name: str) -> bool:
    return name.startswith(tuple(f"{transform}." for transform in TRANSFORMS))


def is_block(name: str) -> bool:
    """Whether the width belongs to one residual block, which can be left out as a whole."""
    return "_inner." in name


def block_path(name: str) -> tuple[str, int]:
    """ "g_s.high_inner.1" -> ("g_s.high", 1): the trunk's module and the block's place in it."""
    trunk, _, index = name.rpartition("_inner.")
    return trunk, int(index)


def check_fixed(now: CodecSpec, then: CodecSpec) -> None:
    """Raises OptionError where `then` differs from `now` in a number that must not change."""
    for field in ("latents", "base", "hyper", "qualities"):
        old, new = getattr(now, field), getattr(then, field)
        if old != new:
            raise OptionError(
                f"{then.name} has {new} {field}, {now.name} has {old}: pruning keeps that number, "
                "choose a target of the same family"
            )
