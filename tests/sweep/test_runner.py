"""The run of a sweep: stages in order, failures kept apart, nothing run twice, nothing left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core.errors import BusyError, OptionError, PartialFailureError, SweepStateError
from c3d_export.core.locks import open_locked
from c3d_export.sweep.folder import hold, last_line
from c3d_export.sweep.runner import LOST
from c3d_export.sweep.state import Stage, TaskState, fresh, restore, save

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")

# A sweep in a process of its own: folder, program, number of tasks that sleep.
DRIVER = """
import json, sys
from pathlib import Path
from c3d_export.sweep.executors import LocalExecutor
from c3d_export.sweep.folder import hold
from c3d_export.sweep.runner import Rules, Sweep
from c3d_export.sweep.state import Stage, fresh

here, program = Path(sys.argv[1]), tuple(json.loads(sys.argv[2]))
tasks = [fresh(name, {}, [Stage("s0", (act, name))]) for act, name in json.loads(sys.argv[3])]
with hold(here / "sweep") as token:
    rules = Rules(0, 0.1, {"ACTS": str(here)}, program)
    Sweep(tasks, here / "sweep", token, LocalExecutor(), rules).run(2, lambda task: None)
"""


def _states(tasks: list[TaskState]) -> dict[str, str]:
    return {task.name: task.state for task in tasks}


def _wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that is dead, and that nobody has asked for its status yet, is no process any more.
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]


def test_stages_one_behind_the_other(make, acts) -> None:  # type: ignore[no-untyped-def]
    tasks = {"a": ["ok a1", "ok a2", "ok a3"], "b": ["ok b1"]}
    told = []
    with make(tasks) as (sweep, states):
        sweep.run(2, lambda task: told.append((task.name, task.state)))
        sweep.require_all()
    assert _states(states) == {"a": "done", "b": "done"}
    assert [line for line in acts() if " a" in line] == ["ok a1", "ok a2", "ok a3"]
    assert told.count(("a", "running")) == 3
    assert [entry.attempts for entry in states[0].progress] == [1, 1, 1]
    assert all(entry.seconds > 0 for entry in states[0].progress)


def test_a_failure_stands_with_its_reason_and_holds_up_nothing_else(make, acts) -> None:  # type: ignore[no-untyped-def]
    tasks = {"bad": ["ok bad0", "fail bad1", "ok bad2"], "good": ["ok good0", "ok good1"]}
    with make(tasks) as (sweep, states):
        sweep.run(1, lambda task: None)
        with pytest.raises(PartialFailureError, match="1 of 2 tasks failed: bad; the reasons"):
            sweep.require_all()
        bad = states[0]
        assert (bad.state, bad.now.error, bad.now.status) == ("failed", "bad1 went wrong", 1)
        assert sweep.log(bad, bad.index).read_text().splitlines()[0] == "a line before"
    assert states[1].state == "done"
    assert "ok bad2" not in acts()


def test_what_fails_is_tried_again_but_wrong_usage_is_not(make, acts) -> None:  # type: ignore[no-untyped-def]
    tasks = {"a": ["flaky a"], "b": ["fail b"], "c": ["refuse c"]}
    with make(tasks, retries=2) as (sweep, states):
        sweep.run(3, lambda task: None)
    assert _states(states) == {"a": "done", "b": "failed", "c": "failed"}
    assert [task.now.attempts for task in states] == [2, 3, 1]
    assert [acts().count(line) for line in ("flaky a", "fail b", "refuse c")] == [2, 3, 1]


def test_a_retry_waits(make) -> None:  # type: ignore[no-untyped-def]
    begun = []
    with make({"b": ["fail b"]}, retries=2) as (sweep, _):
        sweep.rules = type(sweep.rules)(2, 0.8, sweep.rules.env, sweep.rules.program)
        sweep.run(1, lambda task: begun.append((task.state, time.monotonic())))
    starts = [when for state, when in begun if state == "running"]
    ends = [when for state, when in begun if state != "running"]
    assert starts[1] - ends[0] >= 0.8
    assert starts[2] - ends[1] >= 1.6


def test_a_sweep_goes_on_where_it_was(make, acts) -> None:  # type: ignore[no-untyped-def]
    tasks = {"a": ["ok a1", "flaky a2", "ok a3"], "b": ["ok b1"]}
    with make(tasks) as (sweep, states):
        sweep.run(1, lambda task: None)
    assert _states(states) == {"a": "failed", "b": "done"}
    with make(tasks, resume=True) as (sweep, states):
        sweep.run(1, lambda task: None)
        sweep.require_all()
    assert acts() == ["ok a1", "flaky a2", "ok b1", "flaky a2", "ok a3"]
    assert [entry.attempts for entry in states[0].progress] == [1, 2, 1]


def test_of_a_changed_table_only_what_changed_runs(make, acts, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with make({"a": ["ok a1", "ok a2", "ok a3"], "b": ["ok b"], "c": ["ok c"]}) as (sweep, _):
        sweep.run(1, lambda task: None)
    before = len(acts())
    changed = {"a": ["ok a1", "ok other", "ok a3"], "c": ["ok c"], "d": ["ok d"]}
    with make(changed, resume=True) as (sweep, states):
        sweep.run(1, lambda task: None)
    assert sorted(acts()[before:]) == ["ok a3", "ok d", "ok other"]
    assert _states(states) == {"a": "done", "c": "done", "d": "done"}
    logs = {path.name for path in (tmp_path / "sweep" / "logs").glob("a.*.log")}
    assert logs == {"a.s0.1.log", "a.s1.1.log", "a.s1.2.log", "a.s2.1.log", "a.s2.2.log"}
    noted = json.loads((tmp_path / "sweep" / "state.json").read_text())
    assert set(noted["tasks"]) == {"a", "c", "d"}


def test_a_process_that_vanishes_is_a_failure(make) -> None:  # type: ignore[no-untyped-def]
    with make({"a": ["vanish a"], "b": ["ok b"]}) as (sweep, states):
        sweep.run(2, lambda task: None)
    assert (states[0].state, states[0].now.error) == ("failed", LOST)
    assert states[1].state == "done"


def test_a_training_goes_on_from_its_checkpoint(make, acts, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = tmp_path / "run"
    run.mkdir()
    stage = Stage("train", ("flaky", "a"), ("flaky", "a", "--resume"), run)
    with make({}, retries=1, stages={"a": [stage]}) as (sweep, _):

        def told(task: TaskState) -> None:
            (run / "checkpoint.safetensors").touch()

        sweep.run(1, told)
    assert acts() == ["flaky a", "flaky a --resume"]
    changed = Stage("train", ("ok", "b"), ("ok", "b", "--resume"), run)
    with make({}, resume=True, stages={"a": [changed]}) as (sweep, _):
        sweep.run(1, told)
    assert acts()[2:] == ["ok b"]  # the checkpoint is not its own


def test_a_checkpoint_from_before_the_sweep_is_not_gone_on_with(  # type: ignore[no-untyped-def]
    make, acts, tmp_path: Path
) -> None:
    """Not even at a second attempt: it is of other options."""
    run = tmp_path / "run"
    run.mkdir()
    checkpoint = run / "checkpoint.safetensors"
    checkpoint.touch()
    os.utime(checkpoint, (time.time() - 5, time.time() - 5))
    stage = Stage("train", ("flaky", "a"), ("flaky", "a", "--resume"), run)
    with make({}, retries=1, stages={"a": [stage]}) as (sweep, _):
        sweep.run(1, lambda _: None)
    assert acts() == ["flaky a", "flaky a"]


def test_a_training_waits_for_the_process_that_is_at_it(make, acts, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = tmp_path / "run"
    run.mkdir()
    lock = open_locked(run / "log.jsonl", "busy")
    stage = Stage("train", ("ok", "a"), ("ok", "a"), run)
    with make({"b": ["ok b"]}, stages={"a": [stage]}) as (sweep, states):

        def told(task: TaskState) -> None:
            if task.name == "b" and task.state == "done":
                assert acts() == ["ok b"]
                os.close(lock)

        sweep.run(2, told)
    assert _states(states) == {"a": "done", "b": "done"}


def test_two_sweeps_of_one_table(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    busy = pytest.raises(BusyError, match="another sweep is at work")
    with make({"a": ["ok a"]}), busy, hold(tmp_path / "sweep"):
        pass


def test_an_interrupt_ends_the_commands(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tasks = {"a": ["sleep a"], "b": ["sleep b"], "c": ["ok c"]}

    def interrupt() -> None:
        _wait_for(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    with make(tasks) as (sweep, states):
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            sweep.run(2, lambda task: None)
    assert [(tmp_path / name).read_text() for name in "ab"] == ["interrupted"] * 2
    assert _states(states) == {"a": "waiting", "b": "waiting", "c": "waiting"}


def test_a_sweep_that_is_killed_takes_its_commands_along(
    make,
    acts,
    program: tuple[str, ...],
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    tasks = [["ok", "first"], ["sleep", "a"], ["sleep", "b"]]
    child = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path), json.dumps(program), json.dumps(tasks)]
    )
    _wait_for(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    time.sleep(0.2)
    pids = [int((tmp_path / name).read_text()) for name in "ab"]
    child.kill()
    child.wait(timeout=30)
    with hold(tmp_path / "sweep"):  # another one, at once, is not the one that they look for
        _wait_for(lambda: not any(map(_alive, pids)))
    assert [(tmp_path / name).read_text() for name in "ab"] == ["interrupted"] * 2
    again = {"first": ["ok first"], "a": ["sleep a"], "b": ["ok b"]}
    with make(again, resume=True) as (sweep, states):
        assert _states(states) == {"first": "done", "a": "running", "b": "waiting"}
        threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            sweep.run(2, lambda task: None)
    assert acts().count("ok first") == 1
    assert acts().count("sleep a") == 2


def test_what_ended_while_nobody_looked_is_not_run_again(make, acts, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with make({"a": ["ok a"], "b": ["ok b"]}) as (sweep, states):
        for task in states:
            task.now.state, task.now.attempts = "running", 1
            sweep.log(task, 0).with_suffix(".done").write_text("0\n" if task.name == "a" else "1\n")
        save(tmp_path / "sweep" / "state.json", states)
    with make({"a": ["ok a"], "b": ["ok b"]}, resume=True) as (sweep, states):
        sweep.run(1, lambda task: None)
    assert acts() == ["ok b"]
    assert _states(states) == {"a": "done", "b": "done"}


def test_a_job_of_a_cluster_is_looked_for_there(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with make({"a": ["ok a"]}) as (_, states):
        states[0].now.state, states[0].now.attempts, states[0].now.job = "running", 1, "slurm:7"
        save(tmp_path / "sweep" / "state.json", states)
    refused = pytest.raises(OptionError, match="a runs as job slurm:7; go on with --on slurm")
    with make({"a": ["ok a"]}, resume=True) as (sweep, _), refused:
        sweep.run(1, lambda task: None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 2, "tasks": {}}',
        '{"format": 1, "tasks": []}',
        '{"format": 1, "tasks": {"a": [{}]}}',
        '{"format": 1, "tasks": {"a": 3}}',
        '{"format": 1, "tasks": {"a": [{"attempts": "x"}]}}',
    ],
)
def test_a_state_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(SweepStateError, match="remove its folder to begin anew"):
        restore(path, [fresh("a", {}, [Stage("s", ("ok",))])])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"", ""),
        (b"one\nerror: two\n\n", "two"),
        (b"\xff\n" + b"x" * 9000 + b"\nlast  word", "last word"),
    ],
)
def test_the_last_line(tmp_path: Path, text: bytes, line: str) -> None:
    (tmp_path / "log").write_bytes(text)
    assert last_line(tmp_path / "log") == line
    assert last_line(tmp_path / "none") == ""
