"""The comparison of codecs as text cells; the command line draws the tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from c3d_export.evaluate.summaries import BdRate, Summary

METRIC_LABELS: Final = {
    "psnr": "PSNR",
    "psnr_y": "PSNR Y",
    "ms_ssim": "MS-SSIM",
    "ms_ssim_y": "MS-SSIM Y",
    "vmaf": "VMAF",
}


class Table(NamedTuple):
    """A heading and lines of as many cells; the first column is text, the others are numbers."""

    headers: tuple[str, ...]
    cells: list[tuple[str, ...]]


class _Column(NamedTuple):
    header: str
    digits: int
    value: Callable[[Summary], float]
    always: bool = False


_COLUMNS: Final = (
    _Column("bpp", 3, lambda item: item.bpp, always=True),
    _Column("payload bpp", 3, lambda item: item.payload_bpp),
    _Column("PSNR dB", 2, lambda item: item.psnr, always=True),
    _Column("PSNR Y", 2, lambda item: item.psnr_y),
    _Column("SSIM", 4, lambda item: item.ssim),
    _Column("MS-SSIM", 4, lambda item: item.ms_ssim, always=True),
    _Column("MS-SSIM dB", 2, lambda item: item.ms_db),
    _Column("VMAF", 1, lambda item: item.vmaf),
    _Column("encode ms", 1, lambda item: item.encode_ms, always=True),
    _Column("+-", 1, lambda item: item.encode_spread_ms / 2),
    _Column("decode ms", 1, lambda item: item.decode_ms, always=True),
    _Column("+-", 1, lambda item: item.decode_spread_ms / 2),
)


def comparison_table(summaries: Iterable[Summary]) -> Table:
    """One line per codec and quality, in the order given.

    Frames that failed stand beside the number of those that the means are made of; what was not
    measured is a dash, and what nobody asked to be measured has no column. Behind a time stands
    half the range from the first to the third quartile.
    """
    items = list(summaries)
    columns = [
        column
        for column in _COLUMNS
        if column.always or any(not math.isnan(column.value(item)) for item in items)
    ]
    headers = ("codec", "quality", "images", *(column.header for column in columns))
    return Table(headers, [_line(item, columns) for item in items])


def bd_table(rates: Sequence[BdRate]) -> Table:
    """One line per codec and anchor, a column per metric: percent, and the range in brackets."""
    metrics = [name for name in METRIC_LABELS if any(item.metric == name for item in rates)]
    pairs = dict.fromkeys((item.codec, item.anchor) for item in rates)
    found = {(item.codec, item.anchor, item.metric): item for item in rates}
    cells = []
    for codec, anchor in pairs:
        items = [found[codec, anchor, metric] for metric in metrics]
        images = min(item.images for item in items), max(item.of for item in items)
        counts = str(images[0]) if images[0] == images[1] else f"{images[0]} of {images[1]}"
        cells.append((f"{codec} over {anchor}", counts, *map(_percent, items)))
    headers = ("BD-rate", "images", *(f"{METRIC_LABELS[name]} %" for name in metrics))
    return Table(headers, cells)


def _percent(item: BdRate) -> str:
    if math.isnan(item.percent):
        return "-"
    return f"{item.percent:+.1f} ({item.low:.1f}..{item.high:.1f})"


def _line(item: Summary, columns: Iterable[_Column]) -> tuple[str, ...]:
    images = str(item.images)
    if item.failures:
        images += f" ({item.failures} failed)"
    numbers = (_number(column.value(item), column.digits) for column in columns)
    return (item.model, str(item.quality), images, *numbers)


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
