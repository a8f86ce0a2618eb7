"""The comparison of codecs as text cells; the command line draws the table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from c3d_export.evaluate.runner import Summary

HEADERS: Final = (
    "codec",
    "quality",
    "images",
    "bpp",
    "PSNR dB",
    "MS-SSIM",
    "encode ms",
    "decode ms",
)


class Table(NamedTuple):
    """A heading and lines of as many cells; the first column is text, the others are numbers."""

    headers: tuple[str, ...]
    cells: list[tuple[str, ...]]


def comparison_table(summaries: Iterable[Summary]) -> Table:
    """One line per codec and quality, in the order given.

    Frames that failed stand beside the number of those that the means are made of; what was not
    measured is a dash.
    """
    return Table(HEADERS, [_line(item) for item in summaries])


def _line(item: Summary) -> tuple[str, ...]:
    images = str(item.images)
    if item.failures:
        images += f" ({item.failures} failed)"
    return (
        item.model,
        str(item.quality),
        images,
        _number(item.bpp, 3),
        _number(item.psnr, 2),
        _number(item.ms_ssim, 4),
        _number(item.encode_ms, 1),
        _number(item.decode_ms, 1),
    )


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
