"""`train` and `finetune` for the published networks: what is trained, at which rate point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ..core.errors import OptionError
from .lookup import load_published, model_name
from .published_options import Published, rate_json, rate_of, refuse_own_options, resolve
from .published_run import Run
from .schedule import Schedule
from .settings import find_workspace

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..models.families import Network, Spec
    from ..models.saving import Saved
    from ..train.service import TrainingFrames

Gather = Callable[["Workspace", list[str]], "TrainingFrames"]

_STEPS: Final = 20_000
_TUNE_STEPS: Final = 2_000


@dataclass(frozen=True)
class Request:
    """What to train: a size, games, a model of the workspace to go on from, the name of the
    result (or None), all options."""

    size: str
    games: tuple[str, ...]
    source: str | None
    out: str | None
    published: Published
    schedule: Schedule


def train_published(request: Request, gather: Gather, as_json: bool) -> None:
    """A network of published widths, fresh or from one of the workspace: a model named
    `<game>-<size>-q<quality>` where no other name is asked for; the game is `generic` where there
    are several."""
    from ..models.families import family_of_spec
    from ..train.service import lineage

    refuse_own_options()
    workspace = find_workspace()
    spec, published = resolve(request.size, request.published)
    family = family_of_spec(spec)
    objective = published.objective(family)
    game = request.games[0] if len(request.games) == 1 else None
    start = None if request.source is None else load_published(workspace, request.source)
    if start is not None:
        _check_widths(start, spec, request)
    plan = family.schedule if start is None else family.tuning
    config = published.config(request.schedule, objective, plan, _STEPS)
    if published.base:
        base = family.objective("mse", published.quality or 0)
        config = replace(config, base=base.weight)
    origin = "" if request.source is None else f" --from {request.source}"
    line = f"train --model {request.size} --games {','.join(request.games)}{origin}"
    run = Run(
        workspace,
        request.out or model_name(game, f"{spec.name}-q{published.quality}"),
        request.schedule,
        config,
        lambda: family.build(spec, request.schedule.seed) if start is None else start.network,
        {
            "stage": "train",
            "command": f"c3d-export {line}{published.text()}",
            "from": request.source,
            "games": list(request.games),
            "rate": rate_json(published.quality, objective),
            "parents": [] if start is None else lineage(start.state),
        },
    )
    run.check()
    run.run(gather(workspace, list(request.games)), as_json)


def _check_widths(start: Saved, spec: Spec, request: Request) -> None:
    """Raises OptionError where a network to go on from is not the one that is asked for."""
    found: Spec = start.network.spec
    if type(found) is not type(spec) or replace(found, name=spec.name) != spec:
        raise OptionError(
            f"{request.source} has other widths than {spec.name}; go on from it with `c3d-export"
            f" finetune --model {request.source}`"
        )


def tune_published(
    name: str, game: str, out: str | None, published: Published, schedule: Schedule,
    gather: Gather, as_json: bool,
) -> None:  # fmt: skip
    """A network of the workspace, of any widths, trained further for one game."""
    from ..train.service import lineage

    refuse_own_options()
    workspace = find_workspace()
    start = load_published(workspace, name)
    quality, objective = rate_of(start, published)
    config = published.config(schedule, objective, start.family.tuning, _TUNE_STEPS)
    result = out or f"{name}-tuned"

    def network() -> Network:
        return start.network

    state = {
        "stage": "tune",
        "command": f"c3d-export finetune --model {name} --game {game}{published.text()}",
        "from": name,
        "games": [game],
        "rate": rate_json(quality, objective),
        "parents": lineage(start.state),
    }
    run = Run(workspace, result, schedule, config, network, state)
    run.check()
    run.run(gather(workspace, [game]), as_json)
