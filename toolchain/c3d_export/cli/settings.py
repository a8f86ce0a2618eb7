"""What every command shares: the global options, in front of the command's name or behind it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .numbers import Number

if TYPE_CHECKING:
    from ..data.workspace import Workspace

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Settings:
    """The values of the global options, and all arguments; one object per run of the program."""

    workspace: str | None = None
    verbose: bool = False
    arguments: tuple[str, ...] = ()


def settings() -> Settings:
    """The settings of the running command."""
    return click.get_current_context().ensure_object(Settings)


def find_workspace() -> Workspace:
    """The workspace of the running command; raises OptionError where it is a file."""
    from ..data.workspace import Workspace

    return Workspace.find(os.environ, settings().workspace)


def _set_workspace(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Settings).workspace = value


def _set_verbose(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(Settings).verbose = True


verbose_option = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_set_verbose,
    help="Say more, and show the traceback of an error.",
)
workspace_option = click.option(
    "--workspace",
    metavar="DIR",
    expose_value=False,
    callback=_set_workspace,
    help="Folder of data, models and bundles [C3D_WORKSPACE, else ./c3d-work].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
threads_option = click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Threads of the networks; 0 for all cores.",
)
device_option = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    help="Where the networks run; never another one than asked for.",
)
effort_option = click.option(
    "--effort",
    type=click.IntRange(1, 4),
    default=1,
    show_default=True,
    metavar="N",
    help="Looks of the encoder at what it codes: 2 takes three times as long, for smaller files.",
)
flavour_option = click.option(
    "--flavour",
    "flavours",
    type=click.Choice(["qlinear", "float"]),
    multiple=True,
    help="Kind of graphs; give it again to allow another one where the first computes wrongly.",
)
model_option = click.option(
    "--model",
    "size",
    default="small",
    metavar="SIZE",
    help="xsmall, small, median or large; `train` takes c2f-small, mbt2018-mean and the like too,"
    " other commands the name of an imported or trained one.",
)
force_option = click.option("--force", is_flag=True, help="Replace what is there.")
seed_option = click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, metavar="N")
plain_http_option = click.option(
    "--plain-http", is_flag=True, help="Allow registries without TLS other than this host's."
)
timeout_option = click.option(
    "--timeout",
    type=Number(1, 86_400),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="For each machine that is talked to.",
)


class _Path(click.Path):
    """An empty one would be the current folder, where a script's variable was not set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("is empty; name a file or folder", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Path(path_type=Path)


def shared(*, workspace: bool = True, json: bool = True) -> Callable[[F], F]:
    """Adds -v, and --workspace and --json where the command has a use for them."""

    def decorate(function: F) -> F:
        function = verbose_option(function)
        if workspace:
            function = workspace_option(function)
        return json_option(function) if json else function

    return decorate
