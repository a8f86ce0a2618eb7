"""The tables of the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from c3d_export.evaluate.labels import label_of
from c3d_export.evaluate.metrics import ms_ssim_db
from c3d_export.report.extremes import extremes_of
from c3d_export.report.markup import Markup, element, joined
from c3d_export.report.results import STAGE, Results, Summary


class Column(NamedTuple):
    """A value of the results by name, its heading, and decimals."""

    key: str
    heading: str
    digits: int


COLUMNS: Final = (
    Column("file_bytes", "bytes", 0),
    Column("payload_bytes", "payload bytes", 0),
    Column("bpp", "bpp", 3),
    Column("payload_bpp", "payload bpp", 3),
    Column("psnr", "PSNR dB", 2),
    Column("psnr_y", "PSNR Y dB", 2),
    Column("ms_ssim", "MS-SSIM", 4),
    Column("ms_db", "MS-SSIM dB", 2),
    Column("ms_ssim_y", "MS-SSIM Y", 4),
    Column("ssim", "SSIM", 4),
    Column("ssim_y", "SSIM Y", 4),
    Column("ms_db_y", "MS-SSIM Y dB", 2),
    Column("vmaf", "VMAF", 2),
    Column("encode_ms", "encode ms", 1),
    Column("encode_spread_ms", "spread ms", 1),
    Column("decode_ms", "decode ms", 1),
    Column("decode_spread_ms", "spread ms", 1),
)
"""What summaries and rows are known to hold; whatever else they hold follows under its own name."""

_METRICS: Final = {
    "psnr": "PSNR",
    "psnr_y": "PSNR Y",
    "ms_ssim": "MS-SSIM",
    "ms_ssim_y": "MS-SSIM Y",
    "vmaf": "VMAF",
}


def shown_columns(items: Iterable[Mapping[str, float]]) -> list[Column]:
    """The columns for values of which at least one was measured, known ones first."""
    measured = dict.fromkeys(
        key for values in items for key, value in values.items() if not math.isnan(value)
    )
    known = [column for column in COLUMNS if column.key in measured]
    names = {column.key for column in COLUMNS}
    return known + [Column(key, key.replace("_", " "), 2) for key in measured if key not in names]


def means_table(results: Results) -> Markup:
    """Means of every codec and quality, with what they are made of."""
    filled = [(item, _with_decibels(item)) for item in results.summaries]
    columns = [c for c in shown_columns(v for _, v in filled) if not c.key.startswith(STAGE)]
    heads = ["codec", "quality", "images", *(column.heading for column in columns)]
    return table(
        "Means over all images; times are medians.",
        heads,
        [_means_line(item, values, columns) for item, values in filled],
    )


def stages_table(results: Results) -> Markup:
    """Where the time of ours goes, by quality; nothing where it was not measured."""
    items = [item for item in results.summaries if item.model == results.ours]
    stages = [c for c in shown_columns(item.values for item in items) if c.key.startswith(STAGE)]
    if not stages:
        return Markup("")
    lines = [
        [
            stage.key.removeprefix(STAGE),
            *(value_cell(item.values.get(stage.key, math.nan), 2) for item in items),
        ]
        for stage in stages
    ]
    heads = ["stage", *(f"quality {item.quality}" for item in items)]
    return table("Where the time of this codec goes: medians in milliseconds.", heads, lines)


def bd_table(results: Results) -> Markup:
    """BD-rates with the range that they speak of, or the reason why there is none."""
    if not results.bd_rates:
        text = "There are none: a BD-rate needs another codec, and four qualities of both."
        return element("p", text)
    lines = []
    for item in results.bd_rates:
        unit = "" if item.metric == "vmaf" else " dB"
        span = "-" if math.isnan(item.low) else f"{item.low:.2f} to {item.high:.2f}{unit}"
        lines.append(
            [
                label_of(item.codec),
                label_of(item.anchor),
                _METRICS.get(item.metric, item.metric),
                value_cell(item.percent, 1, "+"),
                span,
                f"{item.images} of {item.total}" if item.total else "-",
                item.reason,
            ]
        )
    heads = ["codec", "against", "at equal", "rate, %", "over", "images", "why not"]
    text = "BD-rate: below zero, the codec needs less rate than what it is compared with."
    return table(text, heads, lines)


def extremes_table(results: Results) -> Markup:
    """The worst and the best image of ours against each other codec."""
    found = extremes_of(results)
    if not found:
        return element("p", "There is no other codec to compare with.")
    lines: list[Sequence[str]] = []
    for item in found:
        start = [label_of(item.model)]
        if not item.gains:
            lines.append([*start, "no rate in common", "-", "-", "-", "-", "0", str(item.without)])
            continue
        worst, best = item.gains[0], item.gains[-1]
        shown = (value_cell(gain.decibels, 2, "+") for gain in (worst, best))
        cells = [worst.image, next(shown), best.image, next(shown), value_cell(item.mean, 2, "+")]
        lines.append([*start, *cells, str(len(item.gains)), str(item.without)])
    heads = ["against", "worst image", "dB", "best image", "dB", "mean dB", "images", "without"]
    text = (
        "PSNR of ours less that of the other at equal rate: mean over our rate points that the"
        " other's curve of this image covers. Without: images where there are none."
    )
    return table(text, heads, lines)


def facts(entries: Mapping[str, Any]) -> Markup:
    """A list of names and what they are."""
    if not entries:
        return element("p", "The results say nothing of them.")
    pairs = (
        joined(element("dt", name.replace("_", " ")), element("dd", _plain(value)))
        for name, value in entries.items()
    )
    return element("dl", *pairs)


def table(caption: str, heads: Sequence[str], lines: Iterable[Sequence[str]]) -> Markup:
    """A table that scrolls sideways where it is too wide; the first cell of a line is its head."""
    kept = list(lines)
    classes = ["number" if _numeric(line[i] for line in kept) else "" for i in range(len(heads))]
    head = element(
        "tr", *(_cell("th", *pair, scope="col") for pair in zip(heads, classes, strict=True))
    )
    body = (
        element(
            "tr",
            element("th", line[0], scope="row"),
            *(_cell("td", *pair) for pair in zip(line[1:], classes[1:], strict=True)),
        )
        for line in kept
    )
    # No caption element: it would be as wide as the table, and be cut where that scrolls.
    whole = element("table", element("thead", head), element("tbody", *body), aria_label=caption)
    label = {"role": "region", "aria_label": caption}
    return joined(
        element("p", caption, class_="hint"),
        element("div", whole, class_="scroll", tabindex=0, **label),
    )


def value_cell(value: float, digits: int, sign: str = "") -> Markup:
    """A rounded number that carries the exact one; a dash for NaN."""
    if math.isnan(value):
        return Markup("-")
    if math.isinf(value):
        return Markup("lossless")
    return element("data", f"{value:{sign}.{digits}f}", value=repr(value))


def _means_line(item: Summary, values: Mapping[str, float], columns: list[Column]) -> list[str]:
    images = str(item.images)
    if item.failures:
        images += f" ({item.failures} failed)"
    name = label_of(item.model)
    if item.supersampled and item.supersampled not in item.model:
        name += f" ({item.supersampled})"
    numbers = (value_cell(values.get(column.key, math.nan), column.digits) for column in columns)
    return [name, str(item.quality), images, *numbers]


def _with_decibels(item: Summary) -> dict[str, float]:
    values = dict(item.values)
    mean = values.get("ms_ssim", math.nan)
    if "ms_db" not in values and 0 <= mean <= 1:
        values["ms_db"] = ms_ssim_db(mean)
    return values


def _cell(tag: str, text: str, kind: str, **attributes: str) -> Markup:
    return element(tag, text, class_=kind or False, **attributes)


def _numeric(cells: Iterable[str]) -> bool:
    """Whether a column holds numbers and nothing else, but for what was not measured."""
    texts = [text for text in cells if text != "-"]
    return bool(texts) and all(text[:5] == "<data" or text[0].isdigit() for text in texts if text)


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_plain(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return "-" if value is None else str(value)
