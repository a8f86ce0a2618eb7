"""Where the time of a frame goes, as a picture: one bar a way, its stages side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from .speed import STAGES, SpeedRow, Timing

WIDTH: Final = 1200
LEFT: Final = 330
RIGHT: Final = 90
BAR: Final = 34
GAP: Final = 14
TOP: Final = 96
INK, PALE, PAPER = "#1b1b1b", "#6a6a6a", "#ffffff"
# Okabe and Ito's colours, which the colour-blind can tell apart, and greys; those of h_s and what
# follows again for the graphs of coarse-to-fine networks, which are never beside them.
_GRAPHS: Final = "#0072b2 #56b4e9 #009e73 #f0e442 #e69f00 #d55e00"
_PALETTE: Final = f"{_GRAPHS} {_GRAPHS[16:]} #cc79a7 #8a8a8a #d0d0d0"
COLOURS: Final = dict(zip(STAGES, _PALETTE.split(), strict=True))


def stage_chart(rows: Sequence[SpeedRow]) -> bytes:
    """A PNG, 1200 pixels wide: for each row a bar for encoding and one for decoding.

    A bar is as long as its stages' medians together, on one scale in milliseconds for all rows.
    """
    bars = [
        (f"{row.codec} {row.width}x{row.height} {way}", timing)
        for row in rows
        for way, timing in (("encode", row.encode), ("decode", row.decode))
    ]
    image = Image.new("RGB", (WIDTH, TOP + len(bars) * (BAR + GAP) + 50), PAPER)
    draw = ImageDraw.Draw(image)
    longest = max(sum(timing.stages.values()) for _, timing in bars)
    _legend(draw, {stage for _, timing in bars for stage in timing.stages})
    for index, (label, timing) in enumerate(bars):
        _bar(draw, TOP + index * (BAR + GAP), label, timing, (WIDTH - LEFT - RIGHT) / longest)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _legend(draw: ImageDraw.ImageDraw, used: set[str]) -> None:
    draw.text((20, 16), "median milliseconds by stage", INK, _font(20))
    x = 20
    for stage in (s for s in STAGES if s in used):
        draw.rectangle((x, 56, x + 18, 74), COLOURS[stage], outline=PALE)
        draw.text((x + 24, 56), stage, INK, _font(15))
        x += 44 + int(draw.textlength(stage, _font(15)))


def _bar(draw: ImageDraw.ImageDraw, y: int, label: str, timing: Timing, scale: float) -> None:
    draw.text((LEFT - 12, y + BAR // 2), label, INK, _font(15), anchor="rm")
    x = float(LEFT)
    for stage, value in timing.stages.items():
        end = x + scale * value
        draw.rectangle((round(x), y, round(end), y + BAR), COLOURS[stage], outline=PAPER)
        text = f"{value:.1f}"
        if draw.textlength(text, _font(13)) + 8 < end - x:
            middle = ((x + end) / 2, y + BAR // 2)
            draw.text(middle, text, _ink_on(COLOURS[stage]), _font(13), anchor="mm")
        x = end
    draw.text((x + 8, y + BAR // 2), f"{timing.median_ms:.1f} ms", INK, _font(15), anchor="lm")


def _ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on it."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 125 else PAPER
