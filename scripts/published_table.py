"""The table of the published families: parameters, kMAC a pixel, milliseconds, exact latents.

    python scripts/published_table.py FOLDER [NAME...] [--threads N]

FOLDER: frames of one size, of which the first calibrates. NAME: of `c3d_export.models`, all of both
families without any. Weights are random, with latents of the size that trained ones have. Times are
medians by the clock, of whole calls from pixels to stream and back, with integer and with float
synthesis. Exact: frames whose streams, encoded with the entropy path in C, a codec decodes to the
same latents that runs it as ONNX graphs, as a GPU does.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from compare_compressai import weights
from compare_published_form import network_of

from c3d_export.deploy.bundle import Provenance
from c3d_export.deploy.families import make_bundle
from c3d_export.models import model_names
from c3d_export.models.families import Network
from c3d_export.models.mbt.spec import SPECS
from c3d_export.prune.published.cost import cost_of, of_ways
from c3d_export.prune.published.families import topology_of
from c3d_export.prune.published.groups import groups_of
from c3d_export.runtime.bundle import parse_bundle
from c3d_export.runtime.families import family_codec
from c3d_export.runtime.images import Frame, list_images, read_image
from c3d_export.runtime.sessions import SessionOptions
from c3d_export.runtime.stream import parse_stream


def network(name: str, frame: Frame) -> Network:
    return weights(name, frame) if name in SPECS else network_of(name, frame, None)


def median(call: Callable[[], Any], repeats: int) -> float:
    """Milliseconds, warm."""
    call()
    found = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        found.append(1000 * (time.perf_counter() - begin))
    return statistics.median(found)


def row(name: str, frames: list[Frame], threads: int, repeats: int) -> str:
    made = network(name, frames[0])
    parameters = sum(p.numel() for p in made.parameters())
    cost = of_ways(cost_of(made, groups_of(made)).by_part(topology_of(made).widths_of(made.spec)))
    bundle = parse_bundle(make_bundle(made, frames[:1], Provenance(name)))
    exact, floating = (
        family_codec(bundle, SessionOptions(flavour=flavour, threads=threads))
        for flavour in ("qlinear", "float")
    )
    stream = exact.encode(frames[0])
    times = [
        median(lambda: exact.encode(frames[0]), repeats),
        median(lambda: exact.decode(stream), repeats),
        median(lambda: floating.decode(stream), repeats),
    ]
    graph = type(exact)(bundle, SessionOptions(flavour="float", threads=threads), native=False)
    same = sum(_same(exact, graph, frame) for frame in frames)
    cells = [f"{parameters:,}", *(kilo(cost[way]) for way in ("encode", "decode"))]
    cells += [*(f"{ms:.0f}" for ms in times), f"{same} of {len(frames)}"]
    return f"| `{name}` | {' | '.join(cells)} |"


def kilo(macs: float) -> str:
    return f"{macs / 1e3:.1f}" if macs < 1e5 else f"{macs / 1e3:,.0f}"


def _same(exact: Any, graph: Any, frame: Frame) -> bool:
    stream = parse_stream(exact.encode(frame))
    mine, others = exact.decode_latents(stream), graph.decode_latents(stream)
    if isinstance(mine, np.ndarray):
        return np.array_equal(mine, others)
    pairs = zip(mine.latents.arrays(), others.latents.arrays(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(given.threads or torch.get_num_threads())
    frames = [read_image(path) for path in list_images(given.folder)[: given.frames]]
    known = [n for n in model_names() if n.startswith("c2f-") or n in SPECS]
    head = (
        "parameters | kMAC/px encode | decode | encode ms | decode ms | float synthesis ms | exact"
    )
    print(f"| network | {head} |\n|---|{'---:|' * 7}")
    for name in given.names or known:
        print(row(name, frames, given.threads, given.repeats), flush=True)


if __name__ == "__main__":
    main()
