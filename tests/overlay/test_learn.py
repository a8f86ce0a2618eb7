"""What is learnt of made-up games: all that is drawn over every scene, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.overlay.learn import learn_overlay
from c3d_export.overlay.pack import LearntOverlay
from c3d_export.overlay.preview import preview

from .scenes import (
    DIGIT,
    HEIGHT,
    PANEL,
    SCENERY,
    SHADOW,
    SHADOW_PIXELS,
    TEXT_PIXELS,
    WIDTH,
    Game,
    digit,
    game,
    panel,
)

Bytes = NDArray[np.uint8]


@pytest.fixture(scope="module")
def played() -> Game:
    return game()


@pytest.fixture(scope="module")
def learnt(played: Game) -> LearntOverlay:
    found = learn_overlay(played.frames, played.scenes)
    assert found is not None
    return found


def _rows(learnt: LearntOverlay, y: int, x: int) -> list[int]:
    """The tiles at a pixel."""
    return np.flatnonzero((learnt.place == (y // 16, x // 16)).all(1)).tolist()


def _picture(learnt: LearntOverlay) -> Bytes:
    """(HEIGHT, WIDTH, 4): the first tile of each place."""
    out = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    out[..., 3] = 255
    for (row, column), pixels in zip(learnt.place[::-1], learnt.pixels[::-1], strict=True):
        y, x = 16 * int(row), 16 * int(column)
        out[y : y + 16, x : x + 16] = pixels.reshape(16, 16, 4)
    return out


def test_the_panel_is_found_in_full(learnt: LearntOverlay) -> None:
    y, x = PANEL
    area = _picture(learnt)[y : y + 32, x : x + 48]
    assert (area[..., 3] == 0).all()
    assert np.array_equal(area[..., :3], panel())
    groups = {
        int(learnt.group[n])
        for r in (0, 16)
        for c in (0, 16, 32)
        for n in _rows(learnt, y + r, x + c)
    }
    assert len(groups) == 1
    assert learnt.shares[groups.pop()] == 1


def test_the_text_and_its_shadow(learnt: LearntOverlay) -> None:
    picture = _picture(learnt)
    assert (picture[TEXT_PIXELS] == (250, 240, 60, 0)).all()
    shadow = picture[SHADOW_PIXELS].astype(float)
    assert (shadow[:, 3] < 255).mean() > 0.9
    tinted = shadow[shadow[:, 3] < 255]
    assert (tinted[:, 3] > 0).mean() > 0.95, "little of it is taken for text"
    assert abs(np.median(tinted[:, 3]) / 255 - SHADOW) < 0.06
    assert np.abs(tinted[:, 3] / 255 - SHADOW).mean() < 0.12
    assert np.median(tinted[:, :3]) < 12, "a shadow has no colour of its own"


def test_each_state_of_the_digit_is_a_group(learnt: LearntOverlay, played: Game) -> None:
    rows = _rows(learnt, *DIGIT)
    assert len(rows) == 3
    assert len({int(learnt.group[n]) for n in rows}) == 3
    shown = {learnt.pixels[n, :, :3].tobytes(): learnt.shares[learnt.group[n]] for n in rows}
    for value in range(3):
        share = shown[digit(value).tobytes()]
        assert share == pytest.approx(np.mean(np.array(played.digits) == value))


def test_what_all_states_have_in_common_is_one_state(played: Game) -> None:
    """A counter on a plate: the plate is found, and what changes is left to the codec."""
    frames, (y, x) = played.frames.copy(), DIGIT
    frames[:, y : y + 8, x : x + 16] = panel()[:8, :16]
    found = learn_overlay(frames, played.scenes)
    assert found is not None
    (row,) = _rows(found, y, x)
    assert found.shares[found.group[row]] == 1
    opaque = found.pixels[row, :, 3].reshape(16, 16) == 0
    assert opaque[:8].all()
    assert not opaque[8:].any()


def test_what_one_scene_shows_is_scenery(learnt: LearntOverlay) -> None:
    y, x = SCENERY
    assert not _rows(learnt, y, x)
    assert not _rows(learnt, y, x + 16)


def test_nothing_but_what_is_drawn_is_touched(learnt: LearntOverlay) -> None:
    drawn = TEXT_PIXELS | SHADOW_PIXELS
    for (y, x), (tall, wide) in ((PANEL, (32, 48)), (DIGIT, (16, 16))):
        drawn[y : y + tall, x : x + wide] = True
    touched = _picture(learnt)[..., 3] < 255
    assert (touched & ~drawn).sum() <= 0.03 * drawn.sum()


def test_frames_are_lifted_to_what_was_below(played: Game, learnt: LearntOverlay) -> None:
    """Where it was hidden the ground is smooth, and so is the fill."""
    ground = game(drawn=False).frames
    drawn = TEXT_PIXELS | SHADOW_PIXELS
    for seen, below in list(zip(played.frames, ground, strict=True))[::7]:
        left = learnt.lift(seen).astype(float)
        before = np.abs(seen.astype(float) - below)[drawn].mean()
        assert np.abs(left - below)[drawn].mean() < 0.15 * before


def test_laws(learnt: LearntOverlay) -> None:
    count = len(learnt.place)
    assert learnt.size == (HEIGHT, WIDTH)
    assert learnt.pixels.shape == (count, 256, 4)
    assert [a.dtype for a in (learnt.place, learnt.group, learnt.pixels)] == ["u2", "u2", "u1"]
    assert (np.diff(learnt.group.astype(int)) >= 0).all()
    assert np.unique(learnt.group).tolist() == list(range(len(learnt.shares)))
    assert len(learnt.saved) == len(learnt.shares)
    assert (np.diff(learnt.saved) <= 0).all(), "the most valuable group is the first"
    assert ((learnt.shares > 0) & (learnt.shares <= 1)).all()
    for group in range(len(learnt.shares)):
        places = [tuple(p) for p in learnt.place[learnt.group == group]]
        assert len(places) == len(set(places)), "a tile once in a group"


def test_it_is_learnt_alike_each_time(played: Game, learnt: LearntOverlay) -> None:
    told: list[tuple[int, int]] = []
    again = learn_overlay(played.frames, played.scenes, lambda *done: told.append(done))
    assert again is not None
    assert np.array_equal(again.pixels, learnt.pixels)
    assert np.array_equal(again.place, learnt.place)
    assert told == [(row, 6) for row in range(1, 7)]


def test_frames_without_an_overlay_have_none() -> None:
    plain = game(drawn=False)
    assert learn_overlay(plain.frames, plain.scenes) is None


@pytest.mark.parametrize(("scenes", "names"), [(7, 1), (7, 2), (2, 2), (1, 1)])
def test_how_many_scenes_must_show_it(scenes: int, names: int) -> None:
    """Two of few; of one scene nothing can be told from scenery."""
    shown = game(scenes, 12 // scenes + 2)
    few = [f"map{int(name[3:]) % names}" for name in shown.scenes]
    found = learn_overlay(shown.frames, few)
    assert (found is not None) == (names > 1)


def test_what_three_of_many_scenes_show_is_found() -> None:
    plain, shown = game(drawn=False), game()
    for scenes, found in ((2, False), (3, True)):
        frames = np.concatenate([shown.frames[: 5 * scenes], plain.frames[5 * scenes :]])
        learnt = learn_overlay(frames, shown.scenes)
        assert (learnt is not None and bool(_rows(learnt, *PANEL))) == found
        if learnt is not None and found:
            assert learnt.shares[learnt.group[_rows(learnt, *PANEL)[0]]] == 5 * scenes / 35


@pytest.mark.parametrize("size", [(8, 8), (15, 40), (16, 16)])
def test_frames_that_are_too_small(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (12, *size, 3), dtype=np.uint8)
    assert learn_overlay(frames, [f"map{n}" for n in range(12)]) is None


def test_few_frames() -> None:
    shown = game(2, 1)
    assert learn_overlay(shown.frames, shown.scenes) is None
    assert learn_overlay(shown.frames[:1], shown.scenes[:1]) is None


def test_noise_of_a_codec_is_no_other_picture(played: Game) -> None:
    """Frames that were compressed before: a few grey levels everywhere."""
    noise = np.random.default_rng(1).normal(0, 1.5, played.frames.shape)
    frames = (played.frames + noise).round().clip(0, 255).astype(np.uint8)
    found = learn_overlay(frames, played.scenes)
    assert found is not None
    y, x = PANEL
    area = _picture(found)[y : y + 32, x : x + 48]
    assert (area[..., 3] == 0).mean() > 0.98
    assert np.abs(area[..., :3].astype(int) - panel())[area[..., 3] == 0].max() <= 2


def test_the_preview_shows_what_is_opaque(learnt: LearntOverlay) -> None:
    picture = preview(learnt)
    y, x = PANEL
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert np.array_equal(picture[y : y + 32, x : x + 48], panel())
    assert set(np.unique(picture[SCENERY[0] : SCENERY[0] + 16, SCENERY[1] :])) == {96, 128}
