"""`doctor`: can this host run codecs, and does it compute what it must?"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import C3DError, HostError, MissingModelError
from .host_facts import (
    coder_kernel,
    convolution_kernel,
    cpu_features,
    cuda_libraries,
    gpu_driver,
)
from .lookup import bundle_path
from .output import print_json, print_table
from .settings import find_workspace, shared

if TYPE_CHECKING:
    from ..runtime.bundle import Bundle

__all__ = ["Finding", "cpu_features", "doctor"]

OK, ABSENT, WARNING, PROBLEM = "ok", "absent", "warning", "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. milliseconds: what it took, where that matters."""

    what: str
    verdict: str
    text: str
    milliseconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {"what": self.what, "verdict": self.verdict, "text": self.text}
        return row if self.milliseconds is None else {**row, "milliseconds": self.milliseconds}

    @property
    def line(self) -> str:
        if self.milliseconds is None:
            return self.text
        return f"{self.text}, {self.milliseconds:.1f} ms"


@click.command()
@click.option("--codec", metavar="BUNDLE", help="Check this bundle instead of the shipped one.")
@shared()
def doctor(codec: str | None, as_json: bool) -> None:
    """Check this host: versions, processor, GPU, providers, and the known answers of a bundle.

    Each provider has to run a convolution, and each flavour has to give the bundle's numbers.
    Exit code 4 where something stands in the way.

    \b
    Example: c3d-export doctor --json
    """
    findings = list(_findings(codec))
    problems = [f for f in findings if f.verdict == PROBLEM]
    if as_json:
        print_json({"healthy": not problems, "findings": [f.to_json() for f in findings]})
    else:
        rows = [(f.what, f.verdict, f.line) for f in findings]
        print_table("this host", ("what", "", "found"), rows)
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
    runtime = _checked("onnxruntime", _runtime)
    yield runtime
    for name in ("torch", "onnx", "torch-pruning", "safetensors"):
        yield _optional(name)
    # A broken ONNX Runtime has been told of; what it would say of the rest means nothing.
    listed = _listed_providers() if runtime.verdict == OK else []
    yield from _gpu("CUDAExecutionProvider" in listed)
    devices = []
    for device, provider in _providers(listed):
        yield provider
        devices += [device] * (provider.verdict == OK)
    yield from _answers(codec, devices)


def _checked(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, OK, check())
    except C3DError as error:
        return Finding(what, PROBLEM, str(error))
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
    files = f"{Path(_arith.__file__).name}, {Path(_native.__file__).name}"
    kernels = f"the coder uses its {coder_kernel()} kernel, convolutions the"
    return f"loaded: {files}; {kernels} {convolution_kernel()} one"


def _runtime() -> str:
    from ..runtime.providers import import_runtime, installed_runtimes

    runtime = import_runtime()
    installed = ", ".join(f"{k} {v}" for k, v in installed_runtimes().items())
    providers = ", ".join(runtime.get_available_providers())
    return f"{installed or runtime.__version__}, providers {providers}"


def _listed_providers() -> list[str]:
    from ..runtime.providers import import_runtime

    return list(import_runtime().get_available_providers())


def _gpu(wanted: bool) -> Iterator[Finding]:
    """Driver and libraries. wanted: this ONNX Runtime is made for CUDA, so that it needs them."""
    from ..runtime import cuda

    major = cuda.CUDA_MAJOR
    if wanted:
        from ..runtime.providers import import_runtime

        runtime = import_runtime()
        cuda.preload(runtime)
        major = cuda.built_with(runtime)
    driver = gpu_driver()
    if driver is None:
        text = "nvidia-smi is absent or finds no GPU"
        yield Finding("gpu", WARNING if wanted else OK, text)
    else:
        yield Finding("gpu", OK, driver)
    found, absent = cuda_libraries(major)
    if not absent:
        yield Finding("cuda libraries", OK, found)
    elif wanted:
        yield Finding("cuda libraries", PROBLEM, cuda.describe_missing(absent))
    else:
        names = ", ".join(library.file for library in absent)
        text = f"only device cuda needs them; not found: {names}"
        yield Finding("cuda libraries", OK, f"{text}; found: {found}" if found else text)


def _providers(listed: list[str]) -> Iterator[tuple[str, Finding]]:
    """Each device's provider: does it load, and run a convolution?"""
    from ..runtime.probe import probe
    from ..runtime.providers import INSTALL_GPU, PROVIDERS

    for device, provider in PROVIDERS.items():
        what = f"provider, {device}"
        if provider in listed:

            def check(device: str = device, provider: str = provider) -> str:
                probe(device)
                return f"{provider} loads and runs a convolution"

            yield device, _timed(what, check)
        elif listed:
            text = f"{provider} is not in this ONNX Runtime; {INSTALL_GPU} brings it for a GPU"
            yield device, Finding(what, ABSENT, text)


def _timed(what: str, check: Callable[[], str]) -> Finding:
    begin = time.perf_counter()
    finding = _checked(what, check)
    return replace(finding, milliseconds=1000.0 * (time.perf_counter() - begin))


def _answers(codec: str | None, devices: list[str]) -> Iterator[Finding]:
    """The known answers in every flavour of the devices that work."""
    from ..runtime.families import flavours_of
    from ..runtime.policy import read_admitted
    from ..runtime.sessions import DEVICE_FLAVOURS

    try:
        path = bundle_path(find_workspace(), codec)
    except MissingModelError as error:
        yield Finding("known answers", WARNING, str(error))
        return
    bundle = read_admitted(path)
    for device in devices:
        own = flavours_of(bundle, device) if bundle.family else DEVICE_FLAVOURS[device]
        for flavour in own:
            yield _known(bundle, device, flavour)


def _known(bundle: Bundle, device: str, flavour: str) -> Finding:
    """Timed without the sessions: what a codec pays for the check when it is opened."""
    from ..runtime.codec import Codec
    from ..runtime.families import check_family, family_codec
    from ..runtime.known import check_known_answers
    from ..runtime.sessions import SessionOptions

    codec_of = family_codec if bundle.family else Codec

    what = f"known answers, {device} {flavour}"
    opened: list[Codec] = []

    def open_sessions() -> str:
        opened.append(codec_of(bundle, SessionOptions(device, flavour)))
        return ""

    def check() -> str:
        if bundle.family:
            check_family(opened[0])
        else:
            check_known_answers(opened[0])
        return f"{bundle.name} {bundle.id.hex()}: as exported"

    finding = _checked(what, open_sessions)
    return finding if finding.verdict == PROBLEM else _timed(what, check)
