"""How a command ends: one line on stderr and the exit code of the error's class.

0 done, 1 internal error, 2 wrong usage, 3 a validation failed, 4 the host lacks something,
5 a corrupt or foreign file, 6 some hosts of a fleet failed; 130 interrupted, 141 the reader of
our output went away (128 and the signal's number, as a shell reports it).
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import Final

import click

from ..core.errors import C3DError, HostError, UsageError
from .processes import first_of_host, rank
from .settings import Settings

INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141
INTERNAL: Final = C3DError.exit_code

# Modules that only some installations have, and the extra that brings them.
_EXTRAS: Final = {"onnxruntime": "cpu", "cryptography": "sign"}


class InterruptError(Exception):
    """Stands for KeyboardInterrupt, which click would turn into an error of its own."""


class PipeClosedError(Exception):
    """Stands for BrokenPipeError, for the same reason."""


def exit_code_of(call: Callable[[], object], settings: Settings) -> int:
    """Runs a command and says how it ended, on stderr and as exit code."""
    try:
        result = call()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return UsageError.exit_code
    except InterruptError:
        return _say("interrupted", INTERRUPTED, settings)
    except PipeClosedError:
        _silence_stdout()
        return PIPE_CLOSED
    except click.ClickException as error:
        return _say(_usage(error), error.exit_code, settings)
    except C3DError as error:
        return _ours(error, settings)
    except ModuleNotFoundError as error:
        return _missing_module(error, settings)
    except Exception as error:
        hint = "" if settings.verbose else "; run again with -v for the traceback"
        text = f"internal error: {type(error).__name__}: {error}{hint}"
        return _say(text, INTERNAL, settings)
    return result if isinstance(result, int) else 0


def _ours(error: C3DError, settings: Settings) -> int:
    if isinstance(error.__cause__, BrokenPipeError):
        _silence_stdout()
        return PIPE_CLOSED
    return _say(str(error), error.exit_code, settings)


def _missing_module(error: ModuleNotFoundError, settings: Settings) -> int:
    name = (error.name or "").split(".")[0]
    if name in ("", "c3d_export"):
        return _say(f"internal error: {error}", INTERNAL, settings)
    extra = _EXTRAS.get(name, "train")
    text = f"{name} is not installed; run pip install 'c3d-export[{extra}]'"
    return _say(text, HostError.exit_code, settings)


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "c3d-export"
    return f"{error.format_message().rstrip('.')}; see {path} --help"


def _say(text: str, code: int, settings: Settings) -> int:
    if settings.verbose:
        traceback.print_exc()
    own = rank()
    if own and code == UsageError.exit_code and not first_of_host():
        return code  # the first process says the same
    # Foreign messages may have several lines; an error has one.
    who = f"process {own}: " if own else ""
    click.echo(f"{who}error: {' '.join(text.split())}", err=True)
    return code


def _silence_stdout() -> None:
    """Python would flush stdout once more at exit and complain."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
