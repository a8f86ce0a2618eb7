"""One measurement: a frame at one quality through one codec, and how files hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from c3d_export.evaluate.metrics import bpp

Cell = str | int | float | None


@dataclass(frozen=True)
class Row:
    """One frame at one quality through one codec.

    `error` is None exactly where the frame was coded, decoded and compared. Else it is one line,
    the bytes are 0 and the other measurements are NaN; `width` and `height` are 0 where the frame
    could not even be read. `image` is the file's name and that of its folder. NaN stands for what
    was not measured: metrics that were not asked for, or that the frame is too small for.

    file_bytes, bpp: of the whole file; payload_bytes, payload_bpp: without our header.
    supersampled: factor and up-scaler of a codec at a lower resolution, such as "2 fsr"; else
    empty. stages_ms: of a codec of ours, by way and stage, such as "encode g_a".
    """

    model: str
    image: str
    quality: int
    width: int = 0
    height: int = 0
    file_bytes: int = 0
    bpp: float = math.nan
    psnr: float = math.nan
    ms_ssim: float = math.nan
    encode_ms: float = math.nan
    decode_ms: float = math.nan
    error: str | None = None
    payload_bytes: int = 0
    psnr_y: float = math.nan
    ssim: float = math.nan
    ssim_y: float = math.nan
    ms_ssim_y: float = math.nan
    vmaf: float = math.nan
    supersampled: str = ""
    stages_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def payload_bpp(self) -> float:
        if self.error is not None or not self.width:
            return math.nan
        return bpp(self.payload_bytes, self.width, self.height)


_FIELDS: Final = fields(Row)
_REALS: Final = frozenset(item.name for item in _FIELDS if item.type == "float")


def to_json(row: Row) -> dict[str, Any]:
    """Every field in full precision; null for NaN and "inf" for infinity, which JSON has not."""
    values = {item.name: getattr(row, item.name) for item in _FIELDS}
    return {name: cell(value) if name in _REALS else value for name, value in values.items()} | {
        "stages_ms": dict(row.stages_ms)
    }


def from_json(value: Mapping[str, Any]) -> Row:
    """The row that `to_json` wrote. Raises ValueError or TypeError for anything else."""
    reals = {name: _real(value[name]) for name in _REALS if name in value}
    return Row(**{**value, **reals})


def cell(value: float, digits: int | None = None) -> Cell:
    """A number as JSON and CSV can hold it, rounded where `digits` is given."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if math.isinf(value):
            return "inf"
        return value if digits is None else round(value, digits)
    return value


def _real(value: Cell) -> float:
    return math.nan if value is None else float(value)
