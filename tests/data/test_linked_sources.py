"""Sources that are links, or no files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from c3d_export.core.errors import MissingInputError
from c3d_export.data.sources import list_source
from c3d_export.runtime.store.fetch import _read


def test_clips_that_are_links_are_taken_once_and_loops_end(tmp_path: Path) -> None:
    real, source = tmp_path / "real", tmp_path / "source"
    real.mkdir()
    (real / "001.png").touch()
    (real / "back").symlink_to(source)
    source.mkdir()
    (source / "clip").symlink_to(real)
    (found,) = list_source(source, "g").candidates
    assert found.name == "clip_001.png"


def test_links_to_nothing_and_pipes_are_told(tmp_path: Path) -> None:
    (tmp_path / "a_001.png").touch()
    (tmp_path / "a_002.png").symlink_to(tmp_path / "moved.png")
    os.mkfifo(tmp_path / "a_003.png")
    (tmp_path / "notes").symlink_to(tmp_path / "moved")  # called like no frame
    listing = list_source(tmp_path, "g")
    assert [candidate.name for candidate in listing.candidates] == ["a_001.png"]
    assert [(path.name, reason) for path, reason in listing.unreadable] == [
        ("a_002.png", "it is a link to nothing; check the path"),
        ("a_003.png", "it is no regular file; check the path"),
    ]


def test_a_pipe_is_no_bundle(tmp_path: Path) -> None:
    """Opening it would wait for somebody who writes."""
    os.mkfifo(tmp_path / "a.c3b")
    with pytest.raises(MissingInputError, match=r"a\.c3b is no regular file"):
        _read(tmp_path / "a.c3b")
