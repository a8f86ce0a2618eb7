"""Rows on disk: an evaluation that was cut goes on, and nothing that changed is taken for known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import DiskError
from c3d_export.evaluate.baselines import get_baseline
from c3d_export.evaluate.meter import MeterOptions
from c3d_export.evaluate.plan import Entry, baseline_entries
from c3d_export.evaluate.row_store import FILE, RowStore
from c3d_export.evaluate.rows import Row, from_json, to_json
from c3d_export.evaluate.runner import evaluate_codec, evaluate_plan, in_process
from c3d_export.runtime.images import Frame, write_image

ROW = Row("m", "g/a.png", 3, 8, 9, 70, 7.5, math.inf, 0.1 + 0.2, 1.5, 2.5, None, 60, math.nan,
          vmaf=93.25, supersampled="2 fsr", stages_ms={"encode g_a": 0.1})  # fmt: skip


@dataclass
class Counting:
    """A codec with an identity that counts its calls, and breaks after some."""

    identity: str = "counting 1"
    breaks_after: int = 1000
    qualities: range = range(3)
    calls: list[int] = field(default_factory=list)

    def encode(self, frame: Frame, *, quality: int) -> bytes:
        if len(self.calls) >= self.breaks_after:
            raise KeyboardInterrupt
        self.calls.append(quality)
        return bytes([frame.shape[0]]) + (frame >> (3 - quality) << (3 - quality)).tobytes()

    def decode(self, data: bytes) -> Frame:
        return np.frombuffer(data[1:], np.uint8).reshape(data[0], -1, 3)


@pytest.fixture
def paths(tmp_path: Path, frame: Frame) -> list[Path]:
    folder = tmp_path / "game-192p"
    folder.mkdir()
    for index in range(2):
        write_image(folder / f"{index}.png", np.ascontiguousarray(frame[index : index + 30, :40]))
    return sorted(folder.iterdir())


def _evaluate(folder: Path, paths: list[Path], codec: Any, **options: Any) -> list[Row]:
    with RowStore(folder) as store:
        return evaluate_codec(codec, paths, store=store, **options)


def test_a_row_comes_back_as_it_was() -> None:
    back = from_json(to_json(ROW))
    assert math.isnan(back.psnr_y)
    assert replace(back, psnr_y=0.0, ssim=0, ssim_y=0, ms_ssim_y=0) == replace(
        ROW, psnr_y=0.0, ssim=0, ssim_y=0, ms_ssim_y=0
    )


def test_an_interrupted_evaluation_goes_on_where_it_was(tmp_path: Path, paths: list[Path]) -> None:
    cut = Counting(breaks_after=8)  # two warm, two measured, ... of the first frame
    with pytest.raises(KeyboardInterrupt):
        _evaluate(tmp_path, paths, cut)
    seen: list[Row] = []
    rest = Counting()
    rows = _evaluate(tmp_path, paths, rest, on_row=seen.append)
    assert len(rows) == len(seen) == 6
    whole = evaluate_codec(Counting(), paths)
    numbers = [(r.image, r.quality, r.psnr, r.bpp) for r in rows]
    assert numbers == [(r.image, r.quality, r.psnr, r.bpp) for r in whole]
    assert rest.calls, "the second frame was left"
    kept = Counting()
    assert [to_json(row) for row in _evaluate(tmp_path, paths, kept)] == list(map(to_json, rows))
    assert kept.calls == []


@pytest.mark.parametrize(
    "change", ["codec", "metrics", "frame", "version", "nothing known", "fresh"]
)
def test_what_changed_is_measured_again(
    tmp_path: Path, paths: list[Path], frame: Frame, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _evaluate(tmp_path, paths, Counting())
    codec, options = Counting(), {}
    if change == "codec":
        codec.identity = "counting 2"
    if change == "metrics":
        options["metrics"] = ["psnr"]
    if change == "frame":
        write_image(paths[0], np.ascontiguousarray(frame[50:80, :40]))
    if change == "version":
        monkeypatch.setattr("c3d_export.evaluate.runner.library_versions", lambda: {"numpy": "9"})
    if change == "nothing known":
        codec.identity = None  # type: ignore[assignment]
    if change == "fresh":
        RowStore(tmp_path, fresh=True).__exit__()
    _evaluate(tmp_path, paths, codec, **options)
    assert len(set(codec.calls)) == 3, "each quality ran again"
    assert (len(codec.calls) < 9) == (change == "frame"), (
        "and of one frame alone where that changed"
    )


def test_a_renamed_frame_keeps_its_numbers_under_its_new_name(
    tmp_path: Path, paths: list[Path]
) -> None:
    _evaluate(tmp_path, paths, Counting())
    moved = paths[0].rename(paths[0].with_name("z.png"))
    codec = Counting()
    rows = _evaluate(tmp_path, [moved], codec, name="other")
    assert codec.calls == []
    assert {(row.image, row.model) for row in rows} == {("game-192p/z.png", "other")}


def test_failures_are_tried_again(tmp_path: Path, paths: list[Path]) -> None:
    class Broken(Counting):
        def decode(self, data: bytes) -> Frame:
            raise ValueError("no")

    assert all(row.error for row in _evaluate(tmp_path, paths, Broken()))
    assert not any(row.error for row in _evaluate(tmp_path, paths, Counting()))


@pytest.mark.parametrize(
    "damage", [b"", b"\n", b'{"key": "a"', b"\xff\xfe\n", b'{"key":1,"row":3}\n']
)
def test_a_line_that_was_cut_is_as_if_it_had_not_been(tmp_path: Path, damage: bytes) -> None:
    with RowStore(tmp_path) as store:
        store.put("one", ROW)
    with (tmp_path / FILE).open("ab") as file:
        file.write(damage)
    with RowStore(tmp_path) as store:
        store.put("two", ROW)
    with RowStore(tmp_path) as store:
        assert store.get("one", "i", "m") is not None
        assert store.get("two", "i", "m") is not None
        assert store.get("a", "i", "m") is None


def test_settings_of_a_baseline_are_part_of_its_key(tmp_path: Path, paths: list[Path]) -> None:
    jpeg = get_baseline("jpeg")
    options = MeterOptions(("psnr",))
    sizes = []
    for qualities in ((10, 90), (50, 90)):
        (entry,) = baseline_entries([jpeg])
        plan: list[Entry] = [entry._replace(qualities=qualities)]
        with RowStore(tmp_path) as store:
            evaluate_plan(plan, paths, in_process(plan, options), options, store=store)
            sizes.append(len((tmp_path / FILE).read_bytes().splitlines()))
    assert sizes == [4, 6], "quality 90 was known, 50 was not"


def test_a_folder_that_cannot_be_written_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="choose another --out"):
        RowStore(tmp_path / "missing")
