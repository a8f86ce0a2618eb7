"""The options of rescaled coding and the list of codecs that comes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from c3d_export.cli.superres_options import superres_options
from c3d_export.core.errors import OptionError
from c3d_export.superres.options import pipelines
from c3d_export.superres.pipeline import LosslessCodec


def _parse(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    @click.command()
    @superres_options
    def command(**options: Any) -> None:
        found.update(options)

    result = CliRunner().invoke(command, list(arguments))
    if result.exception:
        raise result.exception
    return found


def test_options_are_parsed() -> None:
    assert _parse() == {
        "downscale": (),
        "upscale": ("bicubic", "lanczos", "fsr", "fsr-sharp"),
        "sr_model": None,
    }
    found = _parse("--downscale", "2, 1.7,2", "--upscale", "fsr,rcan,fsr", "--sr-model", "x.c3u")
    assert found == {
        "downscale": (2.0, 1.7),
        "upscale": ("fsr", "rcan"),
        "sr_model": Path("x.c3u"),
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--downscale", "two"], "are no numbers"),
        (["--downscale", ","], "names no factor"),
        (["--downscale", ""], "names no factor"),
        (["--upscale", "fsr2"], "choose from bicubic"),
    ],
)
def test_bad_options_are_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        _parse(*arguments)


def test_every_codec_at_every_factor_with_every_up_scaler() -> None:
    pytest.importorskip("torch")  # of the metrics beside the baselines
    from c3d_export.evaluate.baselines import get_baseline

    made = pipelines(LosslessCodec(), [get_baseline("jpeg")], [2, 1.5], ["bicubic", "fsr"])
    assert [item.name for item in made] == [
        f"{codec} /{factor} {name}"
        for codec in ("ours", "jpeg", "SR only")
        for factor in ("2", "1.5")
        for name in ("bicubic", "fsr")
    ]
    jpeg = made[4]
    assert jpeg.supersampled == "2 bicubic"
    assert jpeg.qualities == get_baseline("jpeg").ladder
    assert made[-1].qualities == (0,)


def test_qualities_are_ours_only() -> None:
    made = pipelines(LosslessCodec(), [], [2], ["fsr"], qualities=[0])
    assert [(item.name, item.qualities) for item in made] == [
        ("ours /2 fsr", (0,)),
        ("SR only /2 fsr", (0,)),
    ]


def test_no_factor_no_pipeline() -> None:
    assert pipelines(LosslessCodec(), [], [], ["fsr"]) == []


@pytest.mark.parametrize(("factors", "names"), [([5], ["fsr"]), ([2], ["nearest"])])
def test_unknown_factors_and_names_are_refused(factors: list[float], names: list[str]) -> None:
    with pytest.raises(OptionError):
        pipelines(None, [], factors, names)
