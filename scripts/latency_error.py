"""How far `prune`'s milliseconds are from the truth: predicted and measured, on this host.

python scripts/latency_error.py                              # small, 720p
python scripts/latency_error.py --model median --flavour float --threads 1 --shares 0.7

Three tables in Markdown: the sum of all layers beside each real graph; networks that were slimmed
to a share of their time, as predicted and as their real graphs then take; widths between two
measured ones. Let nothing else run beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from c3d_export.core.sizes import parse_size
from c3d_export.deploy.latency import Bench, measure
from c3d_export.models.network import Codec, build_network
from c3d_export.models.spec import SIZES
from c3d_export.prune.latency import Latency, Shape, axis, nodes
from c3d_export.prune.planner import Planner
from c3d_export.prune.timing import WAYS, Clock

BETWEEN = (272, 304, 336, 368)
"""Widths that a search may choose and that the table has not."""
ATTEMPTS, STEADY = 6, 0.05


def row(*cells: object) -> None:
    print("| " + " | ".join(f"{c:.2f}" if isinstance(c, float) else str(c) for c in cells) + " |")


def compare(title: str, pairs: dict[str, tuple[float, float]], heads: Sequence[str]) -> None:
    print(f"\n{title}\n")
    row("", *heads, "error")
    print("|---|" + "---:|" * (len(heads) + 1))
    for name, (said, found) in pairs.items():
        row(name, said, found, f"{100 * (said / found - 1):+.1f} %")


def sums(planner: Planner, clock: Clock) -> dict[str, tuple[float, float]]:
    now = clock.by_transform(planner.now)
    added = dict.fromkeys(now, 0.0)
    for layer in planner.cost.layers:
        added[layer.transform] += clock.layer(layer, planner.now)
    return {name: (added[name], ms) for name, ms in now.items()}


def graphs_of(network: Codec, bench: Bench) -> dict[str, float]:
    """In more turns than beside shapes, which would last longer."""
    return {**measure((), network, bench, rounds=60).graphs}


def steadily(network: Codec, slim: Codec, clock: Clock, bench: Bench) -> dict[str, float]:
    """Graphs of the slim network, while those of the other one take what they took before."""
    expected = sum(clock.latency.graphs.values())
    for _ in range(ATTEMPTS):
        found = graphs_of(slim, bench)
        now = sum(graphs_of(network, bench).values())
        if abs(now / expected - 1.0) < STEADY:
            return found
    raise SystemExit(f"the host is not quiet: what took {expected:.1f} ms now takes {now:.1f}")


def slimmed(
    network: Codec, planner: Planner, clock: Clock, share: float, bench: Bench
) -> dict[str, tuple[float, float]]:
    made = planner.by_ms(share * clock.of_way("both", planner.now))
    assert made.ms is not None
    found = steadily(network, build_network(made.after), clock, bench)
    pairs = {name: (ms, found[name]) for name, ms in made.ms.then.items()}
    ways = {}
    for way, absent in WAYS.items():
        run = [pair for name, pair in pairs.items() if name not in absent]
        ways[way] = sum(said for said, _ in run), sum(ms for _, ms in run)
    return pairs | ways


def between(bench: Bench) -> dict[str, tuple[float, float]]:
    rows, columns = (-(-pixels // 8) for pixels in reversed(bench.size))
    steps = axis(256, 384)

    def shape(width: int) -> Shape:
        return Shape("conv", 1, 1, rows, columns, 96, width)

    times = measure([shape(w) for w in (*steps, *BETWEEN)], None, bench).points
    return {
        f"1x1 at {rows}x{columns}, 96 to {width}": (
            sum(share * times[shape(node)] for node, share in nodes(width, steps)),
            times[shape(width)],
        )
        for width in BETWEEN
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="small", choices=SIZES)
    parser.add_argument("--size", default="720p")
    parser.add_argument("--flavour", default="qlinear", choices=["qlinear", "float"])
    parser.add_argument("--threads", type=int, default=0, help="0 for all cores")
    parser.add_argument("--shares", default="0.8,0.6", help="of the slower way's time")
    options = parser.parse_args()
    network = build_network(SIZES[options.model])
    planner = Planner(network)
    bench = Bench(parse_size(options.size), options.flavour, options.threads)
    found = measure(planner.shapes(bench.size), network, bench)
    table = {shape.key: ms for shape, ms in found.points.items()}
    planner.use_latency(Latency({}, table, found.graphs), bench.size)
    clock = planner.clock
    assert clock is not None
    compare("All layers and the whole graph", sums(planner, clock), ("sum ms", "graph ms"))
    for share in map(float, options.shares.split(",")):
        pairs = slimmed(network, planner, clock, share, bench)
        compare(f"Slimmed to {share:g} of the time", pairs, ("predicted ms", "measured ms"))
    compare("Between measured widths", between(bench), ("line ms", "measured ms"))


if __name__ == "__main__":
    main()
