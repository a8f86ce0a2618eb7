"""Widths of the coarse-to-fine networks, in one frozen record.

Published in Hu et al., AAAI 2020 (`sota`), and Wang et al., ECCV 2022 (AppSpecificLIC: `large` to
`xsmall`). There they are four copies of one network; here a network is a spec and a state dict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

MULTIPLE: Final = 64
"""Pixels a side of one position of z1: a frame is padded to whole ones."""
PLACES: Final = 4
"""Positions that a depth-to-space by 2 makes of one."""
MAX_WIDTH: Final = 8192
"""Four times the widest published layer: a hostile spec must not ask for all memory."""


@dataclass(frozen=True)
class LevelSpec:
    """One level of the hyperprior: its latents, and what they say of the level below.

    latents: channels of z. h_a: outputs of the 3x3 layer and of the two 1x1 layers. h_s: outputs of
    the three 1x1 layers, the last a multiple of 4. features: channels of h. predictor: outputs
    of the three layers that see a neighbourhood of h, and give mean and scale of the level below.
    """

    latents: int
    h_a: tuple[int, int, int]
    h_s: tuple[int, int, int]
    features: int
    predictor: tuple[int, int, int]


@dataclass(frozen=True)
class ReconstructionSpec:
    """up: the three transposed convolutions to half resolution. block: the two inner widths of
    the residual block. tail: the transposed convolution to full resolution, the layer after it.
    """

    up: tuple[int, int, int]
    block: tuple[int, int]
    tail: tuple[int, int]


@dataclass(frozen=True)
class C2FSpec:
    """All widths of one network.

    latents: channels of z3, at 1/16. g_a: outputs of its first three layers. g_s: of its three.
    fine: the level of z2, at 1/32. coarse: the level of z1, at 1/64; None where it is left out.
    Laws: every width is in 1..MAX_WIDTH; what enters a depth-to-space is a multiple of 4: the last
    of each h_s and, where there is a coarse level, its features.
    """

    name: str
    latents: int
    g_a: tuple[int, int, int]
    g_s: tuple[int, int, int]
    fine: LevelSpec
    coarse: LevelSpec | None
    reconstruction: ReconstructionSpec

    def __post_init__(self) -> None:
        """Raises ValueError where a law is broken: specs come from files of strangers."""
        for width in _numbers(asdict(self)):
            if not isinstance(width, int) or not 1 <= width <= MAX_WIDTH:
                raise ValueError(f"a width is {width!r}, not a number in 1..{MAX_WIDTH}")
        for name, count in _LENGTHS.items():
            if any(len(widths) != count for widths in _named(self, name)):
                raise ValueError(f"{name} takes {count} widths")
        shuffled = [level.h_s[2] for level in self.levels]
        shuffled += [self.coarse.features] if self.coarse else []
        if any(width % PLACES for width in shuffled):
            raise ValueError(f"{shuffled} enter a depth-to-space and must be multiples of {PLACES}")

    @property
    def levels(self) -> tuple[LevelSpec, ...]:
        """The levels of the hyperprior, fine first."""
        return (self.fine,) if self.coarse is None else (self.fine, self.coarse)

    @property
    def upsampled(self) -> int:
        """Channels at 1/16 that the reconstruction gets from the coarse level."""
        return self.coarse.features // PLACES if self.coarse else 0

    def without_z1(self) -> C2FSpec:
        """The same network without the coarse level (published as "spruning")."""
        if self.coarse is None:
            return self
        return replace(self, name=f"{self.name}{WITHOUT_Z1}", coarse=None)

    def renamed(self, name: str) -> C2FSpec:
        return replace(self, name=name)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> C2FSpec:
        """The spec that `to_json` wrote; raises KeyError, TypeError or ValueError on other data."""
        fields = {**data}
        fields["g_a"], fields["g_s"] = tuple(data["g_a"]), tuple(data["g_s"])
        fields["fine"] = _level(data["fine"])
        fields["coarse"] = None if data["coarse"] is None else _level(data["coarse"])
        fields["reconstruction"] = ReconstructionSpec(**_tuples(data["reconstruction"]))
        return C2FSpec(**fields)


WITHOUT_Z1: Final = "-without-z1"
_LENGTHS = {"g_a": 3, "g_s": 3, "h_a": 3, "h_s": 3, "predictor": 3, "up": 3, "block": 2, "tail": 2}


def _numbers(value: Any) -> Iterator[Any]:
    """All leaves of a spec but its name and the level that it has not."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from () if key == "name" or item is None else _numbers(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
    else:
        yield value


def _named(spec: C2FSpec, name: str) -> Iterator[tuple[int, ...]]:
    for part in (spec, *spec.levels, spec.reconstruction):
        if name in part.__dict__:
            yield part.__dict__[name]


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list | tuple) else v for key, v in data.items()}


def _level(data: dict[str, Any]) -> LevelSpec:
    return LevelSpec(**_tuples(data))


_Three = tuple[int, int, int]


def _published(
    name: str, channels: int, ha2: _Three, hs2: _Three, ha1: _Three, hs1: _Three
) -> C2FSpec:
    """One row of the published table: h_a as (3x3, both 1x1, latents), h_s as (first 1x1, the other
    two, features)."""
    c = channels
    return C2FSpec(
        name,
        latents=c,
        g_a=(c, c, c),
        g_s=(c, c, c),
        fine=_row(ha2, hs2, c),
        coarse=_row(ha1, hs1, ha2[2]),
        reconstruction=ReconstructionSpec((c, c, c), (c, c), (c // 3, c // 12)),
    )


def _row(h_a: _Three, h_s: _Three, predictor: int) -> LevelSpec:
    return LevelSpec(
        latents=h_a[2],
        h_a=(h_a[0], h_a[1], h_a[1]),
        h_s=(h_s[0], h_s[1], h_s[1]),
        features=h_s[2],
        predictor=(predictor, predictor, predictor),
    )


_SLIM1 = (256, 128, 128), (128, 256, 256)
SIZES: Final[dict[str, C2FSpec]] = {
    spec.name: spec
    for spec in (
        _published("c2f-xsmall", 48, (96, 192, 256), (192, 96, 48), *_SLIM1),
        _published("c2f-small", 96, (192, 384, 256), (384, 192, 96), *_SLIM1),
        _published("c2f-median", 192, (384, 768, 256), (768, 384, 192), *_SLIM1),
        _published(
            "c2f-large", 384, (768, 1536, 256), (1536, 1536, 384), (512, 256, 128), (512, 512, 256)
        ),
        # The networks of the AAAI paper for its qualities 1 to 3 and 4 to 7.
        _published(
            "c2f-sota-low", 192, (384, 768, 256), (768, 768, 192), (256, 128, 128), (256, 256, 256)
        ),
        _published(
            "c2f-sota-high",
            384,
            (768, 1536, 256),
            (1536, 1536, 384),
            (512, 256, 128),
            (512, 512, 256),
        ),
    )
}
"""The published sizes, by name."""
