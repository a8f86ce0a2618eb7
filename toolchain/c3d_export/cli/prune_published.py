"""`prune` for models of a published family: imported ones, trained ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from ..core.errors import OptionError
from .gathering import gather_frames
from .lookup import load_published
from .output import note, print_json, print_table, progress
from .prune_goal import Goal
from .published_options import Published, rate_json, rate_of
from .settings import find_workspace

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..models.saving import Saved
    from ..prune.importance import Importance
    from ..prune.published.planner import Plan, Planner
    from ..train.objectives import Objective
    from ..train.service import TrainingFrames

# What only the own family has: its milliseconds are of integer graphs, its sizes are its own.
_OWN: Final = {
    "ms": "--target-ms",
    "to": "--to",
    "way": "--of",
    "pixels": "--size",
    "flavour": "--flavour",
    "threads": "--threads",
    "again": "--again",
}
_CROP: Final = {"mse": 128, "ms-ssim": 192}
"""Pixels a side of the crops that importance is measured on: MS-SSIM needs 161."""


@dataclass(frozen=True)
class Cut:
    """name: of a model of the workspace. games: whose frames say what matters. out: name of the
    result, `<name>-pruned` without one."""

    name: str
    games: tuple[str, ...]
    out: str | None
    rate: Published
    goal: Goal
    seed: int

    @property
    def result(self) -> str:
        return self.out or f"{self.name}-pruned"

    def text(self) -> str:
        """As on the command line."""
        games = (
            f"--games {','.join(self.games)}" if len(self.games) > 1 else f"--game {self.games[0]}"
        )
        line = f"c3d-export prune --model {self.name} {games} {self.goal.text()}"
        return f"{line}{self.rate.text()} --seed {self.seed}"


def prune_published(cut: Cut, only_plan: bool, force: bool, as_json: bool) -> None:
    """Plans, cuts, saves, and shows what was cut."""
    from ..data.locate import data_roots, locate_game
    from ..train.service import MODEL_FILE

    _refuse_own_options()
    workspace = find_workspace()
    for game in cut.games:
        locate_game(data_roots(workspace), game, "train")
    source = load_published(workspace, cut.name)
    quality, objective = rate_of(source, cut.rate)
    target = workspace.model(cut.result) / MODEL_FILE
    if not (only_plan or force):
        _refuse_twice(cut, source)
        if target.exists():
            raise OptionError(f"{target} exists; add --force to replace it, or choose another -o")
    frames = gather_frames(workspace, cut.games)
    note(f"from {cut.name}, {sum(len(pool.frames) for pool in frames.pools)} frames")
    planner = _planner(source, frames, objective, cut.seed)
    planned = cut.goal.plan_published(planner)
    if not only_plan:
        rate = rate_json(quality, objective)
        note(_save(workspace, cut, source, planned, planner.importance, frames, rate))
    show(cut.result, planned, as_json)


def _refuse_own_options() -> None:
    context = click.get_current_context()
    source = click.core.ParameterSource.COMMANDLINE
    given = [text for name, text in _OWN.items() if context.get_parameter_source(name) is source]
    if given:
        raise OptionError(
            f"{', '.join(given)}: not for published models; use --ratio, --target-macs or --keep"
        )


def _refuse_twice(cut: Cut, source: Saved) -> None:
    from ..train.service import lineage

    if "prune" in [state.get("stage") for state in lineage(source.state)]:
        raise OptionError(
            f"{cut.name} is pruned already; tune it with `c3d-export finetune --model {cut.name}"
            f" --game {cut.games[0]}`, or add --force to prune it further"
        )


def _planner(source: Saved, frames: TrainingFrames, objective: Objective, seed: int) -> Planner:
    from ..prune import importance
    from ..prune.published.importance import taylor_importance
    from ..prune.published.planner import Planner

    sampling = importance.Sampling(seed=seed, crop=_CROP[objective.distortion])
    with progress("importance", sampling.batches) as advance:
        scores = taylor_importance(
            source.network, frames.pools, objective, sampling, lambda done: advance(done, "")
        )
    return Planner(source.network, scores)


def _save(
    workspace: Workspace,
    cut: Cut,
    source: Saved,
    planned: Plan,
    importance: Importance,
    frames: TrainingFrames,
    rate: dict[str, Any],
) -> str:
    from ..models.saving import save
    from ..prune.published.apply import prune_network
    from ..train.service import MODEL_FILE, lineage, make_folder

    network, history = prune_network(source.network, planned.then, importance)
    state = {
        "name": cut.result,
        "stage": "prune",
        "command": cut.text(),
        "seed": cut.seed,
        "frames": frames.to_json(),
        "steps": 0,
        "rate": rate,
        "pruning": {**history, "ratio": planned.ratio},
        "parents": lineage(source.state),
    }
    path = workspace.model(cut.result) / MODEL_FILE
    make_folder(path.parent)
    save(path, network, state)
    tune = f"c3d-export finetune --model {cut.result} --game {cut.games[0]}"
    return f"{path}: tune it with `{tune}`"


def show(name: str, planned: Plan, as_json: bool) -> None:
    """The widths and the multiplications, now and then."""
    if as_json:
        print_json({"model": name, **planned.to_json()})
        return
    rows = [(width, now, planned.then[width]) for width, now in planned.now.items()]
    print_table("channels", ("width", "now", "then"), rows)
    totals = [(part, f"{now / 1000:.2f}", f"{then / 1000:.2f}")
              for part, (now, then) in planned.totals().items()]  # fmt: skip
    print_table("multiplications", ("part", "kMAC/px now", "then"), totals)
    click.echo(f"{name}: {planned.ratio:.1%} of the MACs of all parts removed")
