"""The experiment of codecs for one game against generic ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from c3d_export.core.errors import OptionError
from c3d_export.evaluate.exchange import write_gains
from c3d_export.evaluate.rows import Row
from c3d_export.evaluate.specialised import Candidate, gains, gains_table, generic_of

CANDIDATES = [
    Candidate("kart-small", "kart", "small"),
    Candidate("arena-small", "arena", "small"),
    Candidate("generic-small", "", "small"),
]
# Rate over the generic codec's, by codec and game.
FACTORS = {"kart-small": {"kart": 0.8, "arena": 1.3}, "arena-small": {"kart": 1.1, "arena": 0.7}}


def _rows(game: str) -> list[Row]:
    return [
        Row(
            codec.name, f"{game}/a.png", quality, 8, 8, 1,
            bpp=FACTORS.get(codec.name, {}).get(game, 1.0) * 0.1 * 1.7**quality,
            psnr=30.0 + 2 * quality, ms_ssim=1 - 0.1 / 2**quality,
        )
        for codec in CANDIDATES for quality in range(5)
    ]  # fmt: skip


def test_every_codec_is_compared_on_every_game_with_the_generic_one(tmp_path: Path) -> None:
    found = gains({game: _rows(game) for game in ("kart", "arena")}, CANDIDATES, ["psnr"])
    told = {(g.rate.codec, g.game): (g.own, round(g.rate.percent, 3)) for g in found}
    assert told == {
        ("kart-small", "kart"): (True, -20.0),
        ("kart-small", "arena"): (False, 30.0),
        ("arena-small", "kart"): (False, 10.0),
        ("arena-small", "arena"): (True, -30.0),
    }
    table = gains_table(found, "psnr")
    assert table.headers == ("BD-rate %, PSNR", "over", "kart", "arena")
    assert table.cells == [
        ("kart-small", "generic-small", "-20.0", "(+30.0)"),
        ("arena-small", "generic-small", "(+10.0)", "-30.0"),
    ]
    write_gains(found, tmp_path / "gains.csv")
    head, first, *rest = (tmp_path / "gains.csv").read_text().splitlines()
    assert head == "codec,game,own,anchor,metric,percent,low,high,images,of,reason"
    assert first == "kart-small,kart,True,generic-small,psnr,-20.0,30.0,38.0,1,1,"
    assert len(rest) == 3


def test_a_gap_is_seen_in_the_table() -> None:
    rows = _rows("kart")
    broken = [Row(r.model, "kart/b.png", r.quality, error="no") for r in rows]
    table = gains_table(gains({"kart": rows + broken}, CANDIDATES[::2], ["psnr"]), "psnr")
    assert table.cells == [("kart-small", "generic-small", "-20.0*")]
    flat = [replace(row, psnr=30.0) for row in rows]
    table = gains_table(gains({"kart": flat}, CANDIDATES[::2], ["psnr"]), "psnr")
    assert table.cells == [("kart-small", "generic-small", "-")]


def test_a_codec_needs_one_generic_codec_of_its_size() -> None:
    assert generic_of(CANDIDATES[0], CANDIDATES) == CANDIDATES[2]
    with pytest.raises(OptionError, match="there is none; name it with --generic"):
        generic_of(replace(CANDIDATES[0], size="median"), CANDIDATES)
    two = [*CANDIDATES, Candidate("other-small", "", "small")]
    with pytest.raises(OptionError, match="generic-small, other-small"):
        generic_of(CANDIDATES[0], two)
