"""Training an up-scaler: it learns, and a run that was stopped ends as one that was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from c3d_export.core.errors import CheckpointError, MissingInputError, OptionError
from c3d_export.runtime.images import Frame
from c3d_export.superres.export import export_rcan, measure_gain
from c3d_export.superres.network import build_rcan
from c3d_export.superres.pairs import Pair, Source, check_sizes, make_pairs, sample_pairs
from c3d_export.superres.pipeline import LosslessCodec
from c3d_export.superres.resample import downscale
from c3d_export.superres.spec import RcanSpec
from c3d_export.superres.training import (
    SrConfig,
    SrTrainer,
    restore_rcan,
    save_rcan,
    steps_for_minutes,
)
from c3d_export.train.checkpoint import load_checkpoint
from c3d_export.train.crops import Pool

SMALL = RcanSpec(features=8, groups=1, blocks=1)
Games = list[list[Pair]]


@pytest.fixture(scope="module")
def games(discs: list[Frame]) -> Games:
    return make_pairs([Pool("a", discs[:1]), Pool("b", discs[1:3])], Source(2))


def _config(steps: int, **changes: Any) -> SrConfig:
    return SrConfig(steps, batch=4, crop=32, warmup=5, precision="float32", **changes)


def test_low_crops_lie_below_their_high_ones(games: Games, discs: list[Frame]) -> None:
    low, high = sample_pairs(games, 2, 6, 32, seed=1, step=3)
    assert low.shape == (6, 3, 16, 16)
    assert high.shape == (6, 3, 32, 32)
    assert 0 <= low.min() <= low.max() <= 1
    means = torch.nn.functional.avg_pool2d(high, 2)
    # A shift by one low pixel, or a mirror on one side alone, would differ far more.
    assert (low - means).abs().mean() < 0.02
    assert (low - means.roll(1, 3)).abs().mean() > 0.02


def test_crops_depend_on_seed_and_step_alone(games: Games) -> None:
    first = sample_pairs(games, 2, 4, 32, seed=1, step=3)[0]
    assert torch.equal(first, sample_pairs(games, 2, 4, 32, seed=1, step=3)[0])
    assert not torch.equal(first, sample_pairs(games, 2, 4, 32, seed=1, step=4)[0])
    assert not torch.equal(first, sample_pairs(games, 2, 4, 32, seed=2, step=3)[0])


def test_crops_are_mirrored_and_never_turned_over(discs: list[Frame]) -> None:
    """Brightness grows downwards in every crop, and sideways in some only."""
    rows, columns = np.mgrid[0:64, 0:64]
    frame = (rows + columns)[..., None].repeat(3, 2).astype(np.uint8)
    games = make_pairs([Pool("a", [frame])], Source(2))
    _, high = sample_pairs(games, 2, 32, 32, seed=0, step=0)
    down = (high[:, 0, 1:] - high[:, 0, :-1]).mean((1, 2))
    across = (high[:, 0, :, 1:] - high[:, 0, :, :-1]).mean((1, 2))
    assert (down > 0).all()
    assert 4 < int((across > 0).sum()) < 28


def test_low_resolutions_are_the_pipelines_own(discs: list[Frame]) -> None:
    odd = discs[0][:71, :95]
    ((pair,),) = make_pairs([Pool("a", [odd])], Source(2))
    np.testing.assert_array_equal(pair.lows[0], downscale(odd, 2))
    assert pair.high.shape == (72, 96, 3)
    np.testing.assert_array_equal(pair.high[:71, :95], odd)


def test_low_resolutions_of_a_codec_are_what_it_decodes(
    discs: list[Frame], tiny_codec: Any
) -> None:
    qualities = tuple(tiny_codec.qualities[:2])
    ((pair,),) = make_pairs([Pool("a", discs[:1])], Source(2, tiny_codec, qualities, "tiny"))
    low = downscale(discs[0], 2)
    for decoded, quality in zip(pair.lows, qualities, strict=True):
        wanted = tiny_codec.decode(tiny_codec.encode(low, quality=quality))
        np.testing.assert_array_equal(decoded, wanted)
    with pytest.raises(OptionError, match="no quality 99"):
        Source(2, tiny_codec, (99,), "tiny")
    with pytest.raises(OptionError, match="none without --codec"):
        Source(2, None, (1,))
    with pytest.raises(OptionError, match="name the qualities"):
        Source(2, LosslessCodec(), ())


def _clouds(seed: int) -> Frame:
    """72 x 96 pixels of smooth noise: what a bicubic enlargement takes of it can be put back."""
    coarse = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC)
    return np.array(image)


def test_it_learns_more_than_bicubic() -> None:
    source = Source(2)
    games = make_pairs([Pool("a", [_clouds(seed) for seed in range(3)])], source)
    network = SrTrainer(build_rcan(SMALL), _config(60), games, {}, None).run()
    ((held_out,),) = make_pairs([Pool("b", [_clouds(3)])], source)
    data = export_rcan("x", network, licence="", training={}, low=held_out.lows[0])
    gain = measure_gain(data, [held_out])
    assert gain.frames == 1
    assert gain.psnr["rcan"] > gain.psnr["bicubic"] + 0.5


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_resumed_run_ends_as_an_uninterrupted_one(
    precision: str, games: Games, tmp_path: Path
) -> None:
    config = SrConfig(12, batch=2, crop=32, warmup=2, save_every=5, precision=precision)
    notes = {"frames": "these"}
    whole = SrTrainer(build_rcan(SMALL), config, games, notes, None)
    path = tmp_path / "checkpoint.safetensors"
    stopped = SrTrainer(build_rcan(SMALL), config, games, notes, path)
    save = stopped.save

    def die() -> None:
        save()
        raise KeyboardInterrupt

    stopped.save = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    resumed = SrTrainer.resume(path, games, notes)
    assert resumed.step == 5
    wanted, got = whole.run().state_dict(), resumed.run().state_dict()
    assert [entry["step"] for entry in whole.history] == [10, 12]
    assert resumed.history == whole.history
    assert all(torch.equal(wanted[name], got[name]) for name in wanted)


def test_runs_of_other_frames_and_other_files_are_not_resumed(games: Games, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    trainer = SrTrainer(build_rcan(SMALL), _config(4), games, {"frames": "these"}, path)
    trainer.save()
    with pytest.raises(OptionError, match="other frames"):
        SrTrainer.resume(path, games, {"frames": "those"})
    with pytest.raises(MissingInputError):
        SrTrainer.resume(tmp_path / "none", games, {})
    save_rcan(path, trainer.network, {"notes": {}})
    with pytest.raises(CheckpointError, match="no unfinished training"):
        SrTrainer.resume(path, games, {})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError):
        SrTrainer.resume(path, games, {})


def test_the_checkpoint_of_a_codec_is_no_up_scaler(tiny_model: Any, tmp_path: Path) -> None:
    from c3d_export.train.checkpoint import save_model

    save_model(tmp_path / "model.safetensors", tiny_model, {})
    with pytest.raises(CheckpointError, match="no up-scaler"):
        restore_rcan(load_checkpoint(tmp_path / "model.safetensors"))


def test_crops_that_do_not_fit_are_refused(games: Games) -> None:
    for size, message in ((34, "no multiple of 4"), (128, "side of 72 pixels")):
        with pytest.raises(OptionError, match=message):
            check_sizes(games, 2, size)


def test_minutes_become_steps(games: Games) -> None:
    steps = steps_for_minutes(build_rcan(SMALL), _config(100), games, 0.02)
    assert 1 <= steps < 2000
    with pytest.raises(OptionError, match="more than 0"):
        steps_for_minutes(build_rcan(SMALL), _config(100), games, 0)
