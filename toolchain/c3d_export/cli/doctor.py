"""`doctor`: can this host run codecs, and does it compute what it must?"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core.errors import C3DError, HostError, MissingModelError
from .lookup import bundle_path
from .output import print_json, print_table
from .settings import find_workspace, shared

if TYPE_CHECKING:
    from ..runtime.bundle import Bundle

OK, WARNING, PROBLEM = "ok", "warning", "problem"

# What int8 kernels use, from the slowest to the fastest.
_CPU_FLAGS = ("sse4_1", "avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. error: what is raised for a problem."""

    what: str
    verdict: str
    text: str
    error: C3DError | None = None


@click.command()
@click.option("--codec", metavar="BUNDLE", help="Check this bundle instead of the shipped one.")
@shared()
def doctor(codec: str | None, as_json: bool) -> None:
    """Check this host: versions, providers, CPU, and the known answers of a bundle.

    Exit code 4 where something stands in the way.

    \b
    Example: c3d-export doctor --json
    """
    findings = list(_findings(codec))
    problems = [f for f in findings if f.verdict == PROBLEM]
    if as_json:
        rows = [{"what": f.what, "verdict": f.verdict, "text": f.text} for f in findings]
        print_json({"healthy": not problems, "findings": rows})
    else:
        print_table("this host", ("what", "", "found"), [(f.what, f.verdict, f.text)
                                                        for f in findings])  # fmt: skip
    if problems:
        count = f"{len(problems)} problem{'s' * (len(problems) > 1)}"
        raise HostError(f"{count}; the first: {problems[0].what}: {problems[0].text}")


def _findings(codec: str | None) -> Iterator[Finding]:
    from .. import __version__

    yield Finding("c3d-export", OK, __version__)
    yield Finding("python", OK, f"{platform.python_version()} on {platform.platform()}")
    yield Finding("cpu", OK, cpu_features(Path("/proc/cpuinfo")))
    for name in ("numpy", "pillow"):
        yield _checked(name, partial(_version, name))
    yield _checked("entropy coder and passes", _extensions)
    yield _checked("onnxruntime", _runtime)
    for name in ("torch", "onnx", "torch-pruning", "safetensors"):
        yield _optional(name)
    yield from _answers(codec)


def _checked(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, OK, check())
    except C3DError as error:
        return Finding(what, PROBLEM, str(error), error)
    except Exception as error:  # of any kind: a broken library is what is looked for
        return Finding(what, PROBLEM, f"{type(error).__name__}: {error}")


def _version(name: str) -> str:
    from importlib import metadata

    return metadata.version(name)


def _optional(name: str) -> Finding:
    from importlib import metadata

    try:
        return Finding(name, OK, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, OK, "not installed; only training needs it")


def _extensions() -> str:
    from .. import _arith, _native

    if _arith.crc32c(b"123456789") != 0xE3069283:
        raise HostError("the entropy coder computes a wrong CRC-32C; build the extensions again")
    return f"loaded: {Path(_arith.__file__).name}, {Path(_native.__file__).name}"


def _runtime() -> str:
    from ..runtime.sessions import import_runtime, installed_runtimes

    runtime = import_runtime()
    installed = ", ".join(f"{k} {v}" for k, v in installed_runtimes().items())
    providers = ", ".join(runtime.get_available_providers())
    return f"{installed or runtime.__version__}, providers {providers}"


def cpu_features(cpuinfo: Path) -> str:
    """The processor's name and what of the features for int8 it has."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    table = {key.strip(): value.strip() for key, value in fields.items()}
    flags = set((table.get("flags") or table.get("Features") or "").split())
    found = [flag for flag in _CPU_FLAGS if flag in flags]
    return f"{table.get('model name', platform.machine())}: {' '.join(found) or 'no int8 features'}"


def _answers(codec: str | None) -> Iterator[Finding]:
    """The known answers in every flavour that a device of this host runs."""
    from ..runtime.bundle import read_bundle

    try:
        path = bundle_path(find_workspace(), codec)
    except MissingModelError as error:
        yield Finding("known answers", WARNING, str(error), error)
        return
    bundle = read_bundle(path)
    for device, flavour in _devices():
        what = f"known answers, {device} {flavour}"
        yield _checked(what, partial(_known, bundle, device, flavour))


def _devices() -> list[tuple[str, str]]:
    from ..runtime.sessions import DEVICE_FLAVOURS, import_runtime

    try:
        providers = import_runtime().get_available_providers()
    except C3DError:  # said already
        return []
    devices = ["cpu"] + ["cuda"] * ("CUDAExecutionProvider" in providers)
    return [(device, flavour) for device in devices for flavour in DEVICE_FLAVOURS[device]]


def _known(bundle: Bundle, device: str, flavour: str) -> str:
    from ..runtime.codec import Codec
    from ..runtime.known import check_known_answers
    from ..runtime.sessions import SessionOptions

    check_known_answers(Codec(bundle, SessionOptions(device, flavour)))
    return f"{bundle.name} {bundle.id.hex()}: as exported"
