"""Building the C host for a test, and running cases in it."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shlex
import struct
import subprocess
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from c3d_export.core import errors

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOST = ROOT / "toolchain" / "libc3dcodec"
NATIVE = ROOT / "toolchain" / "c3d_export" / "runtime" / "native"
ARITH = ROOT / "arith"
GOLDEN = ROOT / "tests" / "golden" / "v4"

# As setup.py compiles the same sources, which is a part of the exactness.
EXACT = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
LIBRARIES = ["-lpthread", "-lm", "-ldl"]
SANITIZE = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

# The library under the sanitizers can have its allocations fail (hooks.c).
HOOKED = ("malloc", "calloc", "aligned_alloc", "pthread_create")
HOOKS = [f"-D{name}=checks_{name}" for name in HOOKED]


def runtime_library() -> str:
    """ONNX Runtime's library of the installed Python package; skips the test without one."""
    found = importlib.util.find_spec("onnxruntime")
    folders = list(found.submodule_search_locations or []) if found else []
    for folder in folders:
        for path in sorted(Path(folder, "capi").glob("libonnxruntime.*")):
            if path.suffix != ".py":
                return str(path)
    pytest.skip("onnxruntime is not installed, or brings no library of its own")


def compilers() -> list[str]:
    """The compiler that Python was built with first, as setup.py takes it."""
    own = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    return list(dict.fromkeys([own, "cc", "gcc", "clang"]))


def includes() -> list[str]:
    folders = (HOST / "include", HOST / "src", HOST / "tools", ARITH / "include", NATIVE)
    return [f"-I{folder}" for folder in folders]


def library_sources() -> list[str]:
    """The lists of CMakeLists.txt: our own, and those that it takes from elsewhere unchanged."""
    names = ("fill", "latents", "overlay", "pixels", "quantize")
    found = [*(HOST / "src").glob("*.c"), *(ARITH / "src").glob("*.c")]
    passes = [NATIVE / f"native_{name}.c" for name in names]
    return sorted(str(path) for path in found) + [str(path) for path in passes]


def build(folder: Path, options: Sequence[str], compiler: str, sources: Sequence[str]) -> list[str]:
    """Compile sources, two at a time; return the paths of the objects."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-std=c11", "-D_POSIX_C_SOURCE=200809L", *EXACT, *WARNINGS, *options]
    halves = [list(sources[::2]), list(sources[1::2])]
    running = [
        subprocess.Popen([*command, *includes(), "-c", *half], cwd=folder, stderr=subprocess.PIPE)
        for half in halves
        if half
    ]
    for process in running:
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
    return [str(folder / (Path(source).stem + ".o")) for source in sources]


def link(program: Path, compiler: str, options: Sequence[str], objects: Sequence[str]) -> Path:
    command = [compiler, *options, *objects, "-o", str(program), *LIBRARIES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


@dataclass(frozen=True)
class Case:
    """What the driver is asked; kind: a letter of driver.c. numbers: width, height, quality."""

    kind: str
    data: bytes
    numbers: tuple[int, int, int] = (0, 0, 0)

    def packed(self) -> bytes:
        return struct.pack("<c4I", self.kind.encode(), *self.numbers, len(self.data)) + self.data


@dataclass(frozen=True)
class Answer:
    """status: a name of STATUSES. text: the result, or the message of a failure."""

    status: str
    text: str


def _statuses() -> tuple[dict[int, str], dict[str, str]]:
    """Number -> name, and name -> class of errors, as the header has them."""
    header = (HOST / "include" / "c3d_codec.h").read_text()
    names, classes = {}, {}
    for name, number, comment in re.findall(
        r"C3D_(\w+) = (\d+),?(?:\s*/\*(.*?)\*/)?", header, re.S
    ):
        if name == "OK" or name.startswith("ERR_"):
            names[int(number)] = name
            if error := re.search(r"\[(\w+)\]", comment):
                classes[name] = error[1]
    return names, classes


STATUSES, CLASSES = _statuses() if HOST.is_dir() else ({}, {})


def status_of(error: BaseException | None) -> str:
    """The name of the status that says what a Python error says."""
    if error is None:
        return "OK"
    found = [name for name, kind in CLASSES.items() if kind == type(error).__name__]
    assert len(found) == 1, error
    return found[0]


def status_after(call: Callable[[], object]) -> str:
    """The name of the status that says what Python's call says."""
    try:
        call()
    except errors.C3DError as error:
        return status_of(error)
    return "OK"


class Driver:
    """A program that runs cases with one codec."""

    def __init__(self, program: Path, environment: dict[str, str] | None = None) -> None:
        self._program, self._environment = program, environment

    def run(
        self,
        cases: Sequence[Case],
        *,
        bundle: Path = GOLDEN / "tiny.c3b",
        flavour: str = "qlinear",
        threads: int = 1,
    ) -> list[Answer]:
        """An answer for each case."""
        command = [str(self._program), str(bundle), runtime_library(), flavour, str(threads)]
        packed = b"".join(case.packed() for case in cases)
        done = subprocess.run(
            command, input=packed, capture_output=True, check=False, env=self._environment
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-4000:]
        assert done.stderr == b"", done.stderr
        lines = done.stdout.decode("ascii").splitlines()
        assert len(lines) == len(cases)
        pairs = (line.split(" ", 1) for line in lines)
        return [Answer(STATUSES[int(number)], text) for number, text in pairs]


def is_error(name: str) -> bool:
    """Whether the tree of errors has a class of this name, or Python itself."""
    return name == "MemoryError" or hasattr(errors, name)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
