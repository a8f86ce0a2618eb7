"""Milliseconds of one convolution on this host: which widths and kinds are cheap.

python scripts/layer_speed.py                            # 3x3, 1x1 and depthwise at 1280x720
python scripts/layer_speed.py --size 1080p --kinds 3x3 --widths 96,128 --flavour float

A table in Markdown: ms, and in brackets billions of multiply-accumulates a second. Measured as
`prune` measures (`deploy/latency.py`). Let nothing else run beside it.
"""

from __future__ import annotations

import argparse
from typing import Final

from c3d_export.core.sizes import parse_size
from c3d_export.deploy.latency import ROUNDS, Bench, measure
from c3d_export.prune.latency import Shape

STRIDES: Final = (8, 16)
"""Pixels of the frame a position: where the networks of the codec compute."""
KINDS: Final = {"3x3": ("conv", 3), "1x1": ("conv", 1), "depthwise": ("depthwise", 3)}


def cell(shape: Shape, ms: float) -> str:
    seen = 1 if shape.kind == "depthwise" else shape.inputs
    macs = shape.rows * shape.columns * seen * shape.outputs * shape.kernel**2
    return f"{ms:.3f} ({macs / ms / 1e6:.0f})" if ms else "0"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--kinds", default="3x3,1x1,depthwise", help=", ".join(KINDS))
    parser.add_argument("--widths", default="32,48,64,80,96,112,128,160,192,256")
    parser.add_argument("--flavour", default="qlinear", choices=["qlinear", "float"])
    parser.add_argument("--threads", type=int, default=0, help="0 for all cores")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    size = parse_size(options.size)
    grids = [(-(-size[1] // s), -(-size[0] // s)) for s in STRIDES]
    columns = [(grid, *KINDS[kind]) for grid in grids for kind in options.kinds.split(",")]
    table = {
        width: [Shape(kind, kernel, 1, *grid, width, width) for grid, kind, kernel in columns]
        for width in map(int, options.widths.split(","))
    }
    shapes = [shape for row in table.values() for shape in row]
    bench = Bench(size, options.flavour, options.threads)
    times = measure(shapes, None, bench, options.rounds).points
    heads = (f" {kind} {k}x{k} at {h}x{w} |" for (h, w), kind, k in columns)
    print("| width |" + "".join(heads))
    print("|" + "---:|" * (1 + len(columns)))
    for width, row in table.items():
        print(f"| {width} | " + " | ".join(cell(s, times[s]) for s in row) + " |")


if __name__ == "__main__":
    main()
