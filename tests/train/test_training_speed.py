"""The script that times the training against a plain loop: both still run, and learn the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from c3d_export.runtime.images import write_image

SCRIPT = Path(__file__).parents[2] / "scripts" / "training_speed.py"


def _row(frames: Path, *words: str) -> list[float]:
    """The figures of the last line."""
    command = [sys.executable, str(SCRIPT), "--frames", str(frames), "--game", "toy"]
    done = subprocess.run(
        [*command, "--sizes", "xsmall", "--crop", "64", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(cell) for cell in done.stdout.splitlines()[-1].strip("| ").split("|")[1:]]


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    folder = tmp_path / "train" / "toy-720p"
    folder.mkdir(parents=True)
    for number in range(3):
        coarse = random.integers(0, 256, (12, 16, 3), np.uint8)
        write_image(folder / f"{number:03d}.png", coarse.repeat(8, 0).repeat(8, 1))
    return tmp_path


def test_both_loops_learn_the_same(frames: Path) -> None:
    _, loss, bpp, psnr, *plain = _row(frames, "--losses", "3", "--seeds", "1")
    assert plain == pytest.approx([loss, bpp, psnr], rel=5e-3)


def test_both_are_timed_and_the_work_is_counted(frames: Path) -> None:
    assert all(_row(frames, "--rounds", "1"))
    assert all(_row(frames, "--rounds", "1", "--precision", "bfloat16"))
    gflop, speed, seconds = _row(frames, "--work")
    assert seconds == pytest.approx(gflop / speed, rel=0.1, abs=1e-3)
    assert gflop > 1
