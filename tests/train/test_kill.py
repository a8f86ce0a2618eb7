"""A training that is killed in the middle leaves a checkpoint, and loses nothing by it."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from c3d_export.train.checkpoint import load_checkpoint
from c3d_export.train.crops import Pool
from c3d_export.train.loop import Trainer

STEPS = 12

# Goes on from a checkpoint, tells every step, and never ends by itself.
CHILD = """
import sys, time
from pathlib import Path
import numpy as np
import torch
from c3d_export.train.crops import Pool
from c3d_export.train.loop import Trainer

torch.set_num_threads(1)
frames = np.load(sys.argv[2])
trainer = Trainer.resume(Path(sys.argv[1]), [Pool("game", list(frames))])
trainer.run(lambda progress: print(progress.step, flush=True), every=1)
time.sleep(600)
"""


def _digest(trainer: Trainer) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(trainer.averaged().state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _kill_after(step: int, command: list[str]) -> int:
    """Starts a training, kills it shortly after this step; its exit status."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout as lines:
        for line in lines:
            if int(line) >= step:
                # Anywhere in the next steps and their saves.
                time.sleep(0.013)
                child.send_signal(signal.SIGKILL)
                break
    return child.wait(timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_and_resumed(
    make_trainer: Callable[..., Trainer],
    make_frame: Callable[..., np.ndarray],
    tmp_path: Path,
) -> None:
    frames = np.stack([make_frame(80, 96, seed) for seed in range(2)])
    pools = [Pool("game", list(frames))]
    path, data = tmp_path / "run.safetensors", tmp_path / "frames.npy"
    np.save(data, frames)

    def begin() -> Trainer:
        trainer = make_trainer(path, steps=STEPS, batch=1, save_every=1)
        trainer.pools = pools
        return trainer

    begin().save()
    status = _kill_after(3, [sys.executable, "-c", CHILD, str(path), str(data)])
    assert status == -signal.SIGKILL
    left = load_checkpoint(path).state["step"]
    assert 2 <= left <= STEPS
    resumed = Trainer.resume(path, pools)
    resumed.run(every=1)
    whole = begin()
    whole.run(every=1)
    assert resumed.step == whole.step == STEPS
    assert [h["step"] for h in resumed.history] == list(range(1, STEPS + 1))
    assert _digest(resumed) == _digest(whole)
