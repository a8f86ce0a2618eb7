"""The workspace: where it is found, and names that would leave it."""

from __future__ import annotations

from pathlib import Path

import pytest

from c3d_export.core.errors import OptionError
from c3d_export.data.workspace import Workspace, check_name


@pytest.mark.parametrize(
    ("option", "env", "root"),
    [
        ("opt", {"C3D_WORKSPACE": "env"}, "opt"),
        (Path("opt"), {}, "opt"),
        (None, {"C3D_WORKSPACE": "env"}, "env"),
        ("", {"C3D_WORKSPACE": ""}, "c3d-work"),
        (None, {}, "c3d-work"),
    ],
)
def test_the_option_comes_before_the_environment_and_that_before_the_default(
    option: str | Path | None, env: dict[str, str], root: str
) -> None:
    assert Workspace.find(env, option) == Workspace(Path(root))


def test_the_paths_and_that_none_is_created(tmp_path: Path) -> None:
    workspace = Workspace.find({}, tmp_path / "w")
    names = [workspace.data, workspace.models, workspace.runs, workspace.bundles]
    assert [path.name for path in names] == ["data", "models", "runs", "bundles"]
    assert workspace.model("small") == tmp_path / "w" / "models" / "small"
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "w").touch()
    with pytest.raises(OptionError, match="choose another --workspace"):
        Workspace.find({}, tmp_path / "w")


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", ".hidden", "-x", "a\n", "a b", "x" * 101]
)
def test_names_that_would_leave_the_workspace_or_hide(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="no model name"):
        Workspace(tmp_path).model(name)


@pytest.mark.parametrize("name", ["small", "mbt2018-mean", "c2f-small_2.1", "0ad"])
def test_names_of_the_field(name: str) -> None:
    assert check_name(name, "model") == name
