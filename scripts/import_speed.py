"""How long `data import` takes for a frame, and the search for near-duplicates among many.

scripts/import_speed.py FRAMES [--frames 300]     # FRAMES: a folder of frames of one size

The frames, rolled by some pixels so that no two are equal, are written as PNG and as lossless
WebP and imported, and imported again. The search is among signatures of a game's size (made of
noise on few levels of brightness, the hard case), 12,000 frames in one scene and in three splits.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "toolchain"))

from c3d_export.data.facts import SIGNATURE_SIDE, Facts
from c3d_export.data.history import Trace
from c3d_export.data.importer import ImportOptions, import_folder
from c3d_export.data.near import Kept, cached_luma, near_pairs
from c3d_export.data.parallel import cores
from c3d_export.runtime.images import list_images, read_image, write_image


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    wall, own = time.monotonic(), time.process_time()
    yield
    wall, own = time.monotonic() - wall, time.process_time() - own
    a_minute = 60 * count * cores() / own
    per = f"{1000 * own / count:.1f} ms of one core a frame"
    print(
        f"{what}: {count} frames, {wall:.1f} s, {per}, {a_minute:.0f} a minute on {cores()} cores"
    )


def imports(frames: Path, count: int, folder: Path) -> None:
    paths = list_images(frames)
    for suffix in (".png", ".webp"):
        source = folder / suffix[1:]
        source.mkdir()
        for index in range(count):
            frame = read_image(paths[index % len(paths)])
            moved = np.ascontiguousarray(np.roll(frame, 8 * (index // len(paths)) + 1, (0, 1)))
            write_image(source / f"{paths[index % len(paths)].stem}_{index:05d}{suffix}", moved)
        for what in ("imported", "again"):
            with timed(f"{suffix[1:]} {what}", count):
                result = import_folder(source, folder / "data", suffix[1:], ImportOptions())
        assert result.unchanged == count, result


def searches(count: int) -> None:
    noise = np.random.default_rng(0)
    level = noise.integers(20, 120, (count, 1))
    rows = (level + noise.integers(0, 30, (count, SIGNATURE_SIDE**2))).astype(np.uint8)
    facts = [
        Facts("", str(i), 1280, 720, 0, "", Trace(), row.tobytes()) for i, row in enumerate(rows)
    ]
    kept, luma = Kept(), cached_luma()
    with timed("search in one scene", count):
        for index, item in enumerate(facts):
            assert kept.near("", item, Path(str(index)), luma) is None
            kept.add("", item, Path(str(index)))
    splits = ["train"] * 8 + ["validation", "test"]
    frames = [(splits[i % 10], Path(str(i)), item) for i, item in enumerate(facts)]
    with timed("search across splits", count):
        assert not list(near_pairs(sorted(frames, key=lambda f: f[0]), luma))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        imports(options.folder, options.frames, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    print(f"peak memory so far: {peak:.0f} MiB")
    searches(12_000)


if __name__ == "__main__":
    main()
