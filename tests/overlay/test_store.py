"""Learnt overlays in a workspace: kept, and learnt again where that is needed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import ImageError, MissingDataError, OptionError
from c3d_export.data.workspace import Workspace
from c3d_export.overlay import store
from c3d_export.overlay.pack import LearntOverlay
from c3d_export.overlay.store import load_or_learn
from c3d_export.runtime.images import write_image

from .scenes import HEIGHT, WIDTH, Game, game

SCENES = 3
EACH = 3


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Nine frames of a game with an overlay, and no samples besides."""
    monkeypatch.setattr("c3d_export.data.locate.source_root", lambda: None)
    made = Workspace(tmp_path / "work")
    _write(made, game(SCENES, EACH))
    return made


def _write(workspace: Workspace, played: Game, name: str = "toy-96p") -> Path:
    folder = workspace.data / "train" / name
    folder.mkdir(parents=True, exist_ok=True)
    for n, (frame, scene) in enumerate(zip(played.frames, played.scenes, strict=True)):
        write_image(folder / f"{scene}_{n:03d}.png", frame)
    return folder


def _file(workspace: Workspace) -> Path:
    return workspace.root / "overlays" / "toy.npz"


def _is_same(a: LearntOverlay | None, b: LearntOverlay | None) -> bool:
    assert a is not None
    assert b is not None
    names = ("place", "group", "pixels", "shares", "saved")
    same = [np.array_equal(getattr(a, name), getattr(b, name)) for name in names]
    return a.size == b.size and all(same)


@pytest.fixture
def learnings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the frames that were learnt from."""
    calls: list[tuple[int, ...]] = []
    learn = store.learn_overlay

    def counted(frames: NDArray[np.uint8], *rest: object) -> LearntOverlay | None:
        calls.append(frames.shape)
        return learn(frames, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "learn_overlay", counted)
    return calls


Learnings = list[tuple[int, ...]]


def test_it_is_learnt_once_and_kept(workspace: Workspace, learnings: Learnings) -> None:
    told: list[tuple[int, int]] = []
    first = load_or_learn(workspace, "toy", lambda *done: told.append(done))
    assert told[-1] == (HEIGHT // 16, HEIGHT // 16)
    assert _file(workspace).is_file()
    again = load_or_learn(workspace, "toy")
    assert _is_same(first, again)
    assert again is not None
    assert again.size == (HEIGHT, WIDTH)
    assert [a.dtype for a in (again.place, again.group, again.pixels)] == ["u2", "u2", "u1"]
    assert learnings == [(SCENES * EACH, HEIGHT, WIDTH, 3)]


def test_other_frames_are_learnt_from(workspace: Workspace, learnings: Learnings) -> None:
    first = load_or_learn(workspace, "toy")
    folder = workspace.data / "train" / "toy-96p"
    (folder / "map2_008.png").unlink()
    assert load_or_learn(workspace, "toy") is not None
    _write(workspace, game(SCENES, EACH, seed=5))
    other = load_or_learn(workspace, "toy")
    assert [shape[0] for shape in learnings] == [9, 8, 9]
    assert not _is_same(first, other)
    _write(workspace, game(SCENES, EACH))
    assert _is_same(first, load_or_learn(workspace, "toy"))


def test_what_a_killed_process_left_is_removed(workspace: Workspace) -> None:
    litter = _file(workspace).with_name(".toy.npz.0123456789ab.c3d-tmp")
    litter.parent.mkdir(parents=True)
    litter.write_bytes(b"half")
    load_or_learn(workspace, "toy")
    assert list(litter.parent.iterdir()) == [_file(workspace)]


def _other_archive() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, digest=np.array("another"), place=np.zeros(3))
    return buffer.getvalue()


def _single_array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def _flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0x55]) + data[position + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"no archive at all",
    "zip": lambda _: b"PK\x03\x04 and then nothing of the kind",
    "cut": lambda data: data[:-30],
    "half": lambda data: data[: len(data) // 2],
    "head": lambda data: _flipped(data, 0),
    "middle": lambda data: _flipped(data, len(data) // 2),
    "directory": lambda data: _flipped(data, len(data) - 90),
    "other": lambda _: _other_archive(),
    "array": lambda _: _single_array(),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_learnt_again(
    workspace: Workspace, learnings: Learnings, kind: str
) -> None:
    first = load_or_learn(workspace, "toy")
    good = _file(workspace).read_bytes()
    _file(workspace).write_bytes(DAMAGE[kind](good))
    assert _is_same(first, load_or_learn(workspace, "toy"))
    assert len(learnings) == 2
    assert _is_same(first, load_or_learn(workspace, "toy"))
    assert len(learnings) == 2


def test_every_byte_of_a_file_may_be_damaged(workspace: Workspace) -> None:
    """It is noticed, or what is read is what was written."""
    first = load_or_learn(workspace, "toy")
    file = _file(workspace)
    data = file.read_bytes()
    with np.load(file) as arrays:
        digest = str(arrays["digest"])
    rng = np.random.default_rng(0)
    for position in [*rng.integers(len(data), size=120), *range(len(data) - 60, len(data))]:
        file.write_bytes(_flipped(data, int(position)))
        kept = store._load(file, digest)
        if kept is not None:
            assert _is_same(first, kept[0])


def test_that_there_is_none_is_remembered(workspace: Workspace, learnings: Learnings) -> None:
    _write(workspace, game(SCENES, EACH, drawn=False))
    assert load_or_learn(workspace, "toy") is None
    assert load_or_learn(workspace, "toy") is None
    assert len(learnings) == 1


def test_the_most_frequent_size_is_learnt(workspace: Workspace, learnings: Learnings) -> None:
    folder = _write(workspace, game(1, 2, seed=3), "toy-48p")
    for path in folder.iterdir():
        write_image(path, np.zeros((48, 64, 3), np.uint8))
    found = load_or_learn(workspace, "toy")
    assert found is not None
    assert found.size == (HEIGHT, WIDTH)
    assert learnings == [(SCENES * EACH, HEIGHT, WIDTH, 3)]


def test_frames_that_cannot_be_read_are_left_out(
    workspace: Workspace, learnings: Learnings
) -> None:
    folder = workspace.data / "train" / "toy-96p"
    (folder / "map0_000.png").write_bytes(b"no image")
    assert load_or_learn(workspace, "toy") is not None
    assert learnings[0][0] == SCENES * EACH - 1
    for path in folder.iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(ImageError, match="no frame can be read"):
        load_or_learn(workspace, "toy")


def test_many_frames_are_thinned_out(
    workspace: Workspace, learnings: Learnings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_FRAMES", 5)
    load_or_learn(workspace, "toy")
    assert learnings == [(5, HEIGHT, WIDTH, 3)]


def test_a_game_that_is_none(workspace: Workspace) -> None:
    with pytest.raises(MissingDataError, match="data import"):
        load_or_learn(workspace, "nothing")
    with pytest.raises((OptionError, MissingDataError)):
        load_or_learn(workspace, "../toy")
    assert not workspace.overlays.exists()
