"""Programs that use the library: C++, the documents' example, the command line, CMake's build."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from c3d_export.runtime.codec import open_codec
from c3d_export.runtime.known import known_frame

from .host import (
    GOLDEN,
    HERE,
    HOST,
    LIBRARIES,
    ROOT,
    WARNINGS,
    includes,
    library_sources,
    runtime_library,
)

BUNDLE = str(GOLDEN / "tiny.c3b")
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "c-host.md"]


def _run(
    command: Sequence[str | Path], data: bytes = b"", **variables: str
) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **variables}
    words = [str(word) for word in command]
    return subprocess.run(words, input=data, capture_output=True, check=False, env=environment)


@pytest.fixture(scope="module")
def cxx() -> str:
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return name
    pytest.skip("no C++ compiler")


def _compile(folder: Path, cxx: str, source: Path, objects: list[str]) -> Path:
    program = folder / source.stem
    flags = ["-std=c++17", "-O1", *WARNINGS, f"-I{HOST / 'include'}"]
    done = _run([cxx, *flags, source, *objects, "-o", program, *LIBRARIES])
    assert done.returncode == 0, done.stderr.decode()
    return program


def test_calls_that_are_refused_and_codecs_in_threads(
    tmp_path: Path, cxx: str, objects: list[str]
) -> None:
    program = _compile(tmp_path, cxx, HERE / "api_checks.cpp", objects)
    done = _run([program, BUNDLE, runtime_library()])
    assert (done.returncode, done.stdout, done.stderr) == (0, b"done\n", b"")


@pytest.mark.parametrize("name", ["gcc", "clang"])
def test_no_compiler_warns(name: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"no {name}")
    own = sorted(str(path) for path in (HOST / "tools").glob("*.c"))
    flags = [
        "-std=c11",
        "-D_POSIX_C_SOURCE=200809L",
        "-O1",
        "-fsyntax-only",
        *WARNINGS,
        *includes(),
    ]
    done = _run([name, *flags, *library_sources(), *own])
    assert done.returncode == 0, done.stderr.decode()


def _examples() -> list[str]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8") if document.is_file() else ""
        found += re.findall(r"```cpp\n(.*?)```", text, re.DOTALL)
    return [example for example in found if "c3d_codec.h" in example and "main" in example]


def test_the_examples_of_the_documents(tmp_path: Path, cxx: str, objects: list[str]) -> None:
    examples = _examples()
    if not examples:
        pytest.skip("needs docs/c-host.md")
    for number, example in enumerate(examples):
        source = tmp_path / f"example{number}.cpp"
        source.write_text(example)
        program = _compile(tmp_path, cxx, source, objects)
        done = _run([program, BUNDLE, runtime_library()])
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(rb"done, \d+ bytes\n", done.stdout)
        assert _run([program, tmp_path / "missing.c3b", runtime_library()]).returncode == 1


def _ppm(frame: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    height, width = frame.shape[:2]
    return b"P6\n%d %d\n255\n" % (width, height) + frame.tobytes()


def test_the_command_line_codes_files_and_pipes(tmp_path: Path, tool: Path) -> None:
    library, codec = runtime_library(), open_codec(BUNDLE, threads=1)
    frame = known_frame()
    stream = codec.encode(frame, 3)
    image, coded, decoded = (tmp_path / name for name in ("a.ppm", "a.c3s", "b.ppm"))
    image.write_bytes(_ppm(frame).replace(b"P6\n", b"P6 # a comment\n", 1))
    options: list[str | Path] = ["--codec", BUNDLE, "--runtime", library]
    assert _run([tool, "encode", image, coded, *options, "--quality", "3"]).returncode == 0
    assert coded.read_bytes() == stream
    done = _run([tool, "decode", coded, decoded, *options, "--threads", "2"])
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert decoded.read_bytes() == _ppm(codec.decode(stream))
    assert {path.name for path in tmp_path.iterdir()} == {"a.ppm", "a.c3s", "b.ppm"}
    pipe: list[str | Path] = [tool, "decode", "-", "-", "--codec", BUNDLE, "--flavour", "float"]
    assert _run(pipe, stream, C3D_ONNXRUNTIME=library).stdout == decoded.read_bytes()
    info = _run([tool, "info", coded]).stdout.decode()
    assert info == f"104x72 quality 3 codec {codec.id.hex()} bytes {len(stream)}\n"
    bench = _run([tool, "bench", image, *options, "--frames", "3"]).stdout.decode()
    assert re.fullmatch(r"encode [\d.]+ ms decode [\d.]+ ms bytes \d+ \(104x72, .*\)\n", bench)


def test_exit_codes(tmp_path: Path, tool: Path) -> None:
    options = ["--codec", BUNDLE, "--runtime", runtime_library()]
    golden = GOLDEN / "1x1-q1.c3s"
    foreign = tmp_path / "a.c3s"
    foreign.write_bytes(golden.read_bytes()[:-1])
    image = tmp_path / "a.ppm"
    image.write_bytes(_ppm(known_frame()))
    deep = tmp_path / "b.ppm"
    deep.write_bytes(b"P6 1 1 65535\n" + bytes(6))
    out = tmp_path / "out"
    cases: list[tuple[int, Sequence[str | Path]]] = [
        (0, ["--help"]),
        (2, []),
        (2, ["frobnicate"]),
        (2, ["decode", golden, out]),
        (2, ["decode", golden, *options]),
        (2, ["decode", golden, out, *options, "--nonsense", "1"]),
        (2, ["decode", golden, out, *options, "--threads", "x"]),
        (2, ["decode", tmp_path / "missing", out, *options]),
        (2, ["decode", golden, out, "--codec", tmp_path / "missing"]),
        (2, ["encode", image, out, *options, "--quality", "9"]),
        (3, ["encode", golden, out, *options]),
        (3, ["encode", deep, out, *options]),
        (4, ["decode", golden, out, "--codec", BUNDLE, "--runtime", "/nowhere/at/all.so"]),
        (4, ["decode", golden, tmp_path / "no" / "folder", *options]),
        (5, ["decode", foreign, out, *options]),
        (5, ["info", image]),
        (5, ["decode", golden, out, "--codec", golden]),
    ]
    for code, words in cases:
        done = _run([tool, *words])
        assert done.returncode == code, (words, done.stderr)
        assert code == 0 or not words or done.stderr.count(b"\n") == 1
    assert not out.exists()


def test_cmake_builds_and_installs(tmp_path: Path) -> None:
    if not shutil.which("cmake") or not shutil.which("make"):
        pytest.skip("no cmake, or no make")
    configured = _run(["cmake", "-S", HOST, "-B", tmp_path / "b", "-DCMAKE_BUILD_TYPE=Debug"])
    assert configured.returncode == 0, configured.stderr.decode()
    built = _run(["cmake", "--build", tmp_path / "b", "--parallel", "2"])
    assert built.returncode == 0, built.stderr.decode()
    prefix = tmp_path / "installed"
    assert _run(["cmake", "--install", tmp_path / "b", "--prefix", prefix]).returncode == 0
    files = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*")}
    wanted = {"include/c3d_codec.h", "bin/c3dcodec"}
    assert files > wanted
    assert any(name.endswith("pkgconfig/c3dcodec.pc") for name in files)
    options = ["--codec", BUNDLE, "--runtime", runtime_library()]
    decoded = _run([prefix / "bin" / "c3dcodec", "decode", GOLDEN / "16x16-q1.c3s", "-", *options])
    assert decoded.stdout.startswith(b"P6\n16 16\n255\n")
    if sys.platform == "linux" and shutil.which("nm"):
        _check_symbols(next(prefix.rglob("libc3dcodec.so")))


def _check_symbols(library: Path) -> None:
    """A shared library shows the header's functions and nothing else."""
    shown = _run(["nm", "-D", "--defined-only", library]).stdout.decode().split()[2::3]
    declared = re.findall(r"\b(c3d_\w+)\(", (HOST / "include" / "c3d_codec.h").read_text())
    assert set(shown) == set(declared)
