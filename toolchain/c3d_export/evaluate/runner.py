"""A codec beside its baselines over a set of frames: one row per codec, frame and quality.

What fails is a row with an error, and every mean says how many rows it is made of and how many
are missing: a codec never looks better because its hard frames failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import MissingInputError, OptionError
from c3d_export.evaluate.baselines import Baseline
from c3d_export.evaluate.measure import Codec
from c3d_export.evaluate.meter import Job, Meter, MeterOptions, image_name
from c3d_export.evaluate.metrics import CORE
from c3d_export.evaluate.plan import (
    OURS,
    Entry,
    Further,
    baseline_entries,
    checked,
    entry_of,
    further_entries,
)
from c3d_export.evaluate.row_store import RowStore, row_key
from c3d_export.evaluate.rows import Row
from c3d_export.evaluate.summaries import Summary, rd_points, summarize
from c3d_export.evaluate.versions import library_versions
from c3d_export.runtime.images import is_lossless

__all__ = [
    "OURS",
    "Row",
    "Summary",
    "evaluate_codec",
    "evaluate_plan",
    "in_process",
    "lossy_sources",
    "rd_points",
    "summarize",
]

OnRow = Callable[[Row], None]
Execute = Callable[[Sequence[Job]], Iterator[tuple[int, Row]]]
"""Runs jobs, and gives each row as it comes with the index of its job, in any order."""


def evaluate_codec(
    codec: Codec,
    paths: Sequence[Path],
    qualities: Iterable[int] | None = None,
    baselines: Sequence[Baseline] = (),
    *,
    name: str = OURS,
    on_row: OnRow | None = None,
    metrics: Sequence[str] = CORE,
    further: Sequence[Further] = (),
    store: RowStore | None = None,
) -> list[Row]:
    """Runs the codec, the baselines (each at its ladder) and further codecs over image files.

    `qualities` are all of the codec's where None; `metrics` those of `metrics.METRICS` that are
    worth their time; `further` are names, codecs, qualities, and factor and up-scaler. Rows and
    all else as `evaluate_plan`. Raises UnknownQualityError for a quality that the codec lacks.
    """
    plan = [entry_of(name, codec, qualities), *baseline_entries(baselines)]
    plan += further_entries(further)
    options = MeterOptions(tuple(metrics))
    return evaluate_plan(plan, paths, in_process(plan, options), options, on_row, store)


def evaluate_plan(
    plan: list[Entry],
    paths: Sequence[Path],
    execute: Execute,
    options: MeterOptions,
    on_row: OnRow | None = None,
    store: RowStore | None = None,
) -> list[Row]:
    """One row per frame, codec and quality, in the order of the paths, codecs and qualities.

    `on_row` sees each as it comes, those that `store` has first. Whatever one frame raises ends
    up in its row. Raises OptionError for no frames, and for a codec or a frame that stands twice.
    """
    checked(plan)
    _check_paths(paths)
    work = _Work(plan, paths, options, store)
    for row in work.rows.values():
        if on_row:
            on_row(row)
    jobs = work.missing()
    for index, row in execute(jobs):
        work.take(jobs[index], row)
        if on_row:
            on_row(row)
    return work.ordered()


def in_process(plan: Sequence[Entry], options: MeterOptions) -> Execute:
    """Runs jobs here, one after the other."""

    def execute(jobs: Sequence[Job]) -> Iterator[tuple[int, Row]]:
        meter = Meter(plan, options)
        for index, job in enumerate(jobs):
            for row in meter.rows(job):
                yield index, row

    return execute


def lossy_sources(paths: Iterable[Path]) -> list[Path]:
    """The files that were already lossy: coding them again measures their first codec too.

    Raises MissingInputError where a file cannot be opened.
    """
    return [path for path in paths if not is_lossless(path)]


@dataclass
class _Work:
    """rows: by path, codec and quality, those that are done."""

    plan: list[Entry]
    paths: Sequence[Path]
    options: MeterOptions
    store: RowStore | None
    rows: dict[tuple[Path, str, int], Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._versions = library_versions() if self.store else {}
        self._digests = {path: _digest(path) for path in self.paths} if self.store else {}
        self._entries = {entry.name: entry for entry in self.plan}
        for where in self._all():
            row = self._stored(*where)
            if row is not None:
                self.rows[where] = row

    def missing(self) -> list[Job]:
        jobs = []
        for path in self.paths:
            for entry in self.plan:
                left = [q for q in entry.qualities if (path, entry.name, q) not in self.rows]
                if left:
                    jobs.append(Job(path, entry.name, tuple(left)))
        return jobs

    def take(self, job: Job, row: Row) -> None:
        self.rows[job.path, row.model, row.quality] = row
        key = self._key(job.path, row.model, row.quality)
        if self.store and key:
            self.store.put(key, row)

    def ordered(self) -> list[Row]:
        return [self.rows[where] for where in self._all()]

    def _all(self) -> Iterator[tuple[Path, str, int]]:
        for path in self.paths:
            for entry in self.plan:
                for quality in entry.qualities:
                    yield path, entry.name, quality

    def _stored(self, path: Path, name: str, quality: int) -> Row | None:
        key = self._key(path, name, quality)
        return self.store.get(key, image_name(path), name) if self.store and key else None

    def _key(self, path: Path, name: str, quality: int) -> str | None:
        """None where nobody knows all that the row depends on."""
        entry, digest = self._entries[name], self._digests.get(path)
        if entry.identity is None or digest is None:
            return None
        parts: dict[str, Any] = {
            "codec": entry.identity,
            "supersampled": entry.supersampled,
            "frame": digest,
            "quality": quality,
            "metrics": sorted(self.options.metrics),
            "repeat": self.options.repeat,
            "versions": self._versions,
        }
        return row_key(**parts)


def _digest(path: Path) -> str | None:
    try:
        return sha256_file(path)
    except MissingInputError:  # its rows will say so
        return None


def _check_paths(paths: Sequence[Path]) -> None:
    if not paths:
        raise OptionError("there are no frames to evaluate; name a folder that has some")
    seen: dict[str, Path] = {}
    for path in paths:
        other = seen.setdefault(image_name(path), path)
        if other is not path:
            raise OptionError(
                f"{other} and {path} would both be called {image_name(path)}; rename a folder"
            )
