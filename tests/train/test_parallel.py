"""Trainings that processes share: the numbers of one process, up to the order of sums."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from c3d_export.core.errors import OptionError
from c3d_export.models.c2f.network import build_network as build_c2f
from c3d_export.models.c2f.presets import mse_lambda
from c3d_export.models.c2f.spec import C2FSpec, LevelSpec, ReconstructionSpec
from c3d_export.models.mbt.network import build_network as build_mbt
from c3d_export.models.mbt.spec import uniform_spec
from c3d_export.models.noise import rows_of, uniform_like
from c3d_export.train.crops import Pool
from c3d_export.train.loop import Trainer
from c3d_export.train.parallel import ALONE, Group
from c3d_export.train.staged import StagedConfig, StagedTrainer

CHILD = Path(__file__).with_name("shared_run.py")
LEVEL = LevelSpec(4, (4, 4, 4), (4, 4, 4), 8, (4, 4, 4))
C2F = C2FSpec(
    "tiny", 8, (8, 8, 8), (8, 8, 8), LEVEL, LEVEL, ReconstructionSpec((8, 8, 8), (8, 8), (6, 4))
)
SHARED = {"batch": 4, "crop": 64}
FAMILIES = ("own", "own-integers", "c2f", "mbt")


def _begin(folder: Path, pools: list[Pool], make_trainer: Callable[..., Trainer]) -> list[Path]:
    """Checkpoints of no step."""
    paths = [folder / f"{name}.safetensors" for name in FAMILIES]
    for path, begun in zip(paths, (1 << 30, 3), strict=False):
        trainer = make_trainer(path, steps=6, quantize_from=begun, **SHARED)
        trainer.save()
    for path, network, schedule, weight in (
        (paths[2], build_c2f(C2F), "app-specific", mse_lambda(6)),
        (paths[3], build_mbt(uniform_spec("tiny", "mbt2018", 8, 12)), "study", 0.01),
    ):
        config = StagedConfig(schedule, 8, "mse", weight, learning_rate=1e-3, **SHARED)
        StagedTrainer(network, config, pools).save(path)
    return paths


def _run(size: int, arguments: list[str]) -> None:
    started = f"--nproc-per-node={size}"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", started, str(CHILD)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def made(
    results: Path, make_trainer: Callable[..., Trainer], make_frame: Callable[..., np.ndarray]
) -> Path:
    """A folder of what one process and two have come to, from the same checkpoints."""
    if not (results / "frames.npy").exists():
        frames = np.stack([make_frame(96, 96, seed) for seed in range(3)])
        paths = _begin(results, [Pool("game", list(frames))], make_trainer)
        np.save(results / "frames.npy", frames)
        arguments = [str(results), str(results / "frames.npy"), *map(str, paths)]
        for size in (1, 2):
            _run(size, arguments)
    return results


def _load(path: Path) -> tuple[dict[str, Tensor], list[float]]:
    held = torch.load(path, weights_only=True)
    return held["state"], held["losses"]


@pytest.mark.parametrize("family", FAMILIES)
def test_two_processes_come_to_the_numbers_of_one(made: Path, family: str) -> None:
    alone, losses = _load(made / f"{family}-0of1.pt")
    first, shared = _load(made / f"{family}-0of2.pt")
    second, _ = _load(made / f"{family}-1of2.pt")
    assert [n for n in first if not torch.equal(first[n], second[n])] == []
    assert len(losses) == len(shared) >= 6
    assert shared == pytest.approx(losses, rel=2e-3 if "integers" in family else 1e-4)
    # They have learnt, and from their own crops and noise: nothing of this is one process alone.
    assert any(not torch.equal(first[n], alone[n]) for n in alone)
    for name, value in alone.items():
        size = float(torch.linalg.vector_norm(value.float()))
        assert torch.allclose(first[name], value, rtol=0.0, atol=5e-3 * size + 1e-5), name


def test_rows_have_the_noise_of_the_whole_batch() -> None:
    for layout in (torch.contiguous_format, torch.channels_last):
        whole = torch.zeros(6, 3, 2, 2).contiguous(memory_format=layout)
        torch.manual_seed(5)
        wanted = uniform_like(whole)
        for rank in range(3):
            rows = Group(rank, 3).rows(6)
            torch.manual_seed(5)
            with rows_of(rows, 6):
                own = uniform_like(whole[rows.start : rows.stop])
            assert torch.equal(own, wanted[rows.start : rows.stop])


def test_a_batch_is_shared_without_remainder() -> None:
    assert [Group(rank, 2).rows(6) for rank in (0, 1)] == [range(3), range(3, 6)]
    assert ALONE.rows(5) == range(5)
    with pytest.raises(OptionError, match="--batch 6 cannot be shared by 4 processes"):
        Group(1, 4).rows(6)


def test_alone_nothing_is_exchanged() -> None:
    values = torch.arange(6.0).reshape(2, 3)
    ALONE.average([values])
    ALONE.take_first([values])
    ALONE.check_same(1, "anything")
    assert torch.equal(ALONE.gathered(values), torch.arange(6.0).reshape(2, 3))
    assert ALONE.number(7) == 7
