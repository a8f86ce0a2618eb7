"""The log of the training that a command is, and the line that goes on with it after a stop."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from .output import note
from .processes import rank
from .settings import Settings

if TYPE_CHECKING:
    from ..train.crops import Pool
    from ..train.logs import RunLog

# A run that goes on keeps its length; what it prints is the business of each call.
_LEFT_OUT: Final = ("steps", "minutes", "resume", "as_json")


def open_log(folder: Path, name: str, pools: Sequence[Pool]) -> RunLog:
    """The log of the run of a model in its folder, for the running command. pools: its frames.

    Only the first of the processes of a training writes it.
    """
    from ..train.logs import About, RunLog

    context = click.get_current_context()
    upscaler = context.params.get("task") == "sr"
    kind = "train-sr" if upscaler else str(context.info_name)
    model = f"x{context.params['factor']}" if upscaler else context.params["size"]
    line = shlex.join(["c3d-export", *_names(context), *resumed(context)])
    silent = rank() != 0
    if not silent:
        _tell_of_events()
    games = tuple(pool.game for pool in pools)
    return RunLog(folder, About(name, kind, model, games, line), silent)


def _names(context: click.Context) -> list[str]:
    """Of the command and its groups, without that of the program."""
    if context.parent is None:
        return []
    return [*_names(context.parent), str(context.info_name)]


@cache
def _tell_of_events() -> None:
    try:
        import tensorboardX

        del tensorboardX
    except ImportError:
        note("no TensorBoard events without tensorboardX: pip install 'c3d-export[logs]'")


def resumed(context: click.Context) -> list[str]:
    """The options of a training as they are given, for a command that goes on with it."""
    return [*given_options(context, _LEFT_OUT), "--resume"]


def given_options(context: click.Context, without: Collection[str] = ()) -> list[str]:
    """What the command line of a context has, parameter by parameter, `without` some."""
    words = []
    for parameter in context.command.get_params(context):
        name = parameter.name or ""
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and name in context.params and name not in without:
            words += _words(parameter, context.params[name])
    chosen = context.ensure_object(Settings).workspace
    return [*words, "--workspace", chosen] if chosen else words


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    several = parameter.multiple if isinstance(parameter, click.Option) else parameter.nargs != 1
    values = list(value) if several else [value]
    if not isinstance(parameter, click.Option):
        return [str(item) for item in values]
    name = max(parameter.opts, key=len)
    if parameter.is_flag:
        return [name] if value else []
    return [word for item in values for word in (name, str(item))]
