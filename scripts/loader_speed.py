"""What the store of decoded frames costs and gives: time to fill it, crops a second, steps, memory.

python scripts/loader_speed.py fill --frames DIR        # seconds for 100 frames
python scripts/loader_speed.py crops --frames DIR       # against decoding a file for each crop
python scripts/loader_speed.py steps --frames DIR       # of a training, against frames in memory
python scripts/loader_speed.py memory --frames DIR --copies 1,5,20,50 --work DISK

--frames: a data folder (train/<game>-720p/...). --work: where the store is made, a temporary folder
there; `memory` takes 2.8 MB for each frame of 720p and copy. Tables in Markdown. What is compared
takes turns, and the medians are printed, with processor time where other work on the host matters.
"""

from __future__ import annotations

import argparse
import copy
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import torch

from c3d_export.core.heap import keep_freed_memory
from c3d_export.core.processes import cores
from c3d_export.data.cropstore import CropStore
from c3d_export.data.frames import SPLITS, frames_digest, game_folders
from c3d_export.models.network import Codec
from c3d_export.models.spec import SIZES
from c3d_export.runtime.images import list_images, read_image, write_image
from c3d_export.train.ahead import Ahead
from c3d_export.train.config import TrainConfig
from c3d_export.train.crops import Pool, cut_crops
from c3d_export.train.loop import Trainer
from c3d_export.train.service import new_network

CROP: Final = 256
BATCH: Final = 8


# A process whose main module is quick to import, as that of the command is.
FILL: Final = """
import sys
from pathlib import Path
from c3d_export.data import cropstore_decode
from c3d_export.data.cropstore import CropStore

cropstore_decode.cores = lambda: int(sys.argv[1])
CropStore(Path(sys.argv[2])).fill([Path(name) for name in sys.argv[3:]])
"""


def files_of(root: Path) -> list[Path]:
    folders = [folder for split in SPLITS for _, _, folder in game_folders(root / split)]
    return [path for folder in folders for path in list_images(folder)]


def stored(store: CropStore, paths: list[Path]) -> Pool:
    return Pool("all", store.fill(paths).frames(paths))


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of the processor, with all threads and ended processes."""
    wall, processor = time.perf_counter(), used()
    work()
    return time.perf_counter() - wall, used() - processor


def used() -> float:
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def fill(options: argparse.Namespace, folder: Path) -> None:
    """Files are in the system's cache; the store is new each time."""
    paths = files_of(options.frames)
    pngs = [folder / f"{number}.png" for number in range(min(100, len(paths)))]
    for png, path in zip(pngs, paths, strict=False):
        write_image(png, read_image(path))
    print("| files | processes | s for 100 frames | of the processor |\n|---|---:|---:|---:|")
    for name, some in (("WebP", paths), ("PNG", pngs)):
        for count in range(1, cores() + 1):
            spent = []
            for number in range(options.rounds):
                target = str(folder / f"{name}{count}{number}")
                command = [sys.executable, "-c", FILL, str(count), target]
                spent.append(timed(partial(subprocess.run, [*command, *some], check=True)))
            each = (100 * statistics.median(c) / len(some) for c in zip(*spent, strict=True))
            print(f"| {name} | {count} | {' | '.join(f'{s:.1f}' for s in each)} |", flush=True)
    again = timed(lambda: CropStore(folder / "WebP10").fill(paths))[0]
    digest = timed(lambda: frames_digest(paths))[0]
    print(f"\nfilled already: {again * 1e3:.0f} ms for {len(paths)} frames")
    print(f"to read all files for their digests: {digest * 1e3:.0f} ms")


def crops(options: argparse.Namespace, folder: Path) -> None:
    keep_freed_memory()
    paths = files_of(options.frames)
    pngs = [folder / f"{number}.png" for number in range(40)]
    for png, path in zip(pngs, paths, strict=False):
        write_image(png, read_image(path))
    from_store = stored(CropStore(folder / "store"), paths)
    in_memory = Pool("all", [read_image(path) for path in paths])
    ways: dict[str, tuple[Callable[[int], object], int]] = {
        "decode a WebP for each crop": (decoding(paths), 2),
        "decode a PNG for each crop": (decoding(pngs), 2),
        "arrays in memory": (cutting(in_memory), 60),
        "store": (cutting(from_store), 60),
    }
    print("| crops of 256x256 from | threads | a second | a second of the processor |")
    print("|---|---:|---:|---:|")
    for threads in (1, 2):
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for number in range(options.rounds):
            for name, (cut, steps) in ways.items():
                spent = timed(partial(shared, cut, threads, number * steps, steps))
                count = threads * steps * BATCH
                results[name].append((count / spent[0], count / spent[1]))
        for name, rates in results.items():
            wall, processor = (statistics.median(column) for column in zip(*rates, strict=True))
            print(f"| {name} | {threads} | {wall:,.0f} | {processor:,.0f} |", flush=True)


def decoding(paths: Sequence[Path]) -> Callable[[int], object]:
    def cut(step: int) -> object:
        rng = np.random.default_rng((0, step))
        chosen = rng.integers(len(paths), size=BATCH)
        pool = Pool("", [read_image(paths[n]) for n in chosen])
        return cut_crops([pool], BATCH, CROP, 0, step)

    return cut


def cutting(pool: Pool) -> Callable[[int], object]:
    return lambda step: cut_crops([pool], BATCH, CROP, 0, step)


def shared(cut: Callable[[int], object], threads: int, first: int, steps: int) -> None:
    def work(thread: int) -> None:
        for step in range(first, first + steps):
            cut(step * threads + thread)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def steps(options: argparse.Namespace, folder: Path) -> None:
    paths = files_of(options.frames)
    from_store = [stored(CropStore(folder / "store"), paths)]
    in_memory = [Pool("all", [read_image(path) for path in paths])]
    keep_freed_memory()
    print("| model | seconds of | ms a step, frames in memory | from the store | speed |")
    print("|---|---|---:|---:|---:|")
    for size in options.models.split(","):
        start = new_network(SIZES[size], in_memory, 0)
        pair = [
            trainer(copy.deepcopy(start), pools, options.precision)
            for pools in (in_memory, from_store)
        ]
        # As it was: cut from arrays when they are wanted.
        pair[0]._ahead = Now(pair[0]._cut)  # type: ignore[assignment]
        spent: list[list[tuple[float, float]]] = [[], []]
        for number in range(options.steps):
            for which in (0, 1) if number % 2 else (1, 0):
                spent[which].append(timed(pair[which].train_step))
        for kind, name in enumerate(("clock", "processor")):
            both = [[1e3 * step[kind] for step in column[3:]] for column in spent]
            memory, store = map(statistics.median, both)
            speed = statistics.median(before / now for before, now in zip(*both, strict=True))
            row = f"{memory:.0f} | {store:.0f} | {100 * speed:.1f} %"
            print(f"| {size} | {name} | {row} |", flush=True)


class Now(Ahead[object]):
    def take(self, step: int) -> object:
        return self._make(step)


def trainer(network: Codec, pools: list[Pool], precision: str) -> Trainer:
    config = TrainConfig(steps=1000, batch=BATCH, crop=CROP, precision=precision)
    made = Trainer(network, config, pools, None)
    made.model.train()
    return made


def memory(options: argparse.Namespace, folder: Path) -> None:
    """Each set in a process of its own, which reads crops of all its frames."""
    paths = files_of(options.frames)
    print("| copies | frames | MB of pixels | MB anonymous | MB of files | crops a second |")
    print("|---:|---:|---:|---:|---:|---:|", flush=True)
    for copies in map(int, options.copies.split(",")):
        command = [sys.executable, __file__, "read", "--frames", str(options.frames), "--work",
                   str(folder), "--copies", str(copies), "--steps", str(options.steps)]  # fmt: skip
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"| {copies} | {copies * len(paths)} | {told.strip()}", flush=True)


def read(options: argparse.Namespace, folder: Path) -> None:
    """Bytes of this process, over those before the store was opened."""
    keep_freed_memory()
    paths, store = files_of(options.frames), CropStore(folder / "store")
    cut_crops([Pool("", [read_image(paths[0])])], BATCH, CROP, 0, 0)
    before = resident()
    once = store.fill(paths).frames(paths)
    sets = [
        store.derive(once, f"copy {n}", lambda frame: frame) for n in range(int(options.copies))
    ]
    pools = [Pool(str(n), frames) for n, frames in enumerate(sets)]
    total = sum(3 * height * width for frames in sets for height, width in frames.sizes)
    del once, sets
    most = resident()
    spent = time.perf_counter()
    ahead = Ahead(lambda step: cut_crops(pools, BATCH, CROP, 0, step))
    for step in range(options.steps):
        ahead.take(step).on("cpu")
        if step % 20 == 0:
            most = [max(pair) for pair in zip(most, resident(), strict=True)]
    rate = options.steps * BATCH / (time.perf_counter() - spent)
    more = " | ".join(f"{(now - then) / 1e6:.0f}" for now, then in zip(most, before, strict=True))
    print(f"{total / 1e6:.0f} | {more} | {rate:.0f} |")


def resident() -> list[int]:
    """Anonymous bytes and bytes of files that are mapped."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return [int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile")]


def main() -> None:
    parts = {"fill": fill, "crops": crops, "steps": steps, "memory": memory, "read": read}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=parts)
    parser.add_argument("--frames", required=True, type=Path)
    parser.add_argument("--work", type=Path, help="the system's folder for temporary files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", default="xsmall,small")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--precision", default="bfloat16", help="float32 where there is no AVX-512")
    parser.add_argument("--copies", default="1,5,20,50")
    parser.add_argument("--threads", type=int, default=cores(), help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.part == "read":
        read(options, options.work)
        return
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        parts[options.part](options, Path(folder))


if __name__ == "__main__":
    main()
