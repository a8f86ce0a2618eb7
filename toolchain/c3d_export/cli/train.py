"""`train` and `finetune`: networks from frames, in runs that survive a stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..core.errors import MissingDataError, OptionError
from .gathering import gather_frames
from .lookup import find_network, has_network, load_network, model_name, published_file
from .output import note
from .overlay import as_coded, whole_option
from .processes import in_processes, refuse_several
from .published_options import Published, is_published, refuse_out, train_options, tune_options
from .schedule import Schedule, schedule_options
from .settings import find_workspace, model_option, shared
from .train_job import Job
from .train_published import Request, train_published, tune_published
from .train_sr import require_torch, train_sr
from .train_sr_options import SR_ONLY, SrOptions, check_task, task_options

if TYPE_CHECKING:
    from ..data.workspace import Workspace

_TRAIN_STEPS = 20_000
_TUNE_STEPS = 2_000


@click.command()
@task_options
@model_option
@click.option("--game", metavar="NAME", help="Train for one game.")
@click.option("--games", metavar="A,B,C", help="Train for several; all that there are by default.")
@click.option("--from", "source", metavar="NAME", help="Go on from this model of the workspace.")
@whole_option
@train_options
@schedule_options(quantize_from=0.8, learning_rate=0.02)
@in_processes
@shared()
def train(
    size: str,
    game: str | None,
    games: str | None,
    source: str | None,
    whole_frames: bool,
    task: str,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a new network, which starts as the transform codec (KLT) of the frames, or one of the
    published (--model c2f-small, mbt2018-mean), which starts from nothing.

    With --task sr train an up-scaler of frames that are coded at a lower resolution.

    \b
    Example: c3d-export train --model small --games supertuxkart,0ad --minutes 60
             c3d-export train --task sr --factor 2 --minutes 30
             c3d-export train --model mbt2018-mean --game 0ad --quality 4 --distortion ms-ssim
    """
    check_task(task)
    published = Published(**{name: options.pop(name) for name in Published.__annotations__})
    if task == "sr":
        published.check_absent()
        refuse_several("an up-scaler")
        refuse_out(out)
        require_torch()
        chosen = _games(find_workspace(), game, games)
        train_sr(chosen, gather_frames, SrOptions.of({**options, "source": source}), as_json)
        return
    for only in SR_ONLY:
        del options[only]
    schedule = Schedule(**options)
    schedule.check()
    if is_published(size):
        chosen = _games(find_workspace(), game, games)
        request = Request(size, tuple(chosen), source, out, published, schedule)
        train_published(request, gather_frames, as_json)
        return
    published.check_absent()
    refuse_out(out)
    workspace = find_workspace()
    chosen = _games(workspace, game, games)
    _train_own(workspace, size, chosen, source, whole_frames, schedule, as_json)


def _train_own(
    workspace: Workspace,
    size: str,
    games: list[str],
    source: str | None,
    whole_frames: bool,
    schedule: Schedule,
    as_json: bool,
) -> None:
    """A network of our own family."""
    from ..models.spec import spec_of_size
    from ..train import service

    spec = spec_of_size(size)
    name = model_name(games[0] if len(games) == 1 else None, size)
    if has_network(workspace, name) and not (schedule.force or schedule.resume):
        raise OptionError(
            f"{workspace.model(name)} is trained already; add --force to replace it, or tune it"
            " with `c3d-export finetune`"
        )
    frames = as_coded(workspace, gather_frames(workspace, games), whole_frames)
    whole = " --whole-frames" if whole_frames else ""
    command = f"c3d-export train --model {size} --games {','.join(games)}{whole}"
    if source is None:
        start = service.SavedModel(service.new_network(spec, frames.pools, schedule.seed))
    else:
        start = load_network(workspace, source)
        command += f" --from {source}"
    job = Job(name, "train", command, schedule, _TRAIN_STEPS, workspace.runs / name)
    job.run(workspace, start, frames, as_json)


@click.command()
@model_option
@click.option("--game", required=True, metavar="NAME", help="The game to tune for.")
@click.option("--from", "source", metavar="NAME", help="Start from this model of the workspace.")
@whole_option
@tune_options
@schedule_options(quantize_from=0.0, learning_rate=0.01, decay="late")
@in_processes
@shared()
def finetune(
    size: str,
    game: str,
    source: str | None,
    whole_frames: bool,
    quality: int | None,
    distortion: str | None,
    plan: str | None,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Tune a pruned or generic network for one game, simulating its integers; one of a published
    family (imported, trained or pruned, by its name) in float, for one rate point.

    \b
    Example: c3d-export finetune --model small --game supertuxkart --minutes 30
             c3d-export finetune --model mbt-pruned --game 0ad --steps 2000 -o 0ad-mbt
    """
    schedule = Schedule(**options)
    schedule.check()
    workspace = find_workspace()
    published = Published(quality=quality, distortion=distortion, plan=plan)
    if published_file(workspace, size) is not None:
        if source is not None:
            raise OptionError(f"--from: not for published models; give --model {source} alone")
        tune_published(size, game, out, published, schedule, gather_frames, as_json)
        return
    published.check_absent()
    refuse_out(out)
    name = model_name(game, size)
    frames = as_coded(workspace, gather_frames(workspace, [game]), whole_frames)
    if source is not None:
        origin, start = source, load_network(workspace, source)
    else:
        origin, start = find_network(workspace, size, game)
    note(f"from {origin}")
    whole = " --whole-frames" if whole_frames else ""
    command = f"c3d-export finetune --model {size} --game {game}{whole}"
    job = Job(name, "tune", command, schedule, _TUNE_STEPS, workspace.runs / f"{name}-tune")
    job.run(workspace, start, frames, as_json)


def _games(workspace: Workspace, game: str | None, games: str | None) -> list[str]:
    from ..data.locate import data_roots, located_games
    from ..data.workspace import check_name

    if game is not None and games is not None:
        raise OptionError("give either --game or --games, not both")
    names = [game] if game is not None else (games or "").split(",") if games else []
    chosen = list(dict.fromkeys(check_name(name.strip(), "game") for name in names))
    roots = data_roots(workspace)
    chosen = chosen or located_games(roots)
    if not chosen:
        raise MissingDataError(
            f"no frames: looked in {' and '.join(map(str, roots))} for"
            " train/<game>-<height>p/NNN.png (or .webp, .jpg); make them with"
            " `c3d-export data import FOLDER --game NAME`"
        )
    return chosen
