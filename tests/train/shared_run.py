"""One process of a shared training: goes on from checkpoints, and writes what it came to.

shared_run.py FOLDER FRAMES.npy CHECKPOINT...: to FOLDER/<name>-<rank of size>.pt of each.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from c3d_export.train.checkpoint import load_checkpoint
from c3d_export.train.crops import Pool
from c3d_export.train.loop import Trainer
from c3d_export.train.parallel import Group, joined
from c3d_export.train.staged import StagedTrainer, Step


def run(path: Path, pools: list[Pool], group: Group) -> dict[str, object]:
    """state: of the trained network. losses: of each step."""
    if "done" not in load_checkpoint(path).state:
        trainer = Trainer.resume(path, pools, group=group)
        trainer.path = None
        network = trainer.run(every=1)
        return {"state": network.state_dict(), "losses": [h["loss"] for h in trainer.history]}
    steps: list[Step] = []
    state = StagedTrainer.resume(path, pools, group).run(report=steps.append).state_dict()
    return {"state": state, "losses": [step.loss for step in steps]}


def main() -> None:
    torch.set_num_threads(1)
    folder, frames, *paths = map(Path, sys.argv[1:])
    pools = [Pool("game", list(np.load(frames)))]
    with joined("cpu") as group:
        for path in paths:
            made = run(path, pools, group)
            torch.save(made, folder / f"{path.stem}-{group.rank}of{group.size}.pt")


if __name__ == "__main__":
    main()
