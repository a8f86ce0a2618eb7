"""`install`, `rollback`, `list`, `prune-old`, and the commands that find installed codecs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from c3d_export.core import jsonio
from c3d_export.core.errors import C3DError
from c3d_export.runtime.archive import pack_archive, unpack_archive
from c3d_export.runtime.bundle import MANIFEST, parse_bundle
from c3d_export.runtime.store.layout import store_root

from .conftest import Run
from .test_coding import line_of


def version(data: bytes, **changes: object) -> bytes:
    """The same codec with something else in its manifest, and so of another id."""
    members = unpack_archive(data)
    manifest = jsonio.loads(members[MANIFEST], C3DError)
    return pack_archive({**members, MANIFEST: jsonio.dumps({**manifest, **changes})})


def ident(data: bytes) -> str:
    return parse_bundle(data).id.hex()


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """put(data, name) writes a bundle file."""

    def write(data: bytes, name: str = "new.c3b") -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def table(done: Result) -> list[dict[str, object]]:
    assert done.exit_code == 0, done.stderr
    names: list[dict[str, object]] = json.loads(done.stdout)["names"]
    return names


def test_a_codec_from_installing_to_pruning(
    run: Run, bundle: Path, bundle_data: bytes, put: Callable[..., Path]
) -> None:
    nothing = run("list")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert nothing.stderr.endswith("run c3d-export install TARGET\n")
    versions = [version(bundle_data, licence=str(n)) for n in range(4)]
    for data in versions:
        done = run("install", put(data))
        assert done.stderr == f"tiny: codec {ident(data)} is active\n"
    assert "was active already" in run("install", put(versions[3])).stderr
    (entry,) = table(run("list", "--json"))
    ids = [ident(data) for data in versions]
    assert (entry["name"], entry["active"]) == ("tiny", ids[3])
    assert [v["id"] for v in entry["versions"]] == ids[:0:-1]  # type: ignore[attr-defined]
    back = run("rollback", "tiny", "--json")
    assert json.loads(back.stdout) == {"name": "tiny", "id": ids[2], "before": ids[3]}
    shown = run("list")
    assert f"{ids[2]}   {ids[3]}, {ids[1]}" in shown.stdout
    assert "codecs that decode old streams only: 1; " in shown.stderr
    pruned = run("prune-old", "--json")
    assert json.loads(pruned.stdout)["codecs"] == [ids[0]]
    forward = run("rollback", "tiny", "--to", ids[3][:6])
    assert forward.stderr == f"tiny: codec {ids[3]} is active, {ids[2]} was\n"


def test_frames_by_name_and_streams_by_id(
    run: Run, bundle_data: bytes, put: Callable[..., Path], images: Path, tmp_path: Path
) -> None:
    first, second = (version(bundle_data, licence=text) for text in "ab")
    for data in (first, second):
        run("install", put(data))
        done = run("encode", images, "-o", tmp_path / ident(data), "--codec", "tiny")
        assert done.exit_code == 0, done.stderr
    by_id = run("encode", images / "a.png", "-o", tmp_path / "x.c3s", "--codec", ident(first))
    assert by_id.exit_code == 0, by_id.stderr
    assert (tmp_path / "x.c3s").read_bytes() == (tmp_path / ident(first) / "a.c3s").read_bytes()
    # Streams of the codec that is not active any more decode beside those of the one that is.
    for data in (first, second):
        done = run("decode", tmp_path / ident(data), "-o", tmp_path / "frames")
        assert done.exit_code == 0, done.stderr
    assert run("bench", "--codec", "tiny", "--size", "64x48", "--repeat", 1).exit_code == 0


def test_a_codec_that_the_store_has_lost_is_not_taken_from_elsewhere(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    """Here the workspace has one of the same name, which may be another codec."""
    words = ("encode", images / "a.png", "-o", tmp_path / "a.c3s", "--codec", "tiny")
    run("install", bundle)
    assert run(*words).exit_code == 0
    (entry,) = table(run("list", "--json"))
    (folder,) = (store_root(os.environ) / "codecs").iterdir()
    shutil.rmtree(folder)
    done = run(*words)
    assert done.exit_code == 2
    line = line_of(done.stderr)
    assert f"tiny is codec {entry['active']}, which is gone from " in line
    assert line.endswith("install its bundle again")
    run("install", bundle)
    assert run(*words).exit_code == 0


def test_a_stream_of_nobody_says_how_to_get_its_codec(
    run: Run, bundle: Path, images: Path, tmp_path: Path
) -> None:
    run("encode", images / "a.png", "-o", tmp_path / "a.c3s", "--codec", bundle)
    done = run("decode", tmp_path / "a.c3s", "-o", tmp_path / "a.png")
    assert done.exit_code == 5
    assert "c3d-export install" in line_of(done.stderr)


def test_a_folder_is_installed_whole_and_again(
    run: Run, bundle_data: bytes, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / f"{name}.c3b").write_bytes(version(bundle_data, name=name))
    done = run("install", folder, "--json")
    assert [(c["name"], c["changed"]) for c in json.loads(done.stdout)["codecs"]] == [
        ("a", True),
        ("b", True),
    ]
    again = run("install", folder, "--json")
    assert [c["changed"] for c in json.loads(again.stdout)["codecs"]] == [False, False]
    (folder / "c.c3b").write_bytes(version(bundle_data, name="c")[:-9])
    (folder / "b.c3b").write_bytes(version(bundle_data, name="b", licence="new"))
    broken = run("install", folder)
    assert (broken.exit_code, f"{folder / 'c.c3b'}: " in line_of(broken.stderr)) == (5, True)
    assert [e["active"] for e in table(run("list", "--json"))] == [
        ident(version(bundle_data, name=name)) for name in "ab"
    ]


def test_one_name_of_a_folder(run: Run, bundle_data: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for name in ("b", "a"):
        (folder / f"{name}.c3b").write_bytes(version(bundle_data, name=name))
    assert run("install", folder, "--name", "b").exit_code == 0
    assert [e["name"] for e in table(run("list", "--json"))] == ["b"]
    missing = run("install", folder, "--name", "c")
    assert missing.exit_code == 2
    assert "no bundle of c there, only of a, b" in line_of(missing.stderr)


def test_a_damaged_record_hides_no_other_name(run: Run, bundle_data: bytes, tmp_path: Path) -> None:
    store = store_root(os.environ)
    (tmp_path / "a").mkdir()
    for name in "abc":
        (tmp_path / "a" / f"{name}.c3b").write_bytes(version(bundle_data, name=name))
    run("install", tmp_path / "a")
    (store / "names" / "b.json").write_text("{}")
    shown = run("list")
    assert shown.exit_code == 5
    assert "b.json is damaged; remove it and install the bundles again" in shown.stderr
    words = [line.split() for line in shown.stdout.splitlines()]
    assert [line[0] for line in words if line[1:2] and len(line[1]) == 16] == ["a", "c"]
    assert "prune-old" not in shown.stderr  # which would not do it
    told = json.loads(run("list", "--json").stdout)
    assert ([e["name"] for e in told["names"]], [*told["damaged"]]) == (["a", "c"], ["b"])
    assert run("rollback", "a", "--to", told["names"][0]["active"]).exit_code == 0
    for name in "ac":
        (store / "names" / f"{name}.json").write_text("{}")
    nothing = run("list")
    assert (nothing.exit_code, nothing.stdout) == (5, "")


def test_a_store_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    done = run("prune-old", "--store", tmp_path / "none")
    assert done.exit_code == 0
    assert "removed 0 codecs" in done.stderr
    assert not (tmp_path / "none").exists()
    empty = run("prune-old", "--store", "")
    assert empty.exit_code == 2
    assert "is empty; name a file or folder" in empty.stderr


def test_the_store_option_names_another_folder(run: Run, bundle: Path, tmp_path: Path) -> None:
    run("install", bundle, "--store", tmp_path / "s")
    assert table(run("list", "--json")) == []
    assert [e["name"] for e in table(run("list", "--json", "--store", tmp_path / "s"))] == ["tiny"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("install", "none.c3b"), 2, "no bundle at none.c3b"),
        (("install", "ftp://host/x"), 2, "ftp://host/x"),
        (("install", "ssh://-oProxyCommand=x/y"), 2, "write ssh://[user@]host"),
        (("rollback", "none"), 2, "no codec none is installed"),
        (("rollback", "../x"), 2, "no name of a codec"),
        (("rollback", "tiny"), 2, "no version before"),
        (("rollback", "tiny", "--to", "0000"), 2, "not the id of one version"),
        (("rollback", "tiny", "--to", ""), 2, "not the id of one version"),
    ],
)
def test_what_cannot_be(
    run: Run, bundle: Path, args: tuple[str, ...], code: int, said: str
) -> None:
    run("install", bundle)
    done = run(*args)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in line_of(done.stderr)


def test_a_damaged_bundle_is_five_and_leaves_no_store(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    bundle.write_bytes(bundle.read_bytes()[:-1])
    assert run("install", bundle).exit_code == 5
    assert not (tmp_path / "store").exists()
