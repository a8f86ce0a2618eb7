"""A codec for pip: the same bytes always, found by name, and never a reason to break the others."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import c3d_export
from c3d_export.cli.main import main
from c3d_export.core.errors import (
    BundleError,
    C3DWarning,
    MissingInputError,
    OptionError,
)
from c3d_export.deploy.bundlefile import bundle_bytes
from c3d_export.deploy.codecwheel import codec_wheel, write_codec_wheel
from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.installed import GROUP, installed_codec, installed_codecs
from c3d_export.runtime.store.store import Store

from .conftest import BUNDLE, OTHER, Host

STREAM = BUNDLE.with_name("31x17-q2.c3s")
NAME = read_bundle(BUNDLE).name


def _pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--isolated", "install", "-q", "--no-index"]
    subprocess.run([*command, "--no-deps", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed the wheel of a codec."""
    folder = tmp_path_factory.mktemp("site")
    wheel = write_codec_wheel(BUNDLE, tmp_path_factory.mktemp("wheels") / "new")
    _pip("--target", folder, wheel)
    return folder


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(site))
    return site


def _distribution(folder: Path, name: str, entry_points: str) -> Path:
    """A distribution of a codec, as an installer leaves it, in a folder of its own."""
    info = folder / name / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(entry_points)
    return info.parent


def test_equal_bundles_give_equal_wheels() -> None:
    """In another process too, where strings hash otherwise."""
    name, data = codec_wheel(BUNDLE.read_bytes())
    code = (
        "import sys, hashlib; from c3d_export.deploy.codecwheel import codec_wheel as make\n"
        "name, data = make(open(sys.argv[1], 'rb').read())\n"
        "print(name, hashlib.sha256(data).hexdigest())"
    )
    import hashlib

    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(BUNDLE)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [name, hashlib.sha256(data).hexdigest()]


def test_the_version_names_the_codec(tmp_path: Path) -> None:
    paths = [write_codec_wheel(bundle, tmp_path) for bundle in (BUNDLE, OTHER)]
    ids = [read_bundle(bundle).id.hex() for bundle in (BUNDLE, OTHER)]
    assert [p.name for p in paths] == [f"c3d_codec_{NAME}-1+id{i}-py3-none-any.whl" for i in ids]
    with zipfile.ZipFile(paths[0]) as archive:
        assert archive.read(f"c3d_codec_{NAME}/{NAME}.c3b") == BUNDLE.read_bytes()
        names = archive.namelist()
    assert [name for name in names if name.endswith(".py")] == [f"c3d_codec_{NAME}/__init__.py"]


def test_it_is_opened_by_name(installed: Path) -> None:
    codec = c3d_export.open_codec(NAME)
    assert codec.id == read_bundle(BUNDLE).id
    assert installed_codecs()[NAME] == installed / f"c3d_codec_{NAME}" / f"{NAME}.c3b"


def test_finding_it_runs_nothing_of_it(installed: Path) -> None:
    assert installed_codec(NAME)
    assert f"c3d_codec_{NAME}" not in sys.modules


def test_commands_find_it_by_name_and_by_a_stream(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c3d_export.runtime.shipped.shipped_folders", lambda: ())
    monkeypatch.setenv("C3D_WORKSPACE", str(tmp_path / "work"))
    for options in (["--codec", NAME], []):
        command = ["decode", str(STREAM), "-o", str(tmp_path / "out.png"), *options]
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.stderr


def test_a_file_of_that_name_goes_first(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).mkdir()  # a folder of it does not
    assert c3d_export.open_codec(NAME).id == read_bundle(BUNDLE).id
    (tmp_path / NAME).rmdir()
    shutil.copy(OTHER, tmp_path / NAME)
    assert c3d_export.open_codec(NAME).id == read_bundle(OTHER).id


def test_a_name_that_nobody_has_says_so() -> None:
    with pytest.raises(MissingInputError, match="neither as a file nor as a codec that pip"):
        c3d_export.open_codec("no-such-codec")
    with pytest.raises(MissingInputError, match="no bundle at"):
        c3d_export.open_codec("folder/no-such-codec")


BROKEN = {
    "no-module": f"[{GROUP}]\nbad = c3d_codec_nowhere\n",
    "no-bundle": f"[{GROUP}]\nbad = json\n",
    "a-submodule": f"[{GROUP}]\nbad = os.path\n",
    "an-attribute": f"[{GROUP}]\nbad = json:loads\n",
    "no-value": f"[{GROUP}]\nbad =\n",
    "a-path": f"[{GROUP}]\n../bad = json\n",
    "no-line": f"[{GROUP}]\nbad\n",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_one_is_a_warning_that_names_it(
    installed: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(_distribution(tmp_path, "broken-codec", BROKEN[kind])))
    with pytest.warns(C3DWarning, match="broken-codec: .*; install it again") as told:
        found = installed_codecs()
    assert len(told) == 1
    assert set(found) == {NAME}


def test_a_command_tells_of_a_broken_one_and_goes_on(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(_distribution(tmp_path, "broken", BROKEN["no-module"])))
    out = tmp_path / "out.png"
    done = CliRunner().invoke(main, ["decode", str(STREAM), "-o", str(out), "--codec", NAME])
    assert done.exit_code == 0, done.stderr
    assert done.stderr.startswith("warning: broken: its codec bad is broken: ")


def test_two_of_one_name_are_refused_by_name(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them comes first would be chance."""
    folder = _distribution(tmp_path, "second", f"[{GROUP}]\n{NAME} = other_codec\n")
    (folder / "other_codec").mkdir()
    shutil.copy(OTHER, folder / "other_codec" / f"{NAME}.c3b")
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(OptionError, match=f"second both have a codec {NAME}; uninstall one"):
        c3d_export.open_codec(NAME)
    with pytest.warns(C3DWarning, match=f"has a codec {NAME} too"):
        assert NAME not in installed_codecs()


def test_a_damaged_bundle_is_found_when_it_is_opened(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(site, tmp_path / "site"))
    with (folder / f"c3d_codec_{NAME}" / f"{NAME}.c3b").open("ab") as file:
        file.write(b"x")
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(BundleError):
        c3d_export.open_codec(NAME)


def test_another_codec_of_the_name_replaces_it(host: Host, tmp_path: Path) -> None:
    """Where the version were the same, pip would keep the first and say nothing."""
    code = f"import c3d_export; print(c3d_export.open_codec({NAME!r}).id.hex())"
    try:
        for bundle in (BUNDLE, OTHER, BUNDLE):
            _pip_on(host, "install", "--no-index", write_codec_wheel(bundle, tmp_path))
            assert host.run("-c", code).stdout.strip() == read_bundle(bundle).id.hex()
    finally:
        _pip_on(host, "uninstall", "-y", f"c3d-codec-{NAME}")
    host.run("-c", code, exit_code=1)


def _pip_on(host: Host, *arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--isolated", "--python", str(host.python)]
    subprocess.run([*command, *map(str, arguments)], check=True, capture_output=True)


def test_what_is_no_bundle_becomes_no_wheel(tmp_path: Path) -> None:
    (tmp_path / "bad.c3b").write_bytes(b"no bundle")
    with pytest.raises(BundleError):
        write_codec_wheel(tmp_path / "bad.c3b", tmp_path / "out")
    with pytest.raises(MissingInputError, match="no bundle at"):
        write_codec_wheel(tmp_path / "absent.c3b", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_codec_of_the_store_is_deployed_as_it_was_installed(tmp_path: Path) -> None:
    """A store keeps members, and no bundle."""
    store = Store(tmp_path / "store")
    folder = store.layout.codec(store.add(BUNDLE.read_bytes()))
    name, data, bundle = bundle_bytes(folder)
    assert (name, data) == (f"{NAME}.c3b", BUNDLE.read_bytes())
    assert bundle.id == read_bundle(BUNDLE).id
    wheel = write_codec_wheel(folder, tmp_path / "wheels")
    assert wheel.read_bytes() == codec_wheel(BUNDLE.read_bytes())[1]
