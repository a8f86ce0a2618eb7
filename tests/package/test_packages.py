"""The folder that goes to a host: what is in it, and what install.sh makes of it."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import (
    BundleError,
    DiskError,
    LibraryMissingError,
    MissingInputError,
    OptionError,
)
from c3d_export.deploy import package as packages
from c3d_export.deploy.package import Package, build_package

from ..deploy.c2f.bundles import made_of
from .conftest import BUNDLE, OTHER, Host, MakePackage, install


def _files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_the_sums_cover_every_file(full_package: Package) -> None:
    folder = full_package.folder
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in lines)
    assert _files(folder) == {*listed, "SHA256SUMS"}
    assert all(sha256_file(folder / name) == value for name, value in listed.items())


def test_every_wheel_is_required_by_its_hash(full_package: Package) -> None:
    folder = full_package.folder
    text = (folder / "requirements.txt").read_text() + (folder / "host.txt").read_text()
    hashes = {sha256_file(path) for path in (folder / "wheels").iterdir()}
    assert set(re.findall(r"--hash=sha256:([0-9a-f]{64})", text)) == hashes
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+) --hash", text, re.MULTILINE))
    assert {"c3d-export", "numpy", "pillow", "click", "rich", "onnxruntime"} <= set(pinned)
    assert not {"torch", "onnx", "matplotlib"} & set(pinned)
    from importlib.metadata import version

    assert pinned["numpy"] == version("numpy")  # the one that the tests ran with


def test_it_says_what_a_host_must_have(full_package: Package, small_package: Package) -> None:
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert full_package.pythons == (running,)
    assert full_package.needs.startswith(f"Python {running}, ")
    assert full_package.needs in (full_package.folder / "README.md").read_text()
    assert small_package.pythons == ()
    assert "Python 3.11 or newer" in (small_package.folder / "README.md").read_text()


def test_a_host_gets_the_declared_and_no_more(host: Host, full_package: Package) -> None:
    code = (
        "from importlib.metadata import distributions as d; print(*{x.name.lower() for x in d()})"
    )
    installed = set(host.run("-c", code).stdout.replace("_", "-").split())
    text = (full_package.folder / "requirements.txt").read_text()
    assert installed == {"c3d-export", *re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)}


def test_installing_again_replaces_ours_and_keeps_the_rest(
    host: Host, full_package: Package, no_network: list[str]
) -> None:
    """A newer package may have the same version: what it brings must count."""
    code = "import c3d_export, numpy; print(c3d_export.__file__); print(numpy.__file__)"
    ours, numpy = map(Path, host.run("-c", code).stdout.split())
    good, before = ours.read_bytes(), numpy.stat().st_ctime_ns
    ours.write_bytes(b"raise ImportError('an older one')\n")
    done = install(full_package.folder, str(host.folder), before=no_network)
    assert done.returncode == 0, done.stderr
    assert ours.read_bytes() == good
    assert numpy.stat().st_ctime_ns == before


@pytest.mark.parametrize(
    ("name", "change"),
    [("codecs/tiny.c3b", b"x"), ("requirements.txt", b"\n"), ("host.txt", b"# more\n")],
)
def test_a_damaged_package_is_refused(
    small_package: Package, tmp_path: Path, name: str, change: bytes
) -> None:
    folder = Path(shutil.copytree(small_package.folder, tmp_path / "package"))
    with (folder / name).open("ab") as file:
        file.write(change)
    done = install(folder, str(tmp_path / "venv"))
    assert done.returncode == 5
    assert f"{name} differ" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    "name", ["codecs/more.c3b", "wheels/more-1-py3-none-any.whl", "requirements.txt"]
)
def test_a_file_that_the_sums_do_not_list_is_refused(
    small_package: Package, tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(small_package.folder, tmp_path / "package"))
    sums = folder / "SHA256SUMS"
    kept = [line for line in sums.read_text().splitlines() if not line.endswith(f"  {name}")]
    sums.write_text("".join(f"{line}\n" for line in kept))
    (folder / name).touch()
    done = install(folder, str(tmp_path / "venv"))
    assert (done.returncode, done.stdout) == (5, "")
    assert f"{name} unlisted" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("content", [None, b"", b"cut", b"\xff\0"])
def test_a_package_without_its_sums_is_refused(
    small_package: Package, tmp_path: Path, content: bytes | None
) -> None:
    folder = Path(shutil.copytree(small_package.folder, tmp_path / "package"))
    (folder / "SHA256SUMS").unlink()
    if content is not None:
        (folder / "SHA256SUMS").write_bytes(content)
    done = install(folder, str(tmp_path / "venv"))
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert done.stderr.endswith("the package is damaged, see above; get it again\n")


def test_a_wheel_that_has_not_its_hash_is_not_installed(
    small_package: Package, tmp_path: Path
) -> None:
    """Though the sums are right: pip looks for itself."""
    folder = Path(shutil.copytree(small_package.folder, tmp_path / "package"))
    (wheel,) = (folder / "wheels").iterdir()
    sums, old = folder / "SHA256SUMS", sha256_file(wheel)
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    sums.write_text(sums.read_text().replace(old, sha256_file(wheel)))
    done = install(folder, str(tmp_path / "venv"))
    assert done.returncode == 4
    assert "DO NOT MATCH THE HASHES" in done.stderr


def test_a_python_that_does_not_fit_is_refused(full_package: Package, tmp_path: Path) -> None:
    script = full_package.folder / "install.sh"
    other = tmp_path / "package"
    shutil.copytree(full_package.folder, other, ignore=shutil.ignore_patterns("wheels"))
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    text = script.read_text()
    (other / "install.sh").write_text(text.replace(f"pythons='{running}'", "pythons='3.99'"))
    done = install(other, str(tmp_path / "venv"))
    assert done.returncode == 4
    assert f"is Python {running}; this package needs Python {running}, " in done.stderr
    assert install(other, python="/bin/false").returncode == 4


def test_it_is_installed_relative_to_the_caller_and_says_what_the_host_lacks(
    small_package: Package, tmp_path: Path
) -> None:
    """Without its dependencies, into an environment that has none of them."""
    (tmp_path / "python").symlink_to(sys.executable)
    done = install(small_package.folder, "a b/c", python="./python", folder=tmp_path)
    assert done.returncode == 4
    assert "the host lacks what c3d-export needs, No module named" in done.stderr
    assert (tmp_path / "a b" / "c" / "bin" / "c3d-export").is_file()


def test_a_codec_that_computes_other_numbers_there_is_told_of(
    host: Host, small_package: Package, repack: object, tmp_path: Path
) -> None:
    """The last thing that install.sh does is to run the known answers."""

    def wrong(manifest: dict[str, list[dict[str, int]]]) -> None:
        manifest["known_answers"][-1]["frame"] ^= 1

    folder = Path(shutil.copytree(small_package.folder, tmp_path / "package"))
    codec, sums = folder / "codecs" / "tiny.c3b", folder / "SHA256SUMS"
    old = sha256_file(codec)
    codec.write_bytes(repack(codec.read_bytes(), edit=wrong))  # type: ignore[operator]
    sums.write_text(sums.read_text().replace(old, sha256_file(codec)))
    done = install(folder, str(host.folder))
    assert done.returncode == 4
    assert "computes other numbers" in done.stderr


def test_several_codecs_go_into_one_package(make_package: MakePackage, tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "exported" / "generic-xsmall.c3b"
    second = Path(shutil.copy(shipped, tmp_path / "second.c3b"))
    package = make_package([BUNDLE, second], tmp_path / "package")
    assert package.codecs == ("tiny.c3b", "second.c3b")
    assert (package.folder / "codecs" / "second.c3b").read_bytes() == second.read_bytes()
    assert "| second.c3b | " in (package.folder / "README.md").read_text()


def test_two_codecs_of_one_name_are_none_for_a_host(tmp_path: Path) -> None:
    second = Path(shutil.copy(OTHER, tmp_path / "second.c3b"))
    with pytest.raises(OptionError, match="two codecs are called tiny"):
        build_package([BUNDLE, second], tmp_path / "package")
    assert not (tmp_path / "package").exists()


def test_a_codec_of_a_published_family_goes_into_one(
    make_package: MakePackage, host: Host, no_network: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "c2f.c3b"
    path.write_bytes(made_of(False).data)
    package = make_package([path], tmp_path / "package")
    done = install(package.folder, str(host.folder), before=no_network)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("content", [b"no bundle", b"PK\5\6" + bytes(18)])
def test_what_is_no_bundle_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.c3b").write_bytes(content)
    with pytest.raises(BundleError):
        build_package([BUNDLE, tmp_path / "bad.c3b"], tmp_path / "package")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.c3b"]


def test_a_failure_on_the_way_leaves_nothing(
    make_package: MakePackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LibraryMissingError("the wheels could not be fetched: no network")

    monkeypatch.setattr(packages, "_download", fail)
    with pytest.raises(LibraryMissingError, match="no network"):
        make_package([BUNDLE], tmp_path / "package", with_dependencies=True)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_empty_is_left_alone(
    make_package: MakePackage, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(DiskError, match="no empty folder"):
        make_package([BUNDLE], tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]


def test_an_empty_folder_is_filled(make_package: MakePackage, tmp_path: Path) -> None:
    make_package([BUNDLE], tmp_path)
    assert {"codecs", "wheels", "install.sh"} <= {p.name for p in tmp_path.iterdir()}
    assert (tmp_path / "install.sh").stat().st_mode & 0o111


def test_what_cannot_be_is_said_before_anything_is_built(tmp_path: Path) -> None:
    target = tmp_path / "package"
    with pytest.raises(OptionError, match="two bundles are called tiny"):
        build_package([BUNDLE, OTHER], target)
    with pytest.raises(OptionError, match="name at least one"):
        build_package([], target)
    with pytest.raises(OptionError, match="--python goes with --with-deps"):
        build_package([BUNDLE], target, pythons=("3.12",))
    with pytest.raises(MissingInputError, match="no bundle at"):
        build_package([tmp_path / "absent.c3b"], target)
    strange = Path(shutil.copy(BUNDLE, tmp_path / "a b.c3b"))
    with pytest.raises(OptionError, match="is no codec name"):
        build_package([strange], target)
    assert not target.exists()
