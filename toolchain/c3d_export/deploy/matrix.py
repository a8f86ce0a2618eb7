"""In how many ways a codec can run on this host, and which of them a validation takes.

A configuration is a provider, a flavour, a level of graph optimisation and a number of threads.
On the CPU there are 2 flavours x 4 levels x 3 numbers of threads = 24; on CUDA, whose kernels know
no threads of ours, 1 flavour x 4 levels. Graphs on random inputs, known answers and small frames
take every configuration. Large frames are dealt: each frame and rate point takes the next four of
the CPU's (one of CUDA's), so that three of them meet each flavour with every level and every
number of threads, and six make the full cross product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import HostError
from ..runtime.bundle import Bundle
from ..runtime.images import Frame
from ..runtime.known import known_frame
from ..runtime.sessions import LEVELS, SessionOptions, Sessions, import_runtime

Grid = tuple[int, int]
"""Latents of a random input: rows, columns."""

THREADS = (1, 2, 0)
"""0: one for each core."""
GRIDS = ((1, 1), (5, 7), (17, 30))
"""Latents (rows, columns) of the random inputs: the least, odd ones (so that borders count), and
enough that threads share the work."""
LARGE_GRID = (68, 120)
"""A frame of 1920x1080."""
SMALL_SIZES = ((1, 1), (17, 31), (72, 104))
"""Crops (rows, columns) of the known frame."""
LARGE_SIZE = (1080, 1920)
HANDFUL = 2
"""Pairs of level and threads of a large frame and rate point; each runs in both flavours."""


@dataclass(frozen=True)
class Configuration:
    """One way to run the graphs; threads: 0 for one each core."""

    flavour: str
    level: str
    threads: int
    device: str = "cpu"

    def options(self) -> SessionOptions:
        return SessionOptions(self.device, self.flavour, self.threads, self.level)

    def __str__(self) -> str:
        threads = f"{self.threads or 'all'} thread{'s' * (self.threads != 1)}"
        return f"{self.device}, flavour {self.flavour}, optimisation {self.level}, {threads}"


def cpu_configurations() -> tuple[Configuration, ...]:
    """All 24, in the order in which they are dealt.

    4 levels and 3 numbers of threads have no common factor, so that counting both up by one meets
    all 12 pairs; each is followed by the same pair in the other flavour.
    """
    levels = tuple(LEVELS)
    pairs = [(levels[k % len(levels)], THREADS[k % len(THREADS)]) for k in range(12)]
    return tuple(Configuration(f, level, n) for level, n in pairs for f in ("qlinear", "float"))


def cuda_configurations() -> tuple[Configuration, ...]:
    """Every level."""
    return tuple(Configuration("float", level, 1, "cuda") for level in LEVELS)


@dataclass(frozen=True, eq=False)
class NamedFrame:
    """name: what the report calls it. pixels: (H, W, 3) uint8."""

    name: str
    pixels: Frame

    @property
    def size(self) -> str:
        return f"{self.pixels.shape[1]}x{self.pixels.shape[0]}"


@dataclass(frozen=True)
class FrameJob:
    """One frame at one rate point (1..Q), in these configurations."""

    frame: NamedFrame
    quality: int
    configurations: tuple[Configuration, ...]


@dataclass(frozen=True)
class Plan:
    """What a validation runs.

    configurations: for the graphs at `grids`, the known answers and the small frames. jobs: frames
    and rate points, each with its own configurations. skipped: providers that ONNX Runtime lists
    but that do not work here, with the reason.
    """

    configurations: tuple[Configuration, ...]
    grids: tuple[Grid, ...] = GRIDS
    jobs: tuple[FrameJob, ...] = ()
    known_answers: bool = True
    skipped: tuple[str, ...] = ()


def small_frames() -> list[NamedFrame]:
    known = known_frame()
    return [NamedFrame("known frame", known[:h, :w]) for h, w in SMALL_SIZES]


def large_frame() -> NamedFrame:
    """The known frame, repeated to 1920x1080."""
    known, (height, width) = known_frame(), LARGE_SIZE
    times = (-(-height // known.shape[0]), -(-width // known.shape[1]), 1)
    return NamedFrame("known frames", np.ascontiguousarray(np.tile(known, times)[:height, :width]))


def available(bundle: Bundle) -> tuple[tuple[Configuration, ...], tuple[str, ...]]:
    """The configurations that this host can run, and why CUDA is not among them if it is listed.

    Raises LibraryMissingError or RuntimeConflictError.
    """
    cpu = cpu_configurations()
    if "CUDAExecutionProvider" not in import_runtime().get_available_providers():
        return cpu, ()
    cuda = cuda_configurations()
    try:
        Sessions(bundle, cuda[-1].options())
    except HostError as error:
        return cpu, (f"cuda: {error}",)
    return cpu + cuda, ()


def deal(configurations: Sequence[Configuration], unit: int) -> tuple[Configuration, ...]:
    """The configurations of the large frame and rate point number `unit` (0, 1, ...)."""
    hand: list[Configuration] = []
    for device, count in (("cpu", 2 * HANDFUL), ("cuda", 1)):
        own = [c for c in configurations if c.device == device]
        hand += [own[(unit * count + k) % len(own)] for k in range(min(count, len(own)))]
    return tuple(hand)


def make_plan(bundle: Bundle, frames: Sequence[NamedFrame], *, thorough: bool = False) -> Plan:
    """The default plan takes three rate points of every frame; `thorough` takes all of them, and
    adds a grid and a frame of 1920x1080.

    frames: the user's, dealt as large ones whatever their size.
    """
    configurations, skipped = available(bundle)
    count = bundle.qualities
    qualities = range(1, count + 1) if thorough else sorted({1, (count + 1) // 2, count})
    jobs = [FrameJob(f, q, configurations) for f in small_frames() for q in qualities]
    large = [*frames, *([large_frame()] if thorough else [])]
    units = [(frame, quality) for frame in large for quality in qualities]
    jobs += [FrameJob(*unit, deal(configurations, k)) for k, unit in enumerate(units)]
    grids = (*GRIDS, LARGE_GRID) if thorough else GRIDS
    return Plan(configurations, grids, tuple(jobs), skipped=skipped)
