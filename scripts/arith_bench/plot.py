"""The picture of the speeds: one size, all coders, encoding beside decoding."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from arith_bench.suite import FROM_NUMPY
from arith_bench.timing import Result

OURS_COLOR = "#0b6e4f"
FIELD_COLOR = "#8d99ae"


def _color(result: Result) -> str:
    return OURS_COLOR if result.name.startswith("ours") else FIELD_COLOR


def _label(speed: float, base: float | None) -> str:
    text = f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}"
    if base is None or speed == base:
        return text
    ratio = speed / base
    return f"{text}  (x{ratio:.0f})" if ratio >= 10 else f"{text}  (x{ratio:.2g})"


def _panel(axes: Any, results: list[Result], speeds: list[float], title: str) -> None:
    base = next((s for r, s in zip(results, speeds, strict=True) if r.name == FROM_NUMPY), None)
    bars = axes.barh(
        range(len(results)), speeds, color=[_color(result) for result in results], height=0.7
    )
    axes.bar_label(bars, [_label(speed, base) for speed in speeds], padding=4, fontsize=9)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("million symbols per second, logarithmic")
    axes.set_title(title, fontsize=11)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw_speeds(results: list[Result], path: Path) -> None:
    """Two panels of bars with the ratios to compressai.ans in brackets."""
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    height = 1.8 + 0.36 * len(results)
    figure, panels = pyplot.subplots(1, 2, figsize=(12, height), sharex=True, sharey=True)
    _panel(panels[0], results, [result.encode_speed for result in results], "encoding")
    _panel(panels[1], results, [result.decode_speed for result in results], "decoding")
    panels[0].set_yticks(range(len(results)), [result.name for result in results])
    panels[0].invert_yaxis()
    every = [speed for result in results for speed in (result.encode_speed, result.decode_speed)]
    panels[0].set_xlim(min(every) / 2, max(every) * 8)
    figure.suptitle(f"{results[0].n:,} symbols; in brackets: times {FROM_NUMPY}", fontsize=12)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
