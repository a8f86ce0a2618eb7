"""`prune`: a network with fewer channels, chosen on the frames of one game."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..core.errors import OptionError
from .lookup import find_network, model_name
from .output import note, print_json, print_table
from .settings import find_workspace, force_option, model_option, seed_option, shared

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..prune.importance import Importance
    from ..prune.plan import Plan
    from ..train.service import SavedModel, TrainingFrames

_DEFAULT_RATIO = 0.3
_HEADERS = ("width", "now", "then", "kMAC/px now", "then", "note")


@click.command()
@model_option
@click.option("--game", required=True, metavar="NAME", help="Whose frames say what matters.")
@click.option("--ratio", type=float, metavar="R", help="Share of MACs to remove [0.3].")
@click.option("--target-macs", type=float, metavar="X", help="MACs per pixel to keep at most.")
@click.option("--to", metavar="SIZE", help="Widths of a smaller size, such as xsmall.")
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be cut, and stop.")
@seed_option
@force_option
@shared()
def prune(
    size: str,
    game: str,
    ratio: float | None,
    target_macs: float | None,
    to: str | None,
    only_plan: bool,
    seed: int,
    force: bool,
    as_json: bool,
) -> None:
    """Remove the channels that matter least for the frames of one game.

    \b
    Example: c3d-export prune --model small --game supertuxkart --ratio 0.3
    """
    goals = _goals(ratio, target_macs, to)
    from ..data.locate import data_roots, locate_game

    workspace, name = find_workspace(), model_name(game, to or size)
    # First what is quick to look at: loading torch takes seconds.
    locate_game(data_roots(workspace), game, "train")
    origin, source = find_network(workspace, size, game)
    frames = _gather(workspace, game)
    if not (only_plan or force):
        _refuse_twice(origin, source, size, game)
    note(f"from {origin}, {len(frames.pools[0].frames)} frames")
    importance = _importance(source, frames, seed)
    planned = _plan(source, goals, importance, to)
    if not only_plan:
        command = f"c3d-export prune --model {size} --game {game} {_text(goals)} --seed {seed}"
        note(f"{_save(name, command, source, planned, importance, frames, seed)}")
    _show(name, planned, as_json)


def _gather(workspace: Workspace, game: str) -> TrainingFrames:
    from ..data.locate import data_roots
    from ..train.service import gather

    return gather(data_roots(workspace), [game])


def _goals(ratio: float | None, macs: float | None, to: str | None) -> dict[str, Any]:
    """The one goal, as `prune.plan.plan` takes it."""
    given: dict[str, Any] = {"ratio": ratio, "target_macs": macs}
    given = {key: value for key, value in given.items() if value is not None}
    if to is not None:
        from ..train.service import spec_of_size

        given["target_spec"] = spec_of_size(to)
    if len(given) > 1:
        raise OptionError("give at most one of --ratio, --target-macs and --to")
    return given or {"ratio": _DEFAULT_RATIO}


def _text(goals: dict[str, Any]) -> str:
    (key, value), *_ = goals.items()
    if key == "target_spec":
        return f"--to {value.name}"
    return f"--{key.replace('_', '-')} {value:g}"


def _refuse_twice(origin: str, source: SavedModel, size: str, game: str) -> None:
    """Pruning what is pruned removes a share of the rest: only where it is asked for."""
    stages = [entry.get("stage") for entry in (*source.state.get("parents", []), source.state)]
    if "prune" in stages:
        raise OptionError(
            f"{origin} is pruned already; tune it with `c3d-export finetune --model {size} --game"
            f" {game}`, or add --force to prune it further"
        )


def _importance(source: SavedModel, frames: TrainingFrames, seed: int) -> Importance:
    from ..prune.importance import importance_of

    return importance_of(source.network, frames.pools, seed=seed)


def _plan(
    source: SavedModel, goals: dict[str, Any], importance: Importance, to: str | None
) -> Plan:
    from ..prune.plan import plan

    return plan(source.network, **goals, importance=importance, name=to)


def _save(
    name: str,
    command: str,
    source: SavedModel,
    planned: Plan,
    importance: Importance,
    frames: TrainingFrames,
    seed: int,
) -> str:
    from ..prune.apply import prune_codec
    from ..train.service import SavedModel, lineage, save

    network, history = prune_codec(source.network, planned, importance)
    state = {
        "name": name,
        "stage": "prune",
        "command": command,
        "seed": seed,
        "frames": frames.to_json(),
        "steps": 0,
        "history": [],
        "pruning": history,
        "parents": lineage(source.state),
    }
    path = save(find_workspace().model(name), SavedModel(network, state))
    return f"{path}: tune it with `c3d-export finetune`"


def _show(name: str, planned: Plan, as_json: bool) -> None:
    rows = planned.rows()
    if as_json:
        print_json(
            {
                "model": name,
                "ratio": planned.ratio,
                "macs_now": dict(planned.macs_now),
                "macs_then": dict(planned.macs_then),
                "before": planned.before.to_json(),
                "after": planned.after.to_json(),
                "rows": [row._asdict() for row in rows],
            }
        )
        return
    cells = [(r.name, r.now, r.then, f"{r.kmacs_now:.2f}", f"{r.kmacs_then:.2f}", r.note)
             for r in rows]  # fmt: skip
    now, then = sum(planned.macs_now.values()), sum(planned.macs_then.values())
    title = f"{name}: {now / 1000:.2f} -> {then / 1000:.2f} kMAC/px"
    title += f", {planned.ratio:.1%} of g_a and g_s removed"
    print_table(title, _HEADERS, cells)
