"""The widths of an `MbtSpec` by name, and where Torch-Pruning's graph is entered for each.

Latents may go too: the tables of this family are made when it is exported. What h_s and the context
convolution give to the entropy parameters is twice as wide as the latents, but its channels are not
theirs: two groups that follow in size, and keep the channels that matter most in each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...models.mbt.spec import MbtSpec

FOLLOWERS: Final = {"params": "h_s.4", "context": "context_prediction"}
"""Groups of 2 M channels of their own, and whose outputs they are; with a context model only."""
_STAGES: Final = ("g_a", "h_a", "h_s", "entropy_parameters", "g_s")
_LATENTS: Final = {"latents": "g_a.6", "hyper": "h_a.4"}


def widths_of(spec: MbtSpec) -> dict[str, int]:
    """Every width, in the order of the dataflow. All of them may shrink, down to 1."""
    inner = {
        name: {f"{name}.{i}": width for i, width in enumerate(getattr(spec, name))}
        for name in _STAGES
    }
    return {
        **inner["g_a"],
        "latents": spec.latents,
        **inner["h_a"],
        "hyper": spec.hyper,
        **inner["h_s"],
        **inner["entropy_parameters"],
        **inner["g_s"],
    }


def rebuilt(spec: MbtSpec, widths: Mapping[str, int]) -> MbtSpec:
    """`spec` with these widths, named as in `widths_of`, all of them."""
    inner: dict[str, Any] = {
        name: tuple(widths[f"{name}.{i}"] for i in range(len(getattr(spec, name))))
        for name in _STAGES
    }
    return MbtSpec(
        spec.name, spec.architecture, latents=widths["latents"], hyper=widths["hyper"], **inner
    )


def sizes_of(widths: Mapping[str, int]) -> dict[str, int]:
    """Channels of each group: the widths, and with a context model the two that follow."""
    if "entropy_parameters.0" not in widths:
        return dict(widths)
    return {**widths, **dict.fromkeys(FOLLOWERS, 2 * widths["latents"])}


def entry(spec: MbtSpec, name: str) -> tuple[str, str, int]:
    """Where a group is entered: a layer's path, "in" or "out", its first channel there."""
    if name in FOLLOWERS:
        return FOLLOWERS[name], "out", 0
    if name in _LATENTS:
        return _LATENTS[name], "out", 0
    part, _, last = name.rpartition(".")
    return f"{part}.{2 * int(last)}", "out", 0
