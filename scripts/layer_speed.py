"""Milliseconds of one convolution in bytes on this host: which widths and kinds are cheap.

python scripts/layer_speed.py                            # 3x3, 1x1 and depthwise at 1280x720
python scripts/layer_speed.py --size 1080p --kinds 3x3,group2 --widths 96,128

A table in Markdown: ms, and in brackets billions of multiply-accumulates a second. Let nothing
else run beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from c3d_export.core.sizes import parse_size
from c3d_export.runtime.providers import open_session

Array = NDArray[Any]

STRIDES: Final = (8, 16)
"""Pixels of the frame a position: where the networks of the codec compute."""
SHORT: Final = 2
LONG: Final = 18
"""Layers of the two chains; their difference leaves out the call and the ends of a graph."""
MAX_WEIGHT: Final = 64


def kind_of(text: str, width: int) -> tuple[int, int]:
    """Kernel size and number of groups of 3x3, 1x1, depthwise (3x3) or groupN (3x3)."""
    kernel = 1 if text == "1x1" else 3
    if text == "depthwise":
        return kernel, width
    return kernel, int(text.removeprefix("group")) if text.startswith("group") else 1


def node(index: int, kernel: int, groups: int) -> NodeProto:
    """Layer `index` of a chain, in the channels-last form that exported graphs have."""
    before = [f"x{index}", "one", "zero", f"weight{index}", "scale", "zero_weight", "one", "zero"]
    return helper.make_node(
        "QLinearConv",
        [*before, f"bias{index}"],
        [f"x{index + 1}"],
        domain="com.microsoft",
        channels_last=1,
        group=groups,
        kernel_shape=[kernel, kernel],
        pads=[kernel // 2] * 4,
    )


def constants(layers: int, shape: tuple[int, int, int, int]) -> dict[str, Array]:
    """By name. shape: of a layer's weights."""
    rng = np.random.default_rng(0)
    # Sums of random weights grow with the root of their number: keep most outputs inside a byte.
    scale = np.full(shape[0], 1 / (32 * np.sqrt(np.prod(shape[1:]))), np.float32)
    arrays: dict[str, Array] = {"one": np.array(1, np.float32), "scale": scale}
    arrays |= {"zero": np.array(0, np.uint8), "zero_weight": np.array(0, np.int8)}
    for i in range(layers):
        arrays[f"weight{i}"] = rng.integers(-MAX_WEIGHT, MAX_WEIGHT + 1, shape).astype(np.int8)
        arrays[f"bias{i}"] = rng.integers(0, 20000, shape[0]).astype(np.int32)
    return arrays


def chain(layers: int, width: int, kernel: int, groups: int) -> bytes:
    """A serialised model of `layers` equal convolutions, uint8 (1, h, w, width) in and out."""
    arrays = constants(layers, (width, width // groups, kernel, kernel))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, [1, "h", "w", width])
        for name in ("x0", f"x{layers}")
    ]
    nodes = [node(i, kernel, groups) for i in range(layers)]
    initializers = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(model.SerializeToString())


def interleaved(runs: Sequence[Callable[[], object]], repeat: int) -> list[float]:
    """Medians in ms; taken in turns, so that a slow spell of the host hits all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for turn in range(repeat + 2):
        for run, kept in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            if turn >= 2:  # the first calls fill caches
                kept.append(1000 * (time.perf_counter() - start))
    return [statistics.median(kept) for kept in times]


def layer_ms(shape: tuple[int, int, int], kind: str, threads: int, repeat: int) -> float:
    """ms of one layer on (height, width in positions, channels)."""
    kernel, groups = kind_of(kind, shape[2])
    x = np.random.default_rng(1).integers(0, 256, (1, *shape)).astype(np.uint8)
    sessions = [
        open_session(ort, chain(layers, shape[2], kernel, groups), "cpu", threads=threads)
        for layers in (SHORT, LONG)
    ]
    runs = [partial(session.run, None, {"x0": x}) for session in sessions]
    short, long = interleaved(runs, repeat)
    return (long - short) / (LONG - SHORT)


def cell(shape: tuple[int, int, int], kind: str, threads: int, repeat: int) -> str:
    kernel, groups = kind_of(kind, shape[2])
    if shape[2] % groups:
        return ""
    ms = layer_ms(shape, kind, threads, repeat)
    macs = shape[0] * shape[1] * shape[2] ** 2 // groups * kernel**2
    return f"{ms:.3f} ({macs / ms / 1e6:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--kinds", default="3x3,1x1,depthwise")
    parser.add_argument("--widths", default="32,48,64,80,96,112,128,160,192,256")
    parser.add_argument("--threads", type=int, default=0, help="0 for all cores")
    parser.add_argument("--repeat", type=int, default=31)
    options = parser.parse_args()
    columns, rows = parse_size(options.size)
    kinds = options.kinds.split(",")
    grids = [(-(-rows // s), -(-columns // s)) for s in STRIDES]
    print("| width |" + "".join(f" {k} {h}x{w} |" for h, w in grids for k in kinds))
    print("|" + "---:|" * (1 + len(grids) * len(kinds)))
    for width in (int(v) for v in options.widths.split(",")):
        cells = (
            cell((*grid, width), kind, options.threads, options.repeat)
            for grid in grids
            for kind in kinds
        )
        print(f"| {width} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
