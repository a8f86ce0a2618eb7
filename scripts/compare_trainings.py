"""Ways to train side by side: which gives the better codec for the frames of a game?

python scripts/compare_trainings.py --frames FRAMES --folder DIR --game supertuxkart --jobs 2 \\
    --start exported/generic-small.c3b \\
    "cosine = finetune --model small --game supertuxkart --steps 700" \\
    "linear = finetune --model small --game supertuxkart --steps 700 --decay linear"

A trial is a name and commands of c3d-export, with semicolons between them, and the model of the
last one is bundled. Each has a workspace of its own in DIR with the training frames of all games
and the networks of the --start bundles. What was done is not done again; one that was cut starts
anew. Then real files of the game's frames (--split) are measured, and a table compares each trial
with the first one: BD-rate over 0.1 to 1.0 bpp, below 0 where it needs fewer bytes. Bundles have no
overlay where the last command has --whole-frames.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalogue.commands import Runner
from catalogue.ledger import Json, Ledger, make_folder
from catalogue.measure import Curve, Meter, distance
from catalogue.restore import restore

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import C3DError, OptionError
from c3d_export.data.frames import find_game, frames_digest, game_folders

BUNDLE = "trial.c3b"


@dataclass(frozen=True)
class Trial:
    name: str
    commands: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Bench:
    """frames: folders of train/<game>-<height>p/. starts: bundles. folder: of all trials."""

    frames: tuple[Path, ...]
    starts: tuple[Path, ...]
    folder: Path

    def run(self, trial: Trial) -> Json:
        """{"steps", "minutes"}; the bundle is in the trial's folder."""
        inputs = {
            "commands": [list(command) for command in trial.commands],
            "starts": {start.stem: sha256_file(start) for start in self.starts},
        }
        folder = self.folder / trial.name
        return Ledger(folder).once("trained", inputs, lambda _: self._run(trial, folder))

    def _run(self, trial: Trial, folder: Path) -> Json:
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        self._link(work / "data" / "train")
        for start in self.starts:
            restore(start, work / "models" / start.stem)
        runner, log = Runner(), folder / "log.txt"
        steps, seconds, last = 0, 0.0, {}
        for command in trial.commands:
            begin = time.monotonic()
            last = runner.run(command, work, log)
            seconds += time.monotonic() - begin
            steps += last.get("steps", 0)
        bundle = ["bundle", *_model_of(last), "--licence", "as its frames", "--force"]
        bundle += ["--overlay-bytes", "0"] if "--whole-frames" in trial.commands[-1] else []
        runner.run([*bundle, "-o", str(folder / BUNDLE)], work, log)
        shutil.rmtree(work)
        return {"steps": steps, "minutes": round(seconds / 60, 1)}

    def _link(self, target: Path) -> None:
        make_folder(target)
        for root in self.frames:
            for _, _, folder in game_folders(root / "train"):
                (target / folder.name).symlink_to(folder.resolve(), True)


def _model_of(result: dict[str, Any]) -> list[str]:
    game, _, size = str(result["model"]).rpartition("-")
    return ["--model", size, *([] if game == "generic" else ["--game", game])]


def parse_trial(text: str) -> Trial:
    """`NAME = COMMAND; COMMAND`. Raises OptionError."""
    name, equals, rest = text.partition("=")
    commands = tuple(tuple(shlex.split(part)) for part in rest.split(";"))
    if not equals or not name.strip() or not all(commands):
        raise OptionError(f"{text!r} is not 'NAME = COMMAND; COMMAND', commands of c3d-export")
    return Trial(name.strip(), commands)


def parse_trials(texts: Sequence[str]) -> list[Trial]:
    """Trials whose names can be those of folders side by side. Raises OptionError."""
    trials = [parse_trial(text) for text in texts]
    names = [trial.name for trial in trials]
    for name in names:
        if names.count(name) > 1 or name in (".", "..", "curves") or "/" in name:
            raise OptionError(f"a trial cannot be called {name!r}: it is a folder of its own")
    return trials


def table(trials: list[Trial], facts: list[Json], curves: list[Curve]) -> str:
    rows = [
        "| trial | steps | minutes | BD-rate | at PSNR | bpp / dB |",
        "| --- | ---: | ---: | ---: | --- | --- |",
    ]
    for trial, fact, curve in zip(trials, facts, curves, strict=True):
        found = distance(curves[0], curve)
        low, high = found.get("psnr", (float("nan"),) * 2)
        rate = "-" if found["bd_rate"] is None else f"{found['bd_rate']:+.1f} %"
        points = ", ".join(f"{point['bpp']:.3f} / {point['psnr']:.2f}" for point in curve)
        row = (trial.name, fact["steps"], fact["minutes"], rate, f"{low:.1f} to {high:.1f}", points)
        rows.append(f"| {' | '.join(map(str, row))} |")
    return "\n".join(rows)


def _parser() -> argparse.ArgumentParser:
    assert __doc__
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trials", nargs="+", metavar="TRIAL", help="'NAME = COMMAND; COMMAND'")
    parser.add_argument("--frames", type=Path, action="append", required=True, metavar="DIR",
                        help="has train/, validation/, test/; may be repeated")  # fmt: skip
    parser.add_argument("--folder", type=Path, required=True, metavar="DIR", help="of the trials")
    parser.add_argument("--game", required=True, metavar="NAME", help="whose frames are measured")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--start", type=Path, action="append", default=[], metavar="BUNDLE",
                        help="a network that commands find by its name")  # fmt: skip
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="trainings at a time")
    return parser


def main() -> int:
    given = _parser().parse_args()
    try:
        trials = parse_trials(given.trials)
        bench = Bench(tuple(given.frames), tuple(given.start), given.folder.absolute())
        with ThreadPoolExecutor(given.jobs) as pool:
            facts = list(pool.map(bench.run, trials))
        roots = (root for root in given.frames if (root / given.split).is_dir())
        frames = find_game(next(roots, given.frames[0]), given.game, given.split)
        meter = Meter(
            bench.folder / "curves", given.jobs, lambda text: print(text, file=sys.stderr)
        )
        curves = [meter.bundle(bench.folder / trial.name / BUNDLE, frames) for trial in trials]
    except C3DError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{len(frames)} {given.split} frames of {given.game}, SHA-256 {frames_digest(frames)}\n")
    print(table(trials, facts, curves))
    return 0


if __name__ == "__main__":
    sys.exit(main())
