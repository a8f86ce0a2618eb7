"""Widths of the real-time codec family, in one frozen record.

Every network of the family is built from a `CodecSpec` alone, so that a pruned network is a
spec plus a state dict: no code, no pickle, nothing to infer from tensor shapes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from ..core.errors import OptionError
from ..runtime.copies import spread_channels

PATCH = 8
"""Pixels a side of one position of the high-resolution stage (1/8)."""
BLOCK = 16
"""Pixels a side of one latent position (1/16)."""
PLANES = 4
"""Constant channels beside v, y and z that tell a network the rate point."""
MAX_WIDTH = 4096
"""More channels than any layer here has use for: a hostile spec must not ask for all memory."""
MAX_WIDTHS = 32
"""Widths of one transform: two trunks and their residual blocks."""
PATCH_CHANNELS = PATCH * PATCH * 3
BLOCK_CHANNELS = BLOCK * BLOCK * 3


@dataclass(frozen=True)
class StageSpec:
    """Widths of one transform (g_a or g_s).

    high: channels of the trunk at 1/8; high_inner: hidden channels of each residual block there.
    low: channels of the trunk at 1/16; low_inner: hidden channels of each residual block there.
    """

    high: int
    high_inner: tuple[int, ...]
    low: int
    low_inner: tuple[int, ...]


@dataclass(frozen=True)
class CodecSpec:
    """All widths of one network.

    latents: channels of y (M). hyper: channels of z. base: the first, strongest latents (B), which
    are coded first, predict the others, and enter a linear branch of g_s of their own. h_a: hidden
    width. h_s: widths at 1/32 and 1/16 (two). g_ep: hidden width of g_cp and of g_ep.
    qualities: number of rate points. Laws: every width is at least 1; base and latents are even;
    1 < base < latents.
    """

    name: str
    latents: int
    base: int
    hyper: int
    qualities: int
    g_a: StageSpec
    g_s: StageSpec
    h_a: int
    h_s: tuple[int, int, int]
    g_ep: int

    def __post_init__(self) -> None:
        """Raises ValueError where a law is broken: specs come from files of strangers."""
        stages = [(s.high, *s.high_inner, s.low, *s.low_inner) for s in (self.g_a, self.g_s)]
        widths = [self.latents, self.base, self.hyper, self.h_a, *self.h_s, self.g_ep]
        for width in (*widths, *stages[0], *stages[1]):
            if not isinstance(width, int) or not 1 <= width <= MAX_WIDTH:
                raise ValueError(f"a width is {width!r}, not a number in 1..{MAX_WIDTH}")
        if (
            len(self.h_s) != 3
            or max(map(len, stages)) > MAX_WIDTHS
            or not 1 <= self.qualities < 256
        ):
            raise ValueError("the number of layers or of rate points is out of range")
        if self.base % 2 or self.latents % 2 or not self.base < self.latents:
            raise ValueError(
                f"{self.base} base latents of {self.latents} cannot be coded in halves"
            )

    @property
    def spread(self) -> int:
        """Latents with their copies: what the linear path of g_s sees."""
        return spread_channels(self.latents)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> CodecSpec:
        """The spec that `to_json` wrote; raises KeyError, TypeError or ValueError on other data."""
        fields = {**data}
        for stage in ("g_a", "g_s"):
            widths = {**fields[stage]}
            widths["high_inner"] = tuple(widths["high_inner"])
            widths["low_inner"] = tuple(widths["low_inner"])
            fields[stage] = StageSpec(**widths)
        fields["h_s"] = tuple(fields["h_s"])
        return CodecSpec(**fields)

    def renamed(self, name: str) -> CodecSpec:
        return replace(self, name=name)


def _stage(high: int, high_blocks: int, low: int, low_blocks: int) -> StageSpec:
    return StageSpec(high, (high,) * high_blocks, low, (low,) * low_blocks)


def _size(
    name: str, g_a: StageSpec, g_s: StageSpec, h_s: tuple[int, int, int], g_ep: int
) -> CodecSpec:
    # Latent widths are common to all sizes: one trained network is slimmed to each of them, and
    # pruning keeps y and z (the tables and known answers hang on them).
    return CodecSpec(name, 640, 80, 64, 8, g_a, g_s, 32, h_s, g_ep)


# g_a's trunk is thin: without all that it adds .03 dB are lost at .5 bpp, without g_s's correction
# .75 dB (docs/models.md). At 1/8 a weight costs four times the time that it costs at 1/16.
SIZES: dict[str, CodecSpec] = {
    spec.name: spec
    for spec in (
        _size("xsmall", _stage(32, 1, 64, 1), _stage(48, 4, 96, 3), (48, 64, 64), 64),
        _size("small", _stage(48, 2, 96, 1), _stage(96, 8, 192, 6), (48, 96, 96), 96),
        _size("median", _stage(64, 2, 128, 1), _stage(160, 9, 192, 5), (48, 96, 96), 96),
        _size("large", _stage(96, 3, 192, 2), _stage(256, 16, 384, 8), (192, 256, 256), 160),
    )
}


def spec_of_size(size: str) -> CodecSpec:
    """Raises OptionError for an unknown size."""
    if size not in SIZES:
        raise OptionError(f"unknown model {size!r}; choose one of {', '.join(SIZES)}")
    return SIZES[size]
