"""Saved models: what was there before is kept, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from c3d_export.models.network import Codec
from c3d_export.train.config import TrainConfig
from c3d_export.train.crops import Pool
from c3d_export.train.parallel import Group
from c3d_export.train.precision import usual_precision
from c3d_export.train.service import (
    MODEL_FILE,
    PREVIOUS_FILE,
    SavedModel,
    TrainingFrames,
    save,
    start_run,
)


def test_saving_again_keeps_the_model_before(
    make_nano: Callable[[], Codec], tmp_path: Path
) -> None:
    """As after a death between saving a model and removing its checkpoint."""
    network = make_nano()
    save(tmp_path, SavedModel(network, {"name": "old"}))
    assert not (tmp_path / PREVIOUS_FILE).exists()
    old = (tmp_path / MODEL_FILE).read_bytes()
    litter = tmp_path / f".{MODEL_FILE}.0123456789ab.c3d-tmp"
    for _ in range(2):
        litter.write_bytes(b"of a process that was killed")
        save(tmp_path, SavedModel(network, {"name": "new"}))
        assert (tmp_path / PREVIOUS_FILE).read_bytes() == old
        assert not litter.exists()
    assert (tmp_path / MODEL_FILE).read_bytes() != old


class _Recorded(Group):
    """Keeps what all processes must have alike."""

    def check_same(self, value: object, what: str) -> None:
        seen.append(value)


seen: list[object] = []


def test_processes_with_other_options_or_precision_are_refused(
    make_nano: Callable[[], Codec], tmp_path: Path
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    frames = TrainingFrames([Pool("game", [frame])], "digest", ())
    for precision, rate in (("float32", 0.02), ("bfloat16", 0.02), ("float32", 0.01)):
        config = TrainConfig(4, batch=1, crop=64, learning_rate=rate, precision=precision)
        start_run(tmp_path / "run", make_nano(), config, frames, True, None, _Recorded())
    assert len({repr(value) for value in seen}) == len(seen) == 3


@pytest.mark.parametrize("fast", [False, True])
def test_bfloat16_only_where_it_is_fast(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def supported() -> bool:
        return fast

    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", supported)
    assert usual_precision("cpu") == ("bfloat16" if fast else "float32")
    assert usual_precision("cuda") == "bfloat16"
