"""Frames of made-up games: scenes with things of their own, and what is drawn over all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
HEIGHT, WIDTH = 96, 128
PANEL = (64, 16)
"""Top and left of the panel: two rows of three tiles, drawn everywhere in them."""
TEXT = (20, 36)
"""Top and left of four bars of 3x8 pixels, with a shadow of two pixels around each."""
DIGIT = (0, 112)
"""A whole tile, which shows one of three pictures."""
SHADOW = 0.5
"""How much of the picture shows through it."""
SCENERY = (32, 80)
"""Two tiles side by side that are the same in all frames of one scene."""


@dataclass(frozen=True)
class Game:
    """frames: (F, HEIGHT, WIDTH, 3). scenes: their maps. digits: what the digit is in each."""

    frames: Bytes
    scenes: list[str]
    digits: list[int]


def panel() -> Bytes:
    """(32, 48, 3): without any flat part."""
    rows, columns = np.mgrid[:32, :48]
    ground = np.where((rows // 3 + columns // 4) % 2, 220, 30)
    return np.stack([ground, ground // 2 + 40, 250 - ground], 2).astype(np.uint8)


def digit(value: int) -> Bytes:
    """(16, 16, 3): one of three pictures that have no pixel in common.

    What states have in common is a state by itself, which is shown always.
    """
    rows, columns = np.mgrid[:16, :16]
    lit = ((rows + (value + 1) * columns) // 4) % 2
    planes = [lit * 140 + 20, lit * 90 + 60, 220 - lit * 160]
    return np.stack(np.roll(planes, value, 0), 2).astype(np.uint8)


def _ground(rng: np.random.Generator) -> NDArray[np.float64]:
    """A smooth picture: a slope and some waves in each colour."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    planes = []
    for _ in range(3):
        slope, wave, turn = rng.uniform(-0.6, 0.6, 2), rng.uniform(0.02, 0.06, 2), rng.uniform(0, 6)
        middle = rng.uniform(90, 160)
        plane = middle + slope[0] * (rows - HEIGHT / 2) + slope[1] * (columns - WIDTH / 2)
        planes.append(plane + 25 * np.sin(wave[0] * rows + wave[1] * columns + turn))
    return np.stack(planes, 2)


def _bars() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(HEIGHT, WIDTH): the pixels of the text, and those of its shadow."""
    text, shadow = (np.zeros((HEIGHT, WIDTH), bool) for _ in range(2))
    for n in range(4):
        y, x = TEXT[0], TEXT[1] + 7 * n
        text[y : y + 8, x : x + 3] = True
        shadow[y - 2 : y + 10, x - 2 : x + 5] = True
    return text, shadow & ~text


TEXT_PIXELS, SHADOW_PIXELS = _bars()


def game(scenes: int = 7, each: int = 5, *, drawn: bool = True, seed: int = 0) -> Game:
    """drawn: whether there is anything that all scenes show."""
    rng = np.random.default_rng(seed)
    frames, names, digits = [], [], []
    for scene in range(scenes):
        scenery = rng.integers(0, 256, (16, 32, 3))
        for _ in range(each):
            frame, value = _ground(rng), int(rng.integers(3))
            frame[SCENERY[0] : SCENERY[0] + 16, SCENERY[1] : SCENERY[1] + 32] = scenery
            if drawn:
                _draw(frame, value)
            frames.append(np.rint(frame).clip(0, 255).astype(np.uint8))
            names.append(f"map{scene}")
            digits.append(value)
    return Game(np.stack(frames), names, digits)


def _draw(frame: NDArray[np.float64], value: int) -> None:
    frame[PANEL[0] : PANEL[0] + 32, PANEL[1] : PANEL[1] + 48] = panel()
    frame[DIGIT[0] : DIGIT[0] + 16, DIGIT[1] : DIGIT[1] + 16] = digit(value)
    frame[SHADOW_PIXELS] *= SHADOW
    frame[TEXT_PIXELS] = (250, 240, 60)
