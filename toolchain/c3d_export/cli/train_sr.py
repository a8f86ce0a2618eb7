"""`train --task sr`: an up-scaler from frames, in a run that survives a stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import LibraryMissingError, MissingDataError, MissingModelError, OptionError
from .lookup import GENERIC, bundle_path, has_network
from .output import duration, note, print_json, progress
from .run_log import open_log
from .settings import find_workspace
from .train_sr_options import SrOptions

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..superres.export import Gain
    from ..superres.network import Rcan
    from ..superres.pairs import Pair, Source
    from ..superres.training import SrConfig, SrProgress, SrTrainer
    from ..train.logs import RunLog
    from ..train.service import TrainingFrames

Gather = Callable[..., "TrainingFrames"]

_STEPS = 10_000
_VALIDATION_FRAMES = 12
_MOST_FRAMES = 1500
"""Their low resolutions are held in memory: 1 GB for each rate point, of 720p by a factor of 2."""
_LICENCE = "that of the data of its games"


def train_sr(games: Sequence[str], gather: Gather, options: SrOptions, as_json: bool) -> None:
    """Trains, exports to ONNX, compares with PyTorch, writes the bundle, and says what it gains.

    gather: gives the training frames of games of a workspace.
    """
    options.check()
    workspace = find_workspace()
    name = f"{games[0] if len(games) == 1 else GENERIC}-x{options.factor}"
    if has_network(workspace, name) and not (options.force or options.resume):
        raise OptionError(f"{workspace.model(name)} is trained already; add --force to replace it")
    source = _source(workspace, options)
    frames = gather(workspace, list(games), most=_MOST_FRAMES)
    command = f"c3d-export train --task sr --games {','.join(games)}"
    run = _Run(workspace, name, command, options, source, frames)
    _tell(*run.train(_pairs(frames, source), _validation(workspace, games, source)), as_json)


def require_torch() -> None:
    """Raises LibraryMissingError where training's libraries are not installed."""
    try:
        import onnx
        import safetensors
        import torch

        del onnx, safetensors, torch
    except ImportError as error:
        raise LibraryMissingError(
            f"training needs {error.name}; run pip install 'c3d-export[train]'"
        ) from error


def _source(workspace: Workspace, options: SrOptions) -> Source:
    from ..superres.pairs import Source
    from ..superres.spec import RcanSpec

    factor = RcanSpec(factor=options.factor).factor
    if options.codec is None:
        return Source(factor)
    from ..runtime.codec import open_codec

    codec = open_codec(bundle_path(workspace, options.codec), threads=1)
    chosen = _numbers(options.qualities) or tuple(codec.qualities)
    return Source(factor, codec, chosen, codec.bundle.name)


def _numbers(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in (text or "").split(",") if part.strip())
    except ValueError as error:
        raise OptionError(f"--qualities {text} are no numbers; write them like 2,4") from error


def _pairs(frames: TrainingFrames, source: Source) -> list[list[Pair]]:
    from ..superres.pairs import make_pairs

    total = sum(len(pool.frames) for pool in frames.pools)
    with progress("low resolutions", total) as advance:
        return make_pairs(frames.pools, source, lambda done: advance(done, ""))


def _validation(workspace: Workspace, games: Sequence[str], source: Source) -> list[Pair]:
    """Pairs of some validation frames of each game that has any; the others are named."""
    from ..data.frames import load_frames
    from ..data.locate import data_roots, locate_game
    from ..superres.pairs import make_pairs
    from ..train.crops import Pool
    from ..train.service import evenly

    pools = []
    for game in games:
        try:
            paths = locate_game(data_roots(workspace), game, "validation")
        except MissingDataError:
            note(f"{game} has no validation frames: the gain does not tell of it")
            continue
        frames, skipped = load_frames(evenly(paths, max(1, _VALIDATION_FRAMES // len(games))))
        for path, reason in skipped:
            note(f"skipped {path}: {reason}")
        pools.append(Pool(game, frames))
    return [pair for pairs in make_pairs(pools, source) for pair in pairs]


@dataclass(frozen=True)
class _Run:
    """One run: where it is kept and how it is recorded."""

    workspace: Workspace
    name: str
    command: str
    options: SrOptions
    source: Source
    frames: TrainingFrames

    def train(self, pairs: list[list[Pair]], validation: list[Pair]) -> tuple[Path, int, Gain]:
        """The bundle's path, the steps, and the gain on the validation pairs."""
        from ..core.atomic import write_bytes_atomic
        from ..superres.bundle import SUFFIX
        from ..superres.export import export_rcan, measure_gain
        from ..superres.training import save_rcan
        from ..train.logs import CHECKPOINT_FILE
        from ..train.service import MODEL_FILE, make_folder

        checkpoint = self.workspace.runs / self.name / CHECKPOINT_FILE
        with open_log(checkpoint.parent, self.name, self.frames.pools) as log:
            trainer = self._trainer(pairs, checkpoint)
            log.begin(trainer.step, trainer.config.steps)
            network = self._finish(trainer, log)
            state = self._state(trainer)
            low = (validation or pairs[0])[0].lows[0]
            data = export_rcan(self.name, network, licence=_LICENCE, training=state, low=low)
            for folder in (self.workspace.model(self.name), self.workspace.bundles):
                make_folder(folder)
            save_rcan(self.workspace.model(self.name) / MODEL_FILE, network, state)
            path = self.workspace.bundles / f"{self.name}{SUFFIX}"
            write_bytes_atomic(path, data)
            checkpoint.unlink(missing_ok=True)
        return path, trainer.step, measure_gain(data, validation)

    def _trainer(self, pairs: list[list[Pair]], path: Path) -> SrTrainer:
        from ..superres.training import SrTrainer, steps_for_minutes
        from ..train.service import make_folder

        o = self.options
        if o.resume:
            if not path.exists():
                raise OptionError(f"{path.parent} has no checkpoint to resume; leave --resume out")
            return SrTrainer.resume(path, pairs, self._notes())
        if path.exists() and not o.force:
            raise OptionError(
                f"{path.parent} has an unfinished run; continue it with --resume, or start over"
                " with --force"
            )
        network, steps = self._start(), o.steps or _STEPS
        if o.minutes is not None:
            steps = steps_for_minutes(network, self._config(100), pairs, o.minutes)
            note(f"{o.minutes:g} minutes are {steps} steps")
        make_folder(path.parent)
        path.unlink(missing_ok=True)
        return SrTrainer(network, self._config(steps), pairs, self._notes(), path)

    def _start(self) -> Rcan:
        from ..superres.network import build_rcan
        from ..superres.spec import RcanSpec
        from ..superres.training import restore_rcan
        from ..train.checkpoint import load_checkpoint
        from ..train.service import MODEL_FILE

        o = self.options
        if o.source is None:
            return build_rcan(RcanSpec(factor=o.factor), o.seed)
        if not has_network(self.workspace, o.source):
            raise MissingModelError(
                f"no up-scaler {o.source} in {self.workspace.models}; make one with"
                " `c3d-export train --task sr`"
            )
        network = restore_rcan(load_checkpoint(self.workspace.model(o.source) / MODEL_FILE))
        own = network.spec.factor
        if own != o.factor:
            raise OptionError(
                f"{o.source} enlarges {own} times, not {o.factor}; add --factor {own}"
            )
        return network

    def _config(self, steps: int) -> SrConfig:
        from ..superres.training import SrConfig
        from ..train.precision import usual_precision

        o = self.options
        return SrConfig(
            steps=steps,
            batch=o.batch,
            crop=o.crop,
            seed=o.seed,
            learning_rate=o.learning_rate,
            warmup=max(1, min(100, steps // 10)),
            average=o.average,
            decay=o.decay,
            device=o.device,
            precision=usual_precision(o.device),
        )

    def _notes(self) -> dict[str, Any]:
        return {
            "frames": self.frames.to_json(),
            "codec": self.source.name,
            "qualities": list(self.source.qualities),
        }

    def _finish(self, trainer: SrTrainer, log: RunLog) -> Rcan:
        with progress("training", trainer.config.steps) as advance:

            def report(p: SrProgress) -> None:
                speed = f"{p.steps_per_second:.2f} steps/s  {duration(p.seconds_left)} left"
                advance(p.step, f"L1 {p.loss:.3f}  {speed}")
                log.add(p.step, loss=p.loss, learning_rate=trainer.learning_rate())

            try:
                return trainer.run(report)
            except KeyboardInterrupt:
                note(f"stopped at step {trainer.step}; continue with the same line and --resume")
                raise

    def _state(self, trainer: SrTrainer) -> dict[str, Any]:
        steps = trainer.config.steps
        return {
            "name": self.name,
            "stage": "sr",
            "command": f"{self.command} {self.options.text(steps)}",
            "seed": trainer.config.seed,
            "steps": steps,
            "history": trainer.history,
            **self._notes(),
        }


def _tell(path: Path, steps: int, gain: Gain, as_json: bool) -> None:
    if as_json:
        record = {"path": str(path), "steps": steps, "validation_frames": gain.frames}
        print_json({**record, "psnr": gain.psnr})
        return
    note(f"{path}: {steps} steps")
    if gain.frames:
        scores = ", ".join(f"{name} {value:.2f}" for name, value in gain.psnr.items())
        note(f"PSNR of {gain.frames} validation frames in dB: {scores}")
