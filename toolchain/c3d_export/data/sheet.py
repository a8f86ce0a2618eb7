"""A contact sheet: some frames of every scene, by game and split, with what was found at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from c3d_export.core.errors import C3DError
from c3d_export.data.frames import scene
from c3d_export.data.inspect import FolderSummary, Inspection
from c3d_export.data.parallel import in_order
from c3d_export.data.reading import decode, read_steady
from c3d_export.runtime.images import Frame, list_images

_COLUMNS: Final = 6
_THUMB: Final = (192, 108)
_GAP: Final = 6
_LABEL: Final = 190
_TITLE: Final = 40
# Rows of one sheet: below the side that an image may have, and what an eye goes through.
_ROWS: Final = 130

_PAPER: Final = "#15181d"
_INK: Final = "#e8eaed"
_FAINT: Final = "#9aa0a6"
# Colours of frames: coded with loss, twins of others.
_LOSSY: Final = "#ff5c5c"
_TWIN: Final = "#ffb454"


@dataclass(frozen=True)
class _Row:
    """A title over a folder (no paths), or a scene with some of its frames."""

    title: str
    detail: str
    paths: tuple[Path, ...] = ()

    @property
    def height(self) -> int:
        return _THUMB[1] + _GAP if self.paths else _TITLE


def contact_sheet(inspection: Inspection) -> Frame:
    """uint8 (height, width, 3). Reads the shown frames again; one thumbnail each stays in memory.

    Red frames lost pixels or did before, orange ones are duplicates or near-duplicates.
    """
    rows = list(_rows(inspection.folders))
    width = _GAP + _LABEL + _COLUMNS * (_THUMB[0] + _GAP)
    height = sum(row.height for row in rows) + 2 * _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    marks = _marks(inspection)
    thumbs = in_order(_thumb, (path for row in rows for path in row.paths))
    top = _GAP
    for row in rows:
        _label(draw, row, top)
        for column, path in enumerate(row.paths):
            corner = (_GAP + _LABEL + column * (_THUMB[0] + _GAP), top)
            _paste(sheet, next(thumbs), corner, marks.get(path))
        top += row.height
    return np.asarray(sheet)


def _rows(folders: Sequence[FolderSummary]) -> Iterator[_Row]:
    room = max(1, _ROWS // max(1, len(folders)))
    for folder in sorted(folders, key=lambda folder: folder.game)[:_ROWS]:
        sizes = ", ".join(f"{w}x{h}" for (w, h), _ in folder.resolutions[:3])
        title = f"{folder.game} {folder.split}".strip() or folder.path.name
        scenes = sorted(folder.scenes.items())
        more = f", {len(scenes) - room} scenes not shown" if len(scenes) > room else ""
        detail = f"{_count(folder.frames, 'frame')}, {_count(len(scenes), 'scene')}, {sizes}"
        yield _Row(title, f"{detail}, {folder.bits:.1f} bits/pixel{more}")
        bad = {path for path, _ in folder.unreadable}
        groups: dict[str, list[Path]] = {}
        for path in list_images(folder.path):
            if path not in bad:
                groups.setdefault(scene(path), []).append(path)
        for name, count in scenes[:room]:
            yield _Row(name or "(no name)", _count(count, "frame"), _some(groups.get(name, [])))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _some(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Evenly spread, with the first and the last."""
    count = min(len(paths), _COLUMNS)
    return tuple(paths[round(i)] for i in np.linspace(0, len(paths) - 1, count))


def _marks(inspection: Inspection) -> dict[Path, str]:
    marks: dict[Path, str] = {}
    for folder in inspection.folders:
        marks |= {path: _TWIN for path, _ in (*folder.duplicates, *folder.near)}
        marks |= {path: _LOSSY for path, _ in folder.suspects}
    return marks | {path: _TWIN for pair in inspection.leaks for path in pair}


def _thumb(path: Path) -> Image.Image | None:
    try:
        image = Image.fromarray(decode(read_steady(path)[0]))
    except C3DError:  # since it was inspected
        return None
    image.thumbnail(_THUMB, Image.Resampling.BOX)
    return image


def _paste(
    sheet: Image.Image, thumb: Image.Image | None, corner: tuple[int, int], mark: str | None
) -> None:
    if thumb is None:
        return
    left = corner[0] + (_THUMB[0] - thumb.width) // 2
    top = corner[1] + (_THUMB[1] - thumb.height) // 2
    sheet.paste(thumb, (left, top))
    if mark:
        box = (left, top, left + thumb.width - 1, top + thumb.height - 1)
        ImageDraw.Draw(sheet).rectangle(box, outline=mark, width=3)


def _label(draw: ImageDraw.ImageDraw, row: _Row, top: int) -> None:
    if not row.paths:
        draw.text((_GAP, top + 12), row.title, _INK, _font(18))
        left = _GAP + max(_LABEL, int(draw.textlength(row.title, _font(18))) + 16)
        draw.text((left, top + 16), row.detail, _FAINT, _font(13))
        return
    middle = top + _THUMB[1] // 2
    draw.text((_GAP, middle - 18), _fit(draw, row.title), _INK, _font(13))
    draw.text((_GAP, middle + 2), row.detail, _FAINT, _font(12))


def _fit(draw: ImageDraw.ImageDraw, text: str) -> str:
    font = _font(13)
    if draw.textlength(text, font) <= _LABEL - _GAP:
        return text
    while text and draw.textlength(text + "...", font) > _LABEL - _GAP:
        text = text[:-1]
    return text + "..."


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
