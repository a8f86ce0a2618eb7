"""Schedulers: the same numbers wherever the work is done, and workers that differ are refused."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from c3d_export.core.errors import LibraryMissingError, OptionError, WorkerError
from c3d_export.evaluate import schedulers
from c3d_export.evaluate.meter import Job, MeterOptions
from c3d_export.evaluate.plan import Entry, PlanSpec, source_of
from c3d_export.evaluate.rows import Row, to_json
from c3d_export.evaluate.runner import evaluate_plan
from c3d_export.evaluate.schedulers import Scheduler, executor, parse_scheduler
from c3d_export.runtime.images import Frame, write_image
from c3d_export.runtime.shipped import default_bundle

OPTIONS = MeterOptions(("psnr", "psnr_y", "ssim", "ms_ssim"))


@pytest.fixture
def paths(tmp_path: Path, frame: Frame) -> list[Path]:
    folder = tmp_path / "game-192p"
    folder.mkdir()
    for index in range(2):
        write_image(folder / f"{index}.png", np.ascontiguousarray(frame[:, index : index + 200]))
    (folder / "2.png").write_bytes(b"no image")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def spec() -> PlanSpec:
    source = source_of("ours", default_bundle())
    return PlanSpec((source,), ("jpeg",), qualities=(1, 4), threads=1)


@pytest.fixture(scope="module")
def plan(spec: PlanSpec) -> list[Entry]:
    return spec.open()


def _numbers(rows: list[Row]) -> list[dict[str, Any]]:
    times = {"encode_ms": 0.0, "decode_ms": 0.0, "stages_ms": {}}
    return [to_json(replace(row, **times)) for row in rows]


def test_processes_and_dask_give_the_numbers_of_one_process(
    spec: PlanSpec, plan: list[Entry], paths: list[Path]
) -> None:
    distributed = pytest.importorskip("distributed")
    here = executor(Scheduler("serial"), spec, plan, OPTIONS)
    expected = evaluate_plan(plan, paths, here, OPTIONS)
    assert len(expected) == 3 * 8
    assert [bool(row.error) for row in expected] == 16 * [False] + 8 * [True]
    assert {stage.split()[0] for stage in expected[0].stages_ms} == {"encode", "decode"}
    assert expected[0].file_bytes - expected[0].payload_bytes == 32
    apart = executor(Scheduler("processes", 1), spec, plan, OPTIONS)
    assert _numbers(evaluate_plan(plan, paths, apart, OPTIONS)) == _numbers(expected)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        scheduler = Scheduler("dask", 1, cluster.scheduler_address)
        far = executor(scheduler, spec, plan, OPTIONS)
        assert _numbers(evaluate_plan(plan, paths, far, OPTIONS)) == _numbers(expected)


def test_names_of_schedulers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedulers, "cores", lambda: 6)
    assert parse_scheduler("serial") == Scheduler("serial")
    assert parse_scheduler("processes") == Scheduler("processes", 6)
    assert parse_scheduler("processes:2") == Scheduler("processes", 2)
    assert parse_scheduler("dask") == Scheduler("dask", 6)
    assert parse_scheduler("dask:tcp://h:8786") == Scheduler("dask", 6, "tcp://h:8786")
    for text in ("", "threads", "serial:2", "processes:0", "processes:x", "processes:", "dask:"):
        with pytest.raises(OptionError, match="choose serial, processes"):
            parse_scheduler(text)


def test_a_worker_with_other_libraries_refuses(spec: PlanSpec, paths: list[Path]) -> None:
    blob = pickle.dumps((spec, OPTIONS, {**schedulers.library_versions(), "pillow": "1.0"}))
    with pytest.raises(WorkerError, match=r"a worker has pillow .*, and .* started with 1\.0"):
        schedulers._work(blob, Job(paths[0], "jpeg", (10,)))


def test_a_worker_with_another_bundle_refuses(spec: PlanSpec) -> None:
    (source,) = spec.sources
    foreign = replace(spec, sources=(replace(source, codec_id="00" * 8),))
    with pytest.raises(WorkerError, match="give every worker the same file"):
        foreign.open()


def test_a_worker_that_dies_is_told(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedulers, "_work", _die)
    with pytest.raises(WorkerError, match="it goes on where it was"):
        list(schedulers._in_processes([Job(paths[0], "jpeg", (10,))], b"", 1))


def _die(blob: bytes, job: Job) -> list[Row]:
    os._exit(1)


PARENT = """
import os, sys, time
from pathlib import Path
from c3d_export.evaluate import schedulers
from c3d_export.evaluate.meter import Job

def wait(blob, job):
    job.path.write_text(str(os.getpid()))
    time.sleep(60)

if __name__ == "__main__":
    schedulers._work = wait
    list(schedulers._in_processes([Job(Path(sys.argv[1]), "", ())], b"", 1))
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes in /proc")
def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    told = tmp_path / "pid"
    command = [sys.executable, str(tmp_path / "parent.py"), str(told)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as parent:
        assert _until(lambda: told.exists() and told.read_text() != "")
        parent.kill()
    worker = int(told.read_text())
    assert _until(lambda: not _runs(worker))


def _until(done: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not done() and time.monotonic() < end:
        time.sleep(0.05)
    return done()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_dask_that_is_missing_is_named(
    spec: PlanSpec, plan: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(LibraryMissingError, match=r"pip install 'c3d-export\[dask\]'"):
        executor(Scheduler("dask", 1), spec, plan, OPTIONS)


def test_a_scheduler_that_does_not_answer_is_told(
    spec: PlanSpec, plan: list[Entry], paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(schedulers, "_CONNECT_SECONDS", 0.3)
    run = executor(Scheduler("dask", 1, "tcp://127.0.0.1:9"), spec, plan, OPTIONS)
    rows: Iterator[tuple[int, Row]] = run([Job(paths[0], "jpeg", (10,))])
    with pytest.raises(OptionError, match="no dask scheduler answers at tcp"):
        next(rows)
