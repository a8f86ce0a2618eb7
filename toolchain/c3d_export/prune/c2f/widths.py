"""The widths of a `C2FSpec` by name, and where Torch-Pruning's graph is entered for each.

Unlike the own family, this one may lose latents too: its tables are made when it is exported.
A width that a depth-to-space divides counts channels after it: "fine.h_s.2" of 192 is 48.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...models.c2f.spec import PLACES, C2FSpec, LevelSpec, ReconstructionSpec

LEVELS = {"fine": ("2", "3"), "coarse": ("1", "2")}
"""Of each level: the number of its latents, and of those that its predictor serves."""


def widths_of(spec: C2FSpec) -> dict[str, int]:
    """Every width, in the order of the dataflow. All of them may shrink, down to 1."""
    widths = {**_indexed("g_a", spec.g_a), "latents": spec.latents}
    for name, level in _levels(spec).items():
        widths |= _level_widths(name, level)
    if spec.coarse is not None:
        widths["coarse.features"] = spec.upsampled
    r = spec.reconstruction
    return {
        **widths,
        **_indexed("g_s", spec.g_s),
        **_indexed("reconstruction.up", r.up),
        **_indexed("reconstruction.block", r.block),
        **_indexed("reconstruction.tail", r.tail),
    }


def rebuilt(spec: C2FSpec, widths: Mapping[str, int]) -> C2FSpec:
    """`spec` with these widths, named as in `widths_of`, all of them."""
    levels = {name: _level_of(name, widths) for name in _levels(spec)}
    if spec.coarse is not None:
        features = PLACES * widths["coarse.features"]
        levels["coarse"] = replace(levels["coarse"], features=features)
    return C2FSpec(
        spec.name,
        latents=widths["latents"],
        g_a=_tuple("g_a", widths, 3),
        g_s=_tuple("g_s", widths, 3),
        fine=levels["fine"],
        coarse=levels.get("coarse"),
        reconstruction=ReconstructionSpec(
            up=_tuple("reconstruction.up", widths, 3),
            block=_tuple("reconstruction.block", widths, 2),
            tail=_tuple("reconstruction.tail", widths, 2),
        ),
    )


def entry(spec: C2FSpec, name: str) -> tuple[str, str, int]:
    """Where a width's group is entered: a layer's path, "in" or "out", its first channel there.

    Behind a depth-to-space it is the layer that reads, since there one channel is one index.
    """
    part, _, last = name.rpartition(".")
    if name == "latents":
        return "g_a.6", "out", 0
    if part in ("g_a", "g_s"):
        return f"{part}.{2 * int(last)}", "out", 0
    if part.startswith("reconstruction"):
        return f"reconstruction.{_RECONSTRUCTION[part][int(last)]}", "out", 0
    level, _, kind = part.partition(".")
    return _level_entry(spec, level, kind or last, last)


def _level_entry(spec: C2FSpec, level: str, kind: str, last: str) -> tuple[str, str, int]:
    at, below = LEVELS[level]
    if kind == "latents":
        return f"h_a{at}.6", "out", 0
    if kind == "features":
        if level == "coarse":
            return "reconstruction.up1", "in", spec.fine.features
        return f"h_s{at}.6", "out", 0
    if kind == "predictor":
        return f"predictor{below}.conv{int(last) + 1}", "out", 0
    if kind == "h_s" and last == "2":
        return f"h_s{at}.6", "in", 0
    layers = {"h_a": ("0", "2", "4"), "h_s": ("0", "1")}[kind]
    return f"{kind}{at}.{layers[int(last)]}", "out", 0


_RECONSTRUCTION = {
    "reconstruction.up": ("up1", "up2", "up3"),
    "reconstruction.block": ("block1", "block2"),
    "reconstruction.tail": ("up4", "tail"),
}


def _levels(spec: C2FSpec) -> dict[str, LevelSpec]:
    return dict(zip(LEVELS, spec.levels, strict=False))


def _indexed(name: str, widths: tuple[int, ...]) -> dict[str, int]:
    return {f"{name}.{i}": width for i, width in enumerate(widths)}


def _tuple(name: str, widths: Mapping[str, int], count: int) -> Any:
    return tuple(widths[f"{name}.{i}"] for i in range(count))


def _level_widths(name: str, level: LevelSpec) -> dict[str, int]:
    return {
        **_indexed(f"{name}.h_a", level.h_a),
        f"{name}.latents": level.latents,
        **_indexed(f"{name}.h_s", (*level.h_s[:2], level.h_s[2] // PLACES)),
        f"{name}.features": level.features,
        **_indexed(f"{name}.predictor", level.predictor),
    }


def _level_of(name: str, widths: Mapping[str, int]) -> LevelSpec:
    a, b, c = _tuple(f"{name}.h_s", widths, 3)
    return LevelSpec(
        latents=widths[f"{name}.latents"],
        h_a=_tuple(f"{name}.h_a", widths, 3),
        h_s=(a, b, PLACES * c),
        features=widths[f"{name}.features"],
        predictor=_tuple(f"{name}.predictor", widths, 3),
    )
