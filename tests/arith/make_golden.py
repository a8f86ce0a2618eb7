"""Writes the golden streams that are missing, with the reference and never with the C library.

Run it as `python -m tests.arith.make_golden` from the root. It leaves files that are there as
they are: a released stream must decode for ever, so it is only deleted with its format.
"""

import json
import random
from pathlib import Path
from typing import Any

from . import reference_slices
from .golden_streams import FOLDER, parse
from .reference import encode
from .reference_tables import build

Content = dict[str, Any]


def table(frequencies: list[int], below: int, fold: int, bits: int) -> Content:
    """Return a table whose zero gets what the others leave."""
    zero = (1 << bits) - (sum(frequencies) << fold)
    above = len(frequencies) - 1 - below
    return {
        "bits": bits,
        "fold": fold,
        "below": below,
        "above": above,
        "frequencies": [zero, *frequencies],
    }


def peaked(below: int, above: int, fold: int, slope: float, zero: int = 4000) -> Content:
    """Return a table of groups that get rarer away from zero, from the table builder."""
    groups = [int(2000 * slope ** abs(g + 0.5)) for g in range(-below, above)]
    bits, frequencies = build([zero, *groups, 20], fold)
    return table(frequencies[1:], below, fold, bits)


def draw(rng: random.Random, t: Content, escapes: float) -> int:
    """Return a value with the probabilities of a table, and some that it may not cover."""
    if rng.random() < escapes:
        return rng.randint(-32768, 32767)
    weights = t["frequencies"][:1] + [f << t["fold"] for f in t["frequencies"][1:-1]]
    position = rng.choices(range(len(weights)), weights)[0]
    rank = (position - 1 - t["below"] << t["fold"]) + rng.randrange(1 << t["fold"])
    return 0 if position == 0 else rank + (rank >= 0)


def part(seed: int, n: int, bank: Content, number: int = 0, escapes: float = 0.05) -> Content:
    """Return a part of n drawn values; the last of them has the last table."""
    rng = random.Random(seed)
    indexes = [rng.randrange(bank["count"]) for _ in range(n - 1)] + [bank["count"] - 1]
    tables = bank["tables"]
    values = [draw(rng, tables[i % len(tables)], escapes) for i in indexes]
    return {"bank": number, "n": n, "values": values, "indexes": indexes}


def bank(*tables: Content, count: int = 0) -> Content:
    """Return a bank of `count` tables, or of these."""
    return {"count": count or len(tables), "tables": list(tables)}


def stream(description: str, lanes: int, banks: list[Content], *parts: Content) -> Content:
    """Return a file's content without its payload."""
    return {
        "version": 2,
        "description": description,
        "lanes": lanes,
        "banks": banks,
        "parts": list(parts),
    }


def same(n: int, values: list[int], indexes: list[int], **more: Any) -> Content:
    """Return a part of bank 0 that repeats some values and indexes."""
    return {"bank": 0, "n": n, "values": values, "indexes": indexes, **more}


MIXED = bank(peaked(2, 2, 0, 0.3), peaked(6, 5, 1, 0.6), peaked(9, 9, 3, 0.8), table([1], 0, 0, 16))
NARROW = table([300, 200, 40], 1, 0, 11)
EDGES = [32767, -32768, 0, 3, -3, 255, 256, -256, -257, 1, -1, 258]


def shapes() -> dict[str, Content]:
    """Return a stream for each number of lanes, and those for rows and parts."""
    result = {
        f"lanes-{lanes:02}": stream(
            f"{lanes} lanes, the last row is short" if lanes > 1 else "1 lane",
            lanes,
            [MIXED],
            part(lanes, 3 * lanes + 20, MIXED),
        )
        for lanes in (1, 2, 4, 8, 16, 32, 64)
    }
    wide = bank(peaked(20, 20, 5, 0.9), NARROW)
    rng = random.Random(1)
    means = [rng.randint(-90, 90) for _ in range(21)]
    result["several-parts"] = stream(
        "four parts with two banks, with and without means, one of them without values",
        4,
        [MIXED, wide],
        part(2, 9, MIXED),
        {**part(3, 21, wide, 1), "means": means},
        same(0, [], []),
        {**part(4, 14, MIXED), "means": [7]},
    )
    result["short-rows"] = stream(
        "parts that end within a row, and one that does not",
        16,
        [MIXED],
        *(part(n, n, MIXED) for n in (1, 15, 17, 16, 3)),
    )
    result["one-value"] = stream("one value", 1, [bank(NARROW)], same(1, [-1], [0]))
    result["one-value-64-lanes"] = stream(
        "one value, an escape, in more lanes than values", 64, [bank(NARROW)], same(1, [9], [0])
    )
    result["empty"] = stream("no parts at all", 1, [bank(NARROW)])
    result["empty-parts"] = stream(
        "two parts without values", 8, [bank(NARROW)], same(0, [], []), same(0, [], [], means=[])
    )
    return result


def features() -> dict[str, Content]:
    """Return the streams for what a table can be, and for escapes."""
    folds = bank(*(peaked(3, 2, fold, 0.7) for fold in range(6)))
    bits = bank(*(table([7, 600, 500, 90, 3], 2, 0, bits) for bits in range(11, 17)))
    folded = bank(table([10, 20, 5], 1, 5, 11), table([1, 2], 0, 4, 16))
    sides = bank(table([50, 40, 30, 2], 3, 1, 12), table([50, 40, 30, 2], 0, 1, 12))
    widest = bank(table([1] * 511 + [2] * 511 + [3], 511, 5, 16))
    return {
        "folds": stream("a table of each fold", 4, [folds], part(5, 90, folds, escapes=0.1)),
        "bits": stream("a table of each number of bits", 4, [bits], part(6, 90, bits)),
        "one-side": stream("groups on one side only", 2, [sides], part(7, 40, sides)),
        "widest-table": stream("511 groups on each side", 8, [widest], part(8, 60, widest)),
        "escapes": stream(
            "escapes of both signs and both ends of int16",
            1,
            [bank(NARROW, table([1], 0, 0, 16))],
            same(29, EDGES, [0, 1, 0]),
        ),
        "escapes-folded": stream(
            "escapes with low bits", 2, [folded], same(29, [*EDGES, 65, 66, -65], [0, 1])
        ),
        "all-escapes": stream(
            "tables without groups, and no zero among the values",
            8,
            [bank(table([2047], 0, 0, 11), table([1], 0, 5, 16))],
            same(50, [1, -1, 32767, -32768, 77], [0, 1]),
        ),
        "means": stream(
            "means that wrap around the ends of int16",
            2,
            [bank(NARROW)],
            same(40, [*EDGES, -5], [0], means=[32767, -32768, 3, 2, -3, 254, -1]),
        ),
        "long-zeros": stream(
            "values that cost less than their share of the slots says",
            1,
            [bank(table([2047], 0, 0, 16))],
            same(20000, [0], [0]),
        ),
    }


def many_tables() -> dict[str, Content]:
    """Return the streams with more tables than fit the registers of a vector kernel."""
    seven = [peaked(k + 1, 2 * k + 1, k % 6, 0.4 + k / 20) for k in range(7)]
    result = {}
    for count, lanes, n in ((64, 16, 70), (100, 16, 120), (256, 64, 300)):
        many = bank(*seven, count=count)
        result[f"tables-{count}"] = stream(
            f"{count} tables, seven in turn", lanes, [many], part(count, n, many)
        )
    return result


def add_payload(content: Content) -> Content:
    """Add what the reference encoder writes."""
    stream = parse({**content, "payload": "", "values_crc32c": "0"})
    values = [v for part in stream.parts for v in part.values]
    return {
        **content,
        "payload": encode(stream.parts, stream.lanes).hex(),
        "values_crc32c": f"{reference_slices.checksum(values):08x}",
    }


def blocks(contents: dict[str, Content]) -> dict[str, Content]:
    """Return blocks of some of the streams."""
    some = ("lanes-01", "one-value", "empty", "escapes", "lanes-08")
    payloads = [bytes.fromhex(contents[name]["payload"]) for name in some]
    return {
        f"slices-{count}": {
            "version": 2,
            "description": f"a block of {count}",
            "slices": [payload.hex() for payload in payloads[:count]],
            "block": reference_slices.join(payloads[:count]).hex(),
        }
        for count in (1, 2, 5)
    }


def write(path: Path, content: Content) -> None:
    """Write a file with a line for each name."""
    lines = [
        f"  {json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}"
        for name, value in content.items()
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    """Write the files that are missing."""
    contents = {**shapes(), **features(), **many_tables()}
    contents = {name: add_payload(content) for name, content in contents.items()}
    for name, content in {**contents, **blocks(contents)}.items():
        if not (FOLDER / f"{name}.json").exists():
            write(FOLDER / f"{name}.json", content)


if __name__ == "__main__":
    main()
