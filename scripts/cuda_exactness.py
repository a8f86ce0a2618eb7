"""Which settings of the CUDA provider are exact: every output of every graph, bit for bit.

python scripts/cuda_exactness.py BUNDLE [--device cuda|cpu] [--out FILE.json]

cuDNN's three searches for a convolution x TF32 on and off x NHWC on and off x CUDA graph on and
off, all else as `runtime/providers.py` pins it. The wanted values come from the `qlinear` flavour
on this host's CPU, which is held against the bundle's known answers first. Exit 3 where the
settings that the codec uses differ; other settings may, and the table tells. `--device cpu` runs
the float flavour on the CPU in one way: a rehearsal for hosts without a GPU.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c3d_export.runtime.bundle import GRAPHS, Bundle, read_bundle
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.known import check_known_answers, noise_feeds
from c3d_export.runtime.providers import CUDA_OPTIONS, PROVIDERS, import_runtime, open_session
from c3d_export.runtime.sessions import SessionOptions, Sessions

SEARCHES = ("DEFAULT", "HEURISTIC", "EXHAUSTIVE")
GRIDS = ((5, 9), (45, 80), (68, 120))
"""Latents (rows, columns): that of the known answers, 1280x720, 1920x1080."""
RUNS = 3
"""Of each input: the first captures a CUDA graph, the others replay it."""

Feed = dict[str, NDArray[np.uint8]]
Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Setting:
    """options: of the provider. graph: the sessions run on fixed device buffers."""

    options: Mapping[str, str]
    graph: bool = False

    def __str__(self) -> str:
        if not self.options:
            return "cpu"
        names = {"use_tf32": "TF32", "prefer_nhwc": "NHWC"}
        on = [text for name, text in names.items() if self.options[name] == "1"]
        parts = [self.options["cudnn_conv_algo_search"], *on, *["CUDA graph"] * self.graph]
        return " ".join(parts)

    @property
    def is_ours(self) -> bool:
        return dict(self.options) == CUDA_OPTIONS and not self.graph


@dataclass(frozen=True)
class Row:
    """What one setting gave. failed: why it does not run, "" where it does."""

    setting: str
    ours: bool
    compared: int
    differing: int
    first: str
    seconds: float
    failed: str = ""

    def __str__(self) -> str:
        what = self.failed or f"{self.differing} of {self.compared} differ {self.first}"
        return f"{'*' if self.ours else ' '} {self.setting:36} {what} ({self.seconds:.1f} s)"


def settings(device: str) -> Iterator[Setting]:
    """Ours first, since a lent machine may be gone before the last."""
    if device == "cpu":
        yield Setting({})
        return
    yield Setting(dict(CUDA_OPTIONS))
    for search, tf32, nhwc, graph in itertools.product(SEARCHES, "01", "01", (False, True)):
        changed = {"cudnn_conv_algo_search": search, "use_tf32": tf32, "prefer_nhwc": nhwc}
        setting = Setting({**CUDA_OPTIONS, **changed}, graph)
        if not setting.is_ours:
            yield setting


def _session(model: bytes, device: str, setting: Setting) -> Any:
    graph = {"enable_cuda_graph": "1"} if setting.graph else {}
    options = {**setting.options, **graph}
    return open_session(import_runtime(), model, device, cuda_options=options)


def _runs(session: Any, feed: Feed, wanted: Outputs, setting: Setting) -> Iterator[Outputs]:
    """The outputs of each run; with a CUDA graph on device buffers whose addresses stay, from the
    first run on, which is the one that is captured."""
    names = [output.name for output in session.get_outputs()]
    batch = {name: np.ascontiguousarray(x[np.newaxis]) for name, x in feed.items()}
    if not setting.graph:
        for _ in range(RUNS):
            yield dict(zip(names, session.run(names, batch), strict=True))
        return
    ort = import_runtime()
    binding, outputs = session.io_binding(), {}
    for name, array in batch.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, "cuda", 0))
    for name, right in wanted.items():
        shape = (1, *right.shape)
        value = ort.OrtValue.ortvalue_from_shape_and_type(shape, right.dtype.type, "cuda", 0)
        outputs[name] = value
        binding.bind_ortvalue_output(name, value)
    for _ in range(RUNS):
        session.run_with_iobinding(binding)
        yield {name: value.numpy() for name, value in outputs.items()}


def _count(got: Outputs, wanted: Outputs) -> tuple[int, int, str]:
    compared = differing = 0
    first = ""
    for name, right in wanted.items():
        wrong = np.argwhere(got[name][0] != right)
        compared, differing = compared + right.size, differing + len(wrong)
        if len(wrong) and not first:
            at = tuple(int(i) for i in wrong[0])
            first = f"{name}{list(at)}: {got[name][0][at]} instead of {right[at]}"
    return compared, differing, first


def try_setting(
    bundle: Bundle, device: str, setting: Setting, cases: list[tuple[str, Feed, Outputs]]
) -> Row:
    """Every graph at every grid; a setting that fails is a row too."""
    begin, compared, differing, first = time.monotonic(), 0, 0, ""
    failed = ""
    try:
        for graph, feed, wanted in cases:
            # A captured CUDA graph belongs to one shape: each case has a session of its own.
            session = _session(bundle.graphs[graph, "float"], device, setting)
            for got in _runs(session, feed, wanted, setting):
                values, wrong, where = _count(got, wanted)
                compared, differing = compared + values, differing + wrong
                first = first or (f"first {graph} {where}" if where else "")
    except Exception as error:  # a class per status in ONNX Runtime
        failed = f"does not run: {str(error).splitlines()[0][:120]}"
    seconds = time.monotonic() - begin
    return Row(str(setting), setting.is_ours, compared, differing, first, seconds, failed)


def wanted_cases(bundle: Bundle) -> list[tuple[str, Feed, Outputs]]:
    """Graph, input and the outputs that the CPU's integers give; raises KnownAnswerError."""
    options = SessionOptions("cpu", "qlinear")
    check_known_answers(Codec(bundle, options))
    sessions = Sessions(bundle, options)
    feeds = [(g, feed) for grid in GRIDS for g, feed in noise_feeds(bundle, grid).items()]
    return [(graph, feed, sessions.run(graph, feed)) for graph, feed in feeds if graph in GRAPHS]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--device", choices=sorted(PROVIDERS), default="cuda")
    parser.add_argument("--out", type=Path, help="all rows as JSON")
    options = parser.parse_args()
    bundle = read_bundle(options.bundle)
    cases, rows = wanted_cases(bundle), []
    for setting in settings(options.device):
        rows.append(try_setting(bundle, options.device, setting, cases))
        print(rows[-1], flush=True)
        if options.out:
            options.out.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    own = rows[0]
    return 3 if own.failed or own.differing else 0


if __name__ == "__main__":
    sys.exit(main())
