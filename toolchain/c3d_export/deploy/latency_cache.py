"""Measured latencies, kept in the workspace: what was measured once on a host is not again."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core import jsonio
from ..core.atomic import write_bytes_atomic
from ..core.digest import sha256_bytes
from ..core.errors import CheckpointError, DiskError
from ..models.network import Codec
from ..prune.latency import Latency, Shape
from ..runtime.providers import import_runtime
from .latency import Bench, Tell, measure


def host_facts(bench: Bench, processor: str) -> dict[str, str]:
    """What milliseconds hold for; the key of the cache. processor: its name and features."""
    return {
        "processor": processor,
        "onnxruntime": str(import_runtime().__version__),
        "flavour": bench.flavour,
        "threads": str(bench.threads or os.cpu_count()),
        "size": "x".join(map(str, bench.size)),
    }


def latency_of(
    folder: Path,
    network: Codec,
    shapes: Sequence[Shape],
    bench: Bench,
    processor: str,
    tell: Tell | None = None,
    again: bool = False,
) -> Latency:
    """The table of a network, from the cache in `folder` and measured where that lacks something.

    shapes: as a `Planner` wants them. again: measures all of it anew. A cache that cannot be read
    counts as none. Raises DiskError where it cannot be written.
    """
    host = host_facts(bench, processor)
    path = folder / f"{sha256_bytes(jsonio.dumps(host))[:16]}.json"
    known, widths = _read(path, host), _widths_key(network)
    missing = [shape for shape in shapes if again or shape.key not in known["points"]]
    whole = again or widths not in known["graphs"]
    if missing or whole:
        found = measure(missing, network if whole else None, bench, tell=tell)
        known["points"] |= {shape.key: ms for shape, ms in found.points.items()}
        if whole:
            known["graphs"][widths] = {**found.graphs}
        _write(path, known)
    points = {shape.key: known["points"][shape.key] for shape in shapes}
    return Latency(host, points, known["graphs"][widths])


def _widths_key(network: Codec) -> str:
    """Of a network's shapes: its weights and its name change no time."""
    return sha256_bytes(jsonio.dumps(replace(network.spec, name="").to_json()))[:16]


def _read(path: Path, host: Mapping[str, str]) -> dict[str, Any]:
    empty: dict[str, Any] = {"host": {**host}, "points": {}, "graphs": {}}
    try:
        found = jsonio.loads(path.read_bytes(), CheckpointError, what=str(path))
    except (OSError, CheckpointError):
        return empty
    if not isinstance(found, dict) or found.get("host") != host:
        return empty
    graphs = found.get("graphs")
    tables = [found.get("points"), *(graphs.values() if isinstance(graphs, dict) else [None])]
    return found if all(map(_is_table, tables)) else empty


def _is_table(table: object) -> bool:
    return isinstance(table, dict) and all(
        isinstance(ms, float) and math.isfinite(ms) and ms >= 0 for ms in table.values()
    )


def _write(path: Path, known: Mapping[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot create {path.parent}: {error.strerror}; choose another --workspace"
        raise DiskError(message) from error
    write_bytes_atomic(path, jsonio.dumps(known))
