"""The command `c3d-export`.

Every module of this folder imports click, `core` and its neighbours only; what a command needs
besides is imported when it runs, so that `--help` appears at once and the host side works without
the libraries of the training side.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from .. import __version__
from .bench import bench
from .compare import compare
from .data import data
from .decode import decode
from .doctor import doctor
from .encode import encode
from .evaluate import evaluate
from .export import bundle, export
from .failures import InterruptError, PipeClosedError, exit_code_of
from .import_ import import_
from .install import install, list_, prune_old, rollback
from .keys import keygen, sign, verify
from .overlay import overlay
from .packaging import package
from .prune import prune
from .report import report
from .runs import runs
from .settings import Settings, verbose_option, workspace_option
from .ship import ship
from .specialise import specialise
from .sweep import sweep
from .train import finetune, train
from .validate import validate


class Program(click.Group):
    """A group that ends the process with the exit codes of `failures`."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Never returns: click's own standalone mode would print several lines per error."""
        settings = Settings(arguments=tuple(sys.argv[1:] if args is None else args))
        name = prog_name or "c3d-export"

        def call() -> object:
            return super(Program, self).main(
                args,
                name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                obj=settings,
                **extra,
            )

        sys.exit(exit_code_of(call, settings))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a closed pipe must show here, not while Python shuts down
        except BrokenPipeError as error:
            raise PipeClosedError from error
        except KeyboardInterrupt as error:
            raise InterruptError from error
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the work, not of the alphabet."""
        return list(self.commands)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@workspace_option
@verbose_option
@click.version_option(__version__, prog_name="c3d-export")
def main() -> None:
    """Small neural image codecs, each made for the frames of one game or scene.

    \b
    frames -> train -> prune -> finetune -> bundle -> ship ... install -> encode / decode

    \b
    Example: c3d-export encode frame.png -o frame.c3s --quality 4
    """


for _command in (
    data,
    import_,
    train,
    prune,
    finetune,
    sweep,
    runs,
    overlay,
    export,
    bundle,
    package,
    validate,
    keygen,
    sign,
    verify,
    ship,
    install,
    rollback,
    list_,
    prune_old,
    encode,
    decode,
    evaluate,
    specialise,
    report,
    compare,
    bench,
    doctor,
):
    main.add_command(_command)
