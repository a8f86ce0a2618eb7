"""What codecs are called where people read of them; everywhere else they have their short names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ours": "this codec",
        "jpeg": "JPEG 4:2:0",
        "jpeg444": "JPEG 4:4:4",
        "webp": "WebP",
        "avif": "AVIF 4:4:4",
        "avif420-fast": "AVIF 4:2:0 fast",
    }
)

RATELESS: Final = "SR only"
"""How the names of codecs begin that show what scaling alone costs: their rate means nothing."""

_FAMILIES: Final = {"jxl": "JPEG XL effort", "svtav1": "SVT-AV1 preset"}
_FAMILY: Final = re.compile(r"(\w+)-(\d+)\Z")


def has_rate(name: str) -> bool:
    """Whether the rate of this codec means anything."""
    return not name.startswith(RATELESS)


def label_of(name: str) -> str:
    """The label of a codec, or its name where there is none.

    What follows the first space is kept: "ours /2 fsr" is "this codec /2 fsr".
    """
    first, space, rest = name.partition(" ")
    match = _FAMILY.match(first)
    if match and match[1] in _FAMILIES:
        first = f"{_FAMILIES[match[1]]} {match[2]}"
    return f"{LABELS.get(first, first)}{space}{rest}"
