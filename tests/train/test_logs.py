"""Logs of trainings: what is written, what a kill leaves, what a resumed run makes of it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from c3d_export.core.errors import BusyError
from c3d_export.train import logs
from c3d_export.train.events import PREFIX
from c3d_export.train.logs import LOG_FILE, STATUS_FILE, About, RunLog, StepMeans, read_log
from c3d_export.train.runs import list_runs, read_run

ABOUT = About("game-small", "train", "small", ("game",), "c3d-export train --resume")

# Tells steps until it is killed.
CHILD = """
import sys, time
from pathlib import Path
from c3d_export.train.logs import About, RunLog
with RunLog(Path(sys.argv[1]), About("game-small", "train", "small", ("game",), "line")) as log:
    log.begin(0, 1 << 30)
    for step in range(1, 1 << 30):
        log.add(step, loss=1.0 / step)
        if step == 20:
            print("go", flush=True)
"""


def _run(folder: Path, first: int, last: int, steps: int) -> None:
    with RunLog(folder, ABOUT) as log:
        log.begin(first, steps)
        for step in range(first + 1, last + 1):
            log.add(step, loss=100.0 / step, bpp=0.5)


def _steps(folder: Path) -> list[int]:
    return [record["step"] for record in read_log(folder / LOG_FILE)]


def test_a_run_tells_its_figures(tmp_path: Path) -> None:
    _run(tmp_path / "run", 0, 3, 3)
    records = read_log(tmp_path / "run" / LOG_FILE)
    assert [(r["step"], r["loss"], r["bpp"]) for r in records] == [
        (1, 100.0, 0.5),
        (2, 50.0, 0.5),
        (3, pytest.approx(100 / 3), 0.5),
    ]
    assert all(r["steps_per_second"] > 0 and r["time"] > 1.7e9 for r in records)
    assert records[0]["seconds"] <= records[2]["seconds"]
    run = read_run(tmp_path / "run")
    assert run is not None
    assert (run.state, run.step, run.steps, run.games) == ("finished", 3, 3, ("game",))
    assert not run.goes_on


def test_numbers_that_are_none_are_null(tmp_path: Path) -> None:
    with RunLog(tmp_path, ABOUT) as log:
        log.begin(0, 1)
        log.add(1, loss=float("nan"), bpp=float("inf"))
    (record,) = read_log(tmp_path / LOG_FILE)
    assert (record["loss"], record["bpp"]) == (None, None)


def test_a_torn_line_is_cut_and_no_step_stands_twice(tmp_path: Path) -> None:
    _run(tmp_path, 0, 8, 10)
    path = tmp_path / LOG_FILE
    path.write_bytes(path.read_bytes() + b'{"step": 9, "lo')
    assert _steps(tmp_path) == list(range(1, 9))
    before = read_log(path)[5]["seconds"]
    _run(tmp_path, 6, 10, 10)  # the checkpoint was of step 6
    assert _steps(tmp_path) == list(range(1, 11))
    assert read_log(path)[9]["seconds"] >= before
    assert b'"lo\n' not in path.read_bytes()


def test_a_line_of_something_else_ends_what_is_read(tmp_path: Path) -> None:
    _run(tmp_path, 0, 3, 3)
    path = tmp_path / LOG_FILE
    for foreign in (b"\xff\xfe\n", b"[1]\n", b'{"step": "4"}\n', b"{}\n"):
        path.write_bytes(path.read_bytes() + foreign)
        assert _steps(tmp_path) == [1, 2, 3]
        _run(tmp_path, 3, 3, 3)
        assert foreign not in path.read_bytes()


def test_a_new_run_begins_a_new_log(tmp_path: Path) -> None:
    _run(tmp_path, 0, 3, 3)
    _run(tmp_path, 0, 2, 2)
    assert _steps(tmp_path) == [1, 2]


@pytest.mark.parametrize(
    ("error", "state", "why"),
    [(KeyboardInterrupt(), "interrupted", ""), (ValueError("a\nb"), "failed", "a b")],
)
def test_how_a_run_ended(tmp_path: Path, error: BaseException, state: str, why: str) -> None:
    def fail() -> None:
        with RunLog(tmp_path, ABOUT) as log:
            log.begin(0, 5)
            log.add(1, loss=1.0)
            raise error

    with pytest.raises(type(error)):
        fail()
    run = read_run(tmp_path)
    assert run is not None
    assert (run.state, run.error, run.goes_on) == (state, why, False)
    (tmp_path / "checkpoint.safetensors").touch()
    run = read_run(tmp_path)
    assert run is not None
    assert run.goes_on


def test_a_run_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    with RunLog(tmp_path / "run", ABOUT) as log:
        log.add(1, loss=1.0)
    assert not (tmp_path / "run").exists()
    with RunLog(tmp_path / "run", ABOUT, silent=True) as log:
        log.begin(0, 5)
        log.add(1, loss=1.0)
    assert not (tmp_path / "run").exists()


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with RunLog(tmp_path, ABOUT) as log:
        log.begin(0, 5)
        run = read_run(tmp_path)
        assert run is not None
        assert run.state == "running"
        with pytest.raises(BusyError, match="another process trains in"), RunLog(tmp_path, ABOUT):
            pass
    _run(tmp_path, 0, 1, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_kill_leaves_whole_lines_and_no_lock(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout as lines:
        assert lines.readline() == "go\n"
        run = read_run(tmp_path)
        assert run is not None
        assert run.state == "running"
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=30)
    run = read_run(tmp_path)
    assert run is not None
    assert run.state == "interrupted"
    steps = _steps(tmp_path)
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= 20
    _run(tmp_path, 10, 12, 12)
    assert _steps(tmp_path) == list(range(1, 13))


def test_a_full_disk_ends_the_log_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def torn(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: len(data) // 2])

    with RunLog(tmp_path, ABOUT) as log:
        log.begin(0, 3)
        log.add(1, loss=1.0)
        monkeypatch.setattr(logs.os, "write", torn)
        log.add(2, loss=1.0)
        monkeypatch.undo()
        log.add(3, loss=1.0)
    assert _steps(tmp_path) == [1, 3]


def test_means_of_steps(tmp_path: Path) -> None:
    with RunLog(tmp_path, ABOUT) as log:
        log.begin(0, 7)
        means = StepMeans(log, 7, 3)
        for step in range(1, 8):
            means.add(step, loss=float(step), learning_rate=0.5 / step)
    told = [(r["step"], r["loss"], r["learning_rate"]) for r in read_log(tmp_path / LOG_FILE)]
    assert told == [(3, 2.0, 0.5 / 3), (6, 5.0, 0.5 / 6), (7, 7.0, 0.5 / 7)]


def test_means_where_the_objective_changes_between_two_reports(tmp_path: Path) -> None:
    with RunLog(tmp_path, ABOUT) as log:
        log.begin(0, 6)
        means = StepMeans(log, 6, 3)
        for step in range(1, 7):
            quality = {"psnr": 30.0 + step} if step <= 1 else {"ms_ssim": 0.96}
            means.add(step, bpp=float(step), learning_rate=0.5, **quality)
    first, second = read_log(tmp_path / LOG_FILE)
    assert (first["bpp"], first["psnr"], first["ms_ssim"]) == (2.0, 31.0, 0.96)
    assert (second["bpp"], second["ms_ssim"]) == (5.0, pytest.approx(0.96))
    assert "psnr" not in second


def test_other_folders_among_the_runs(tmp_path: Path) -> None:
    _run(tmp_path / "whole", 0, 2, 2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a_file").write_text("no run")
    broken = tmp_path / "broken"
    broken.mkdir()
    for text in ("", "{", "[]", '{"state": 5, "steps": "x", "games": 3, "begun": []}', "\0"):
        (broken / STATUS_FILE).write_text(text)
        found, foreign = list_runs(tmp_path)
        assert [(run.name, run.state) for run in found] == [
            ("whole", "finished"),
            ("broken", "broken"),
        ]
        assert [path.name for path in foreign] == ["empty"]
    assert list_runs(tmp_path / "none") == ([], [])


def test_a_record_of_other_types(tmp_path: Path) -> None:
    _run(tmp_path, 0, 2, 2)
    (tmp_path / LOG_FILE).write_text('{"step": 1, "seconds": null, "time": "x", "loss": []}\n')
    run = read_run(tmp_path)
    assert run is not None
    assert (run.step, run.seconds) == (1, 0.0)
    _run(tmp_path, 1, 2, 2)
    assert _steps(tmp_path) == [1, 2]


# What TensorBoard reads: lengths, data and their masked CRC-32C.
def _frames(path: Path) -> Iterator[bytes]:
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        assert struct.unpack_from("<I", data, at + 8)[0] == _masked(data[at : at + 8])
        body = data[at + 12 : at + 12 + length]
        assert struct.unpack_from("<I", data, at + 12 + length)[0] == _masked(body)
        yield body
        at += length + 16


def _masked(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_events_are_framed_for_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    _run(tmp_path, 0, 3, 3)
    (path,) = tmp_path.glob(f"{PREFIX}*")
    assert len(list(_frames(path))) == 4  # the version and three reports


def test_tensorboard_reads_a_run_that_was_resumed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    if importlib.util.find_spec("tensorboard") is None:
        pytest.skip("tensorboard is not installed")
    code = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
print(json.dumps({tag: [(e.step, e.value) for e in events.Scalars(tag)]
                  for tag in events.Tags()["scalars"]}))
"""
    _run(tmp_path, 0, 5, 8)
    _run(tmp_path, 3, 8, 8)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert [step for step, _ in read["loss"]] == list(range(1, 9))
    assert [value for _, value in read["loss"]] == pytest.approx([100 / s for s in range(1, 9)])
    assert set(read) == {"loss", "bpp", "steps_per_second"}


def test_without_tensorboardx_there_are_json_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setitem(sys.modules, "tensorboardX.proto", None)
    _run(tmp_path, 0, 3, 3)
    assert _steps(tmp_path) == [1, 2, 3]
    assert not list(tmp_path.glob(f"{PREFIX}*"))
