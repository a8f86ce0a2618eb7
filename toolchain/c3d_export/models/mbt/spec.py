"""Widths of CompressAI's mbt2018-mean and mbt2018, in one frozen record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

MAX_WIDTH: Final = 4096
"""More channels than any published network has: a hostile spec must not ask for all memory."""
STRIDE: Final = 16
"""Pixels a side of one position of y; z has one for 4 x 4 of them."""

# (N, M) of each quality, as CompressAI has them (compressai/zoo/image.py, `cfgs`).
QUALITIES: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "mbt2018-mean": ((128, 192),) * 4 + ((192, 320),) * 4,
    "mbt2018": ((192, 192),) * 4 + ((192, 320),) * 4,
}


@dataclass(frozen=True)
class MbtSpec:
    """All widths of one network (Minnen et al., NeurIPS 2018, table 1 of its supplement).

    architecture: a key of QUALITIES; "mbt2018" has a context model. latents: channels of y (M).
    hyper: channels of z. g_a, g_s: of the three inner layers, which have GDN. h_a, h_s: of the two
    inner layers. entropy_parameters: of the two inner 1x1 layers, empty without a context model.
    What follows from these: h_s and the context convolution give 2 M channels each, scales first.
    Law: every width is in 1..MAX_WIDTH.
    """

    name: str
    architecture: str
    latents: int
    hyper: int
    g_a: tuple[int, int, int]
    g_s: tuple[int, int, int]
    h_a: tuple[int, int]
    h_s: tuple[int, int]
    entropy_parameters: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raises ValueError where a law is broken: specs come from files of strangers."""
        if self.architecture not in QUALITIES:
            raise ValueError(f"{self.architecture!r} is none of {', '.join(QUALITIES)}")
        counts = [(self.g_a, 3), (self.g_s, 3), (self.h_a, 2), (self.h_s, 2)]
        counts.append((self.entropy_parameters, 2 if self.has_context else 0))
        if any(len(widths) != count for widths, count in counts):
            raise ValueError("a network part has another number of layers than published")
        inner = [width for widths, _ in counts for width in widths]
        for width in (self.latents, self.hyper, *inner):
            if type(width) is not int or not 1 <= width <= MAX_WIDTH:
                raise ValueError(f"a width is {width!r}, not a number in 1..{MAX_WIDTH}")

    @property
    def has_context(self) -> bool:
        return self.architecture == "mbt2018"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; `from_json` is the inverse."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> MbtSpec:
        """The spec that `to_json` wrote; raises KeyError, TypeError or ValueError on other data."""
        lists = ("g_a", "g_s", "h_a", "h_s", "entropy_parameters")
        fields: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in data.items()}
        return MbtSpec(**fields)


def uniform_spec(name: str, architecture: str, n: int, m: int) -> MbtSpec:
    """The widths that follow from CompressAI's two numbers N and M."""
    context = (m * 10 // 3, m * 8 // 3) if architecture == "mbt2018" else ()
    inner = (n, n, n)
    return MbtSpec(name, architecture, m, n, inner, inner, (n, n), (m, m * 3 // 2), context)


DEFAULT_QUALITY: Final = 4
"""What a name without a quality means: the highest rate of the narrow networks."""

SPECS: Final[dict[str, MbtSpec]] = {
    f"{architecture}-{quality}": uniform_spec(f"{architecture}-{quality}", architecture, *widths)
    for architecture, rows in QUALITIES.items()
    for quality, widths in enumerate(rows, 1)
} | {
    architecture: uniform_spec(architecture, architecture, *rows[DEFAULT_QUALITY - 1])
    for architecture, rows in QUALITIES.items()
}
"""`mbt2018-mean-1` ... `mbt2018-8`, and the two names alone."""
