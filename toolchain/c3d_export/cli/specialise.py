"""`specialise`: what codecs made for one game gain over generic ones, on every game."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import MissingInputError, OptionError
from .files import make_folder
from .lookup import GENERIC, bundle_path
from .measuring import Measuring, find_metrics, measuring_options, require_all
from .output import note, print_json, print_table
from .settings import PATH, device_option, effort_option, find_workspace, shared, threads_option

if TYPE_CHECKING:
    from ..evaluate.rows import Row
    from ..evaluate.specialised import Candidate, Gain


@click.command()
@click.option("--codecs", required=True, metavar="A,B", help="Bundles of games, files or names.")
@click.option(
    "--generic",
    "generics",
    default="",
    metavar="A,B",
    help="Bundles they are compared with; those shipped of their size otherwise.",
)
@click.option(
    "--data", "folder", required=True, type=PATH, metavar="DIR",
    help="A data folder: {train,validation,test}/<game>-<height>p/.",
)  # fmt: skip
@click.option("--games", default="", metavar="A,B", help="All of DIR by default.")
@click.option("--split", type=click.Choice(["test", "validation"]), default="test")
@click.option("--metrics", default="psnr,ms_ssim", show_default=True, metavar="M,M")
@click.option("--out", required=True, type=PATH, metavar="DIR", help="Folder of the reports.")
@measuring_options
@device_option
@threads_option
@effort_option
@shared()
def specialise(
    codecs: str,
    generics: str,
    folder: Path,
    games: str,
    split: str,
    metrics: str,
    out: Path,
    scheduler: str,
    repeat: int,
    fresh: bool,
    device: str,
    threads: int,
    effort: int,
    as_json: bool,
) -> None:
    """Compare codecs made for one game with generic ones of their size, on the frames of each game.

    One table: the rate that a game's codec needs in percent of the generic one's at equal quality,
    in brackets on the frames of other games. Goes on where it was, as `eval` does.

    \b
    Example: c3d-export specialise --codecs supertuxkart-small,0ad-small --data frames/ --out report
    """
    from ..core.heap import keep_freed_memory
    from ..evaluate.meter import MeterOptions
    from ..evaluate.plan import PlanSpec, Source, source_of
    from ..evaluate.row_store import RowStore

    keep_freed_memory()
    frames = _frames(folder, _parts(games), split)
    candidates, paths = _candidates(_parts(codecs), _parts(generics))
    sources: list[Source] = [source_of(c.name, p) for c, p in zip(candidates, paths, strict=True)]
    spec = PlanSpec(tuple(sources), (), None, device, threads, effort)
    measuring = Measuring(scheduler, MeterOptions(find_metrics(metrics), repeat))
    plan = spec.open()
    make_folder(out)
    with RowStore(out, fresh=fresh) as store:
        rows = {game: measuring.rows(spec, plan, them, store) for game, them in frames.items()}
    _finish(rows, candidates, measuring.options.metrics, out, as_json)


def _finish(
    rows: dict[str, list[Row]],
    candidates: list[Candidate],
    metrics: Sequence[str],
    out: Path,
    as_json: bool,
) -> None:
    from ..evaluate.exchange import write_gains
    from ..evaluate.reports import write_csv
    from ..evaluate.specialised import gains, gains_table
    from ..evaluate.tables import METRIC_LABELS

    found = gains(rows, candidates, metrics)
    every = [row for of_game in rows.values() for row in of_game]
    write_csv(every, out / "results.csv")
    write_gains(found, out / "specialise.csv")
    if as_json:
        print_json({"gains": [{"game": g.game, "own": g.own, **vars(g.rate)} for g in found]})
    else:
        for metric in METRIC_LABELS:
            if any(gain.rate.metric == metric for gain in found):
                table = gains_table(found, metric)
                print_table("", table.headers, table.cells)
    _tell(found)
    note(f"{out / 'specialise.csv'} and {out / 'results.csv'}")
    require_all(every)


def _tell(found: list[Gain]) -> None:
    for gain in found:
        if gain.rate.reason:
            note(f"no BD-rate of {gain.rate.codec} on {gain.game}: {gain.rate.reason}")


def _frames(folder: Path, wanted: list[str], split: str) -> dict[str, list[Path]]:
    """Game to frames. Raises MissingInputError, MissingDataError."""
    from ..data.frames import find_game, game_folders

    if not folder.is_dir():
        raise MissingInputError(f"no folder {folder}; check --data")
    known = dict.fromkeys(name for name, _, _ in game_folders(folder / split))
    if not known and not wanted:
        raise MissingInputError(
            f"no games in {folder / split}; name a folder with {split}/<game>-<height>p/"
        )
    return {game: find_game(folder, game, split) for game in wanted or known}


def _candidates(codecs: list[str], generics: list[str]) -> tuple[list[Candidate], list[Path]]:
    """The codecs and the generic ones of their sizes, with their files.

    Raises OptionError where one has no generic codec, or two have one name.
    """
    from ..evaluate.specialised import generic_of

    if not codecs:
        raise OptionError("--codecs names no bundle; write them like a-small.c3b,b-small.c3b")
    workspace = find_workspace()
    found = [_candidate(bundle_path(workspace, name)) for name in codecs + generics]
    sizes = {item.size for item, _ in found if not item.game}
    for size in dict.fromkeys(item.size for item, _ in found if item.game):
        if size not in sizes and not generics:
            found.append(_candidate(bundle_path(workspace, f"{GENERIC}-{size}")))
    candidates = [item for item, _ in found]
    if len({item.name for item in candidates}) < len(candidates):
        names = ", ".join(item.name for item in candidates)
        raise OptionError(f"a codec stands twice in {names}; name each once")
    if not any(item.game for item in candidates):
        raise OptionError("--codecs names generic codecs alone; name one that is of a game")
    for item in candidates:
        if item.game:
            generic_of(item, candidates)
    return candidates, [path for _, path in found]


def _candidate(path: Path) -> tuple[Candidate, Path]:
    from ..evaluate.specialised import Candidate
    from ..runtime.bundle import read_bundle

    bundle = read_bundle(path)
    game = str(bundle.manifest.get("game") or "")
    return Candidate(bundle.name, game, bundle.name.rpartition("-")[2]), path


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
