"""One training of a published network: its frames, its checkpoint, the model it leaves."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import jsonio
from ..core.atomic import remove_file, remove_litter, write_bytes_atomic
from ..core.errors import CheckpointError, OptionError
from .output import duration, note, print_json, progress
from .run_log import open_log

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..models.families import Network
    from ..train.logs import RunLog
    from ..train.parallel import Group
    from ..train.service import TrainingFrames
    from ..train.staged import StagedConfig, StagedTrainer, Step
    from .schedule import Schedule


@dataclass(frozen=True)
class Run:
    """name: of the model that is made. network: what is trained, called only where a run begins.
    state: what is told of its making besides the run itself. schedule: the options of the run."""

    workspace: Workspace
    name: str
    schedule: Schedule
    config: StagedConfig
    network: Callable[[], Network]
    state: dict[str, Any]

    @property
    def target(self) -> Path:
        from ..train.service import MODEL_FILE

        return self.workspace.model(self.name) / MODEL_FILE

    @property
    def checkpoint(self) -> Path:
        from ..train.logs import CHECKPOINT_FILE

        return self.workspace.runs / self.name / CHECKPOINT_FILE

    def check(self) -> None:
        """Raises OptionError where the model is there already."""
        if self.target.exists() and not (self.schedule.force or self.schedule.resume):
            raise OptionError(f"{self.target.parent} is trained already; add --force to replace it")

    def run(self, frames: TrainingFrames, as_json: bool) -> None:
        """Trains, saves, and says so. The frames are whole: these networks get no overlay."""
        from ..train.parallel import joined

        begin = time.monotonic()
        with open_log(self.checkpoint.parent, self.name, frames.pools) as log:
            with joined("cpu") as group:
                trainer = self._trainer(frames, group)
                log.begin(trainer.done, trainer.config.steps)
                steps = _train(trainer, self.checkpoint, log, self.schedule.save_every)
            if group.leads:
                self._save(trainer, frames)
                remove_file(self.checkpoint)
        _tell(self.target, self.name, steps, time.monotonic() - begin, as_json)

    def _trainer(self, frames: TrainingFrames, group: Group) -> StagedTrainer:
        from ..train.parallel import WHAT_IS_SAME
        from ..train.service import make_folder
        from ..train.staged import StagedTrainer

        notes = self.checkpoint.with_name("run.json")
        if self.schedule.resume:
            _check_frames(notes, frames)
            if group.leads:
                remove_litter(self.checkpoint.parent)
            return self._same_rate(StagedTrainer.resume(self.checkpoint, frames.pools, group))
        if self.checkpoint.exists() and not self.schedule.force:
            raise OptionError(
                f"{self.checkpoint.parent} has an unfinished run; continue it with --resume, or"
                " start over with --force"
            )
        trainer = StagedTrainer(self.network(), self.config, frames.pools, group)
        group.check_same([frames.to_json(), asdict(self.config)], WHAT_IS_SAME)
        if group.leads:
            make_folder(self.checkpoint.parent)
            remove_litter(self.checkpoint.parent)
            remove_file(self.checkpoint)
            write_bytes_atomic(notes, jsonio.dumps(frames.to_json()))
        return trainer

    def _same_rate(self, trainer: StagedTrainer) -> StagedTrainer:
        """Raises OptionError where the run is for another rate point than the options say."""
        started, asked = ((c.distortion, c.weight) for c in (trainer.config, self.config))
        if started != asked:
            raise OptionError(
                f"{self.checkpoint.parent} was started with another --quality or --distortion; give"
                " the same, or start over with --force"
            )
        return trainer

    def _save(self, trainer: StagedTrainer, frames: TrainingFrames) -> None:
        from ..models.saving import save
        from ..train.service import make_folder

        make_folder(self.target.parent)
        remove_litter(self.target.parent)
        made = {
            "name": self.name,
            "steps": trainer.done,
            "seed": trainer.config.seed,
            "config": asdict(trainer.config),
            "frames": frames.to_json(),
        }
        save(self.target, trainer.network, {**self.state, **made})


def _check_frames(notes: Path, frames: TrainingFrames) -> None:
    """Raises OptionError where there is no run, or one with other frames."""
    if not notes.is_file():
        raise OptionError(f"{notes.parent} has no checkpoint to resume; leave --resume out")
    if jsonio.loads(notes.read_bytes(), CheckpointError, what=str(notes)) != frames.to_json():
        raise OptionError(
            f"the frames are not those that {notes.parent} was started with; bring them back, or"
            " start over with --force"
        )


def _train(trainer: StagedTrainer, path: Path, log: RunLog, save_every: int) -> list[Step]:
    """The last hundred steps, for the figures at the end."""
    from ..train.logs import StepMeans, report_every

    steps: list[Step] = []
    total = trainer.config.steps
    means = StepMeans(log, total, report_every(total))
    with progress("training", total) as advance:

        def report(step: Step) -> None:
            steps[:] = [*steps[-99:], step]
            text = f"stage {step.stage}  {step.bpp:.3f} bpp  error {step.error:.4g}"
            advance(step.number, text)
            means.add(step.number, **_figures(trainer, step))

        try:
            trainer.run(path, report, save_every)
        except KeyboardInterrupt:
            trainer.save(path)
            note(f"stopped at step {trainer.done}; continue with the same line and --resume")
            raise
    return steps


def _figures(trainer: StagedTrainer, step: Step) -> dict[str, float]:
    """For the log: PSNR in dB, or MS-SSIM where that is what the step minimised."""
    config = trainer.config
    share = (step.number - 1) / config.steps
    quality = {"ms_ssim": 1 - step.error}
    if config.recipe.objective(share).distortion == "mse":
        quality = {"psnr": 10 * math.log10(255**2 / max(step.error, 1e-9))}
    rate = config.plan.rate(share)
    return {"loss": step.loss, "bpp": step.bpp, **quality, "learning_rate": rate}


def _tell(path: Path, name: str, steps: list[Step], seconds: float, as_json: bool) -> None:
    count = max(1, len(steps))
    means = {key: sum(getattr(s, key) for s in steps) / count for key in ("loss", "bpp", "error")}
    number = steps[-1].number if steps else 0
    if as_json:
        print_json({"model": name, "path": str(path), "steps": number, "last": means})
        return
    figures = f"{means['bpp']:.3f} bpp, error {means['error']:.4g}"
    note(f"{path}: {number} steps in {duration(seconds)}, {figures} in the last {count}")
