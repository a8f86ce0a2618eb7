"""In which folder a training will log, from its command line alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lookup import model_name
from .published_options import Published, is_published, resolve

if TYPE_CHECKING:
    from ..data.workspace import Workspace


def run_folder(workspace: Workspace, command: str, options: dict[str, Any]) -> Path | None:
    """The folder of the run that `train` or `finetune` starts with these parameters.

    None for other commands. Raises OptionError for names that cannot be.
    """
    if command == "train":
        return workspace.runs / _trained(workspace, options)
    return workspace.runs / _tuned(options) if command == "finetune" else None


def _trained(workspace: Workspace, options: dict[str, Any]) -> str:
    from ..models.spec import spec_of_size

    game, size = _game(workspace, options), options["size"]
    if options["task"] == "sr":
        return model_name(game, f"x{options['factor']}")
    if not is_published(size):
        return model_name(game, spec_of_size(size).name)
    given = Published(**{name: options[name] for name in Published.__dataclass_fields__})
    spec, published = resolve(size, given)
    return options["out"] or model_name(game, f"{spec.name}-q{published.quality}")


def _game(workspace: Workspace, options: dict[str, Any]) -> str | None:
    """The only one, or None."""
    from ..data.locate import data_roots, located_games

    named = options["game"] or options["games"] or ""
    games = list(dict.fromkeys(name.strip() for name in named.split(",") if name.strip()))
    games = games or located_games(data_roots(workspace))
    return games[0] if len(games) == 1 else None


def _tuned(options: dict[str, Any]) -> str:
    from ..models.spec import SIZES

    if options["size"] in SIZES:
        return f"{model_name(options['game'], options['size'])}-tune"
    return options["out"] or f"{options['size']}-tuned"
