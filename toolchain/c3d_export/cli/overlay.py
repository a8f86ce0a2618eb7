"""`overlay`: what a game draws over its pictures, learnt from its frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .gathering import frame_store
from .output import note, print_json, progress
from .settings import PATH, find_workspace, shared

if TYPE_CHECKING:
    from ..data.workspace import Workspace
    from ..overlay.pack import LearntOverlay
    from ..train.service import TrainingFrames

F = TypeVar("F", bound=Callable[..., Any])


def whole_option(function: F) -> F:
    """`--whole-frames`, as the argument whole_frames."""
    return click.option(
        "--whole-frames",
        is_flag=True,
        help="Leave the game's overlay in the frames: for bundles without one.",
    )(function)


@click.command()
@click.option("--game", required=True, metavar="NAME", help="Whose training frames to look at.")
@click.option("--picture", type=PATH, metavar="FILE", help="PNG of what was found.")
@shared()
def overlay(game: str, picture: Path | None, as_json: bool) -> None:
    """Find what a game draws at the same place in frames of several maps: counters, panels, texts.

    `bundle` does it by itself and puts it into the codec, where it costs a frame some bits instead
    of a tenth or more of its bytes. Here one sees what it is.

    \b
    Example: c3d-export overlay --game supertuxkart --picture overlay.png
    """
    found = find_overlay(find_workspace(), game)
    if found is None:
        note(f"{game} draws nothing at the same place in several scenes")
    elif picture is not None:
        from ..overlay.preview import preview
        from ..runtime.images import write_image

        write_image(picture, preview(found))
    if as_json:
        print_json(_facts(game, found))
    elif found is not None:
        facts = _facts(game, found)
        note("  ".join(f"{key} {value}" for key, value in facts.items()))


def _facts(game: str, found: LearntOverlay | None) -> dict[str, object]:
    if found is None:
        return {"game": game, "tiles": 0}
    height, width = found.size
    share = float((found.shares[found.group][:, None] * found.touched).sum()) / (height * width)
    return {
        "game": game,
        "tiles": len(found.place),
        "groups": len(found.shares),
        "frame": f"{width}x{height}",
        "pixels_of_a_frame": f"{100 * share:.1f} %",
    }


def find_overlay(workspace: Workspace, game: str) -> LearntOverlay | None:
    """The overlay of a game, learnt now where it was not before."""
    from ..overlay.store import load_or_learn

    with progress("overlay", 100) as advance:
        return load_or_learn(workspace, game, lambda done, all_: advance(100 * done // all_, ""))


def as_coded(workspace: Workspace, frames: TrainingFrames, whole: bool) -> TrainingFrames:
    """What the codec will code: frames of one game without the overlay that its bundle has.

    whole: its bundle will have none. Frames of several games stay as they are.
    """
    if whole or len(frames.pools) > 1:
        return frames
    from ..data.cropstore_frames import StoredFrames

    (pool,) = frames.pools
    overlay = find_overlay(workspace, pool.game)
    if overlay is None:
        return frames
    assert isinstance(pool.frames, StoredFrames)
    with progress("frames without it", len(pool.frames)) as advance:
        rest = frame_store(workspace).derive(
            pool.frames, f"lift {overlay.digest}", overlay.lift, lambda done, _: advance(done, "")
        )
    return replace(frames, pools=[replace(pool, frames=rest)], lifted=True)
