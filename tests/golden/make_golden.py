"""Writes the golden streams of the present format version into a new folder.

Run once per released version: `python tests/golden/make_golden.py tests/golden/vN`. What is in
the repository is never written again; `test_golden.py` decodes all of it for ever.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from c3d_export.core.digest import sha256_bytes
from c3d_export.deploy.bundle import Provenance, build_bundle, calibrate, export_network
from c3d_export.models.klt import initialize_from_frames
from c3d_export.models.network import Codec as Network
from c3d_export.models.network import build_network
from c3d_export.models.spec import CodecSpec, StageSpec
from c3d_export.overlay.pack import UNTOUCHED, LearntOverlay
from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.images import Frame
from c3d_export.runtime.known import known_frame

STAGE = StageSpec(16, (16,), 16, (16,))
SPEC = CodecSpec("tiny", 32, 8, 8, 3, STAGE, STAGE, 16, (16, 16, 16), 16)
SIZES = ((1, 1), (16, 16), (17, 31), (72, 104))
PLACES = ((0, 0), (0, 1), (1, 0), (1, 1), (2, 3), (2, 3), (3, 5), (3, 4))
GROUPS = (0, 0, 0, 1, 2, 3, 4, 4)
"""Of the tiles at PLACES; of groups 2 and 3 a frame shows one."""
SHOWN = {"group": (0, 1, 2), "part": (1, 2, 5, 6), "all": (0, 1, 2, 3, 4, 6, 7)}
"""Frames by name: the tiles that they show."""


def network() -> Network:
    """A tiny network whose every layer matters: KLT start, then seeded noise on all weights."""
    model = build_network(SPEC, seed=1)
    initialize_from_frames(model, [torch.from_numpy(known_frame())], [1.0])
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter += 0.02 * float(parameter.abs().mean() + 0.05) * noise
    return model


def frames() -> dict[str, Frame]:
    whole = known_frame()
    return {f"{width}x{height}": whole[:height, :width].copy() for height, width in SIZES}


def sliced_frame() -> Frame:
    """(720, 1280, 3): large enough for two slices, and mostly flat, so that its file is small."""
    frame = np.zeros((720, 1280, 3), np.uint8)
    for row, column in ((40, 100), (320, 640), (600, 1100)):
        frame[row : row + 72, column : column + 104] = known_frame()
    return frame


def overlay() -> LearntOverlay:
    """For frames of 104x72: opaque, tinted and untouched pixels in all tiles, one all opaque."""
    rng = np.random.default_rng(5)
    count, groups = len(PLACES), max(GROUPS) + 1
    pixels = np.tile(np.array(UNTOUCHED, np.uint8), (count, 256, 1))
    kind = rng.random((count, 256))
    opaque, tinted = kind < 0.4, (kind > 0.4) & (kind < 0.6)
    opaque[3] = True
    pixels[opaque] = np.pad(rng.integers(0, 256, (opaque.sum(), 3)), ((0, 0), (0, 1)))
    tinted &= ~opaque
    colour, keep = rng.integers(0, 60, (tinted.sum(), 3)), rng.integers(20, 200, (tinted.sum(), 1))
    pixels[tinted] = np.concatenate([colour, keep], 1)
    place, group = np.array(PLACES, np.uint16), np.array(GROUPS, np.uint16)
    return LearntOverlay((72, 104), place, group, pixels, np.ones(groups), np.ones(groups))


def drawn(codec: Codec, tiles: Iterable[int]) -> Frame:
    """The known frame with these tiles of the codec's overlay on it."""
    assert codec.overlay is not None
    frame, flags = known_frame()[:72, :104].copy(), np.zeros(len(PLACES), np.uint8)
    flags[list(tiles)] = 1
    codec.overlay.paste(flags, frame)
    return frame


def _write(folder: Path, name: str, codec: Codec, frame: Frame, quality: int) -> dict[str, str]:
    stream = codec.encode(frame, quality)
    (folder / name).write_bytes(stream)
    return {name: sha256_bytes(codec.decode(stream).tobytes())}


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    export = calibrate(export_network(network()), [known_frame()])
    export = replace(export, overlay=overlay())
    (folder / "tiny.c3b").write_bytes(build_bundle(export, Provenance("tiny")))
    codec = open_codec(folder / "tiny.c3b")
    hashes: dict[str, str] = {}
    overlaid = {f"104x72-{name}": drawn(codec, tiles) for name, tiles in SHOWN.items()}
    for size, frame in {**frames(), **overlaid}.items():
        for quality in codec.qualities:
            hashes |= _write(folder, f"{size}-q{quality}.c3s", codec, frame, quality)
    hashes |= _write(folder, "1280x720-q1.c3s", codec, sliced_frame(), 1)
    (folder / "frames.json").write_text(json.dumps(hashes, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
