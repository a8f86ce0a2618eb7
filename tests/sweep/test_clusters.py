"""submitit here and on Slurm, whose commands are played by scripts that run the jobs; dask."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from c3d_export.core.errors import LibraryMissingError, OptionError
from c3d_export.sweep import clusters, executors
from c3d_export.sweep.executors import Place, make_executor, parse_place, threads_each
from c3d_export.sweep.table import Slurm

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")

SCRIPTS = {
    # Keeps the script and runs it in the background, as a job of its own.
    "sbatch": """
for script; do :; done
id=$(cat "$FAKE/next"); echo $((id + 1)) >"$FAKE/next"
cp "$script" "$FAKE/$id.sh"
SLURM_JOB_ID=$id SLURM_NTASKS=1 SLURM_JOB_NUM_NODES=1 SLURM_NODEID=0 SLURM_PROCID=0 \\
    SLURM_LOCALID=0 SLURM_JOB_NODELIST=node1 setsid bash "$FAKE/$id.sh" >/dev/null 2>&1 &
echo $! >"$FAKE/$id.pid"
echo "Submitted batch job $id"
""",
    "srun": """
while :; do
    case $1 in
        --output) out=$2; shift 2 ;;
        --error) shift 2 ;;
        --*) shift ;;
        *) break ;;
    esac
done
exec "$@" >"$FAKE/srun.$SLURM_JOB_ID" 2>&1
""",
    "sacct": """
echo "JobID|State|NodeList"
for word; do
    [ -f "$FAKE/$word.pid" ] || continue
    state=COMPLETED; kill -0 "$(cat "$FAKE/$word.pid")" 2>/dev/null && state=RUNNING
    echo "$word|$state|node1"
done
""",
    "scancel": """
echo "$1" >>"$FAKE/cancelled"
kill -TERM -- "-$(cat "$FAKE/$1.pid")"
""",
}

DRIVER = """
import json, sys
from pathlib import Path
from c3d_export.sweep.executors import Place, make_executor
from c3d_export.sweep.folder import hold
from c3d_export.sweep.runner import Rules, Sweep
from c3d_export.sweep.state import Stage, fresh
from c3d_export.sweep.table import Slurm

here, program = Path(sys.argv[1]), tuple(json.loads(sys.argv[2]))
tasks = [fresh("a", {}, [Stage("s0", ("wait", "go"))])]
with hold(here / "sweep") as token:
    executor = make_executor(Place("slurm", 9), here / "sweep" / "jobs", Slurm())
    rules = Rules(0, 0.1, {"ACTS": str(here)}, program)
    Sweep(tasks, here / "sweep", token, executor, rules).run(2, lambda task: None)
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Slurm's commands on the PATH; the folder that they keep their jobs in."""
    pytest.importorskip("submitit")
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in SCRIPTS.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    # submitit remembers the states of jobs by their numbers, over all tests.
    (folder / "next").write_text(f"{time.monotonic_ns() % 10**12}")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(folder))
    return folder


def _wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def _run(make, place: Place, tmp_path: Path, tasks: dict[str, list[str]], **options):  # type: ignore[no-untyped-def]
    asked = Slurm("gpu", 1, 2, 1.5, 90, {"account": "codecs", "exclusive": ""})
    executor = make_executor(place, tmp_path / "sweep" / "jobs", asked)
    try:
        with make(tasks, executor=executor, **options) as (sweep, states):
            sweep.run(place.slots, lambda task: None)
    finally:
        executor.close()
    return {task.name: (task.state, task.now.attempts, task.now.error) for task in states}


TASKS = {"a": ["ok a1", "flaky a2"], "b": ["fail b"], "c": ["ok c"]}
EXPECTED = {
    "a": ("done", 2, ""),
    "b": ("failed", 2, "b went wrong"),
    "c": ("done", 1, ""),
}


def test_jobs_of_submitit_here(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("submitit")
    tasks, expected = {"a": ["flaky a"]}, {"a": ("done", 2, "")}
    assert _run(make, Place("submitit", 2), tmp_path, tasks, retries=1) == expected


def test_jobs_of_slurm(make, slurm: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert _run(make, Place("slurm", 9), tmp_path, TASKS, retries=1) == EXPECTED
    scripts = sorted(slurm.glob("*.sh"))
    assert len(scripts) == 6
    lines = scripts[0].read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    for asked in (
        "--partition=gpu",
        "--gpus-per-node=1",
        "--cpus-per-task=2",
        "--mem=1536MB",
        "--time=90",
        "--account=codecs",
        "--no-requeue",
        "--exclusive",
        "--job-name=a",
    ):
        assert f"#SBATCH {asked}" in lines
    (command,) = [line for line in lines if line.startswith("srun ")]
    assert f"{sys.executable} -u -m submitit.core._submit {tmp_path}/sweep/jobs" in command


def test_jobs_of_slurm_outlive_the_sweep_and_are_found_again(  # type: ignore[no-untyped-def]
    make, acts, slurm: Path, program: tuple[str, ...], tmp_path: Path
) -> None:
    child = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path), json.dumps(program)])
    _wait_for(acts)
    noted = tmp_path / "sweep" / "state.json"
    _wait_for(lambda: json.loads(noted.read_text())["tasks"]["a"][0]["job"])
    child.kill()
    child.wait(timeout=30)
    time.sleep(0.5)

    threading.Timer(2.0, (tmp_path / "go").touch).start()
    found = _run(make, Place("slurm", 9), tmp_path, {"a": ["wait go"]}, resume=True)
    assert found == {"a": ("done", 1, "")}
    assert acts() == ["wait go"]


def test_an_interrupt_cancels_jobs_of_slurm(make, acts, slurm: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    def interrupt() -> None:
        _wait_for((tmp_path / "a").exists)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        _run(make, Place("slurm", 9), tmp_path, {"a": ["sleep a"]})
    assert len((slurm / "cancelled").read_text().split()) == 1
    assert (tmp_path / "a").read_text() == "interrupted"


def test_a_cluster_that_takes_no_job(make, slurm: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (slurm / "sbatch").write_text("#!/bin/sh\necho 'invalid partition' >&2\nexit 1\n")
    ((state, attempts, error),) = _run(
        make, Place("slurm", 9), tmp_path, {"a": ["ok a"]}, retries=1
    ).values()
    assert (state, attempts) == ("failed", 2)
    assert "slurm takes no job" in error
    assert "invalid partition" in error


def test_workers_of_dask(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        place = Place("dask", 1000, cluster.scheduler_address)
        assert _run(make, place, tmp_path, TASKS, retries=1) == EXPECTED


def test_an_interrupt_ends_what_runs_on_dask(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    distributed = pytest.importorskip("distributed")

    def interrupt() -> None:
        _wait_for((tmp_path / "a").exists)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        place = Place("dask", 1000, cluster.scheduler_address)
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            _run(make, place, tmp_path, {"a": ["sleep a"], "b": ["ok b"]})
    assert (tmp_path / "a").read_text() == "interrupted"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("local", Place("local", 6)),
        ("local:3", Place("local", 3)),
        ("submitit:2", Place("submitit", 2)),
        ("slurm", Place("slurm", 1000)),
        ("slurm:8", Place("slurm", 8)),
        ("dask:4", Place("dask", 4)),
        ("dask:tcp://head:8786", Place("dask", 1000, "tcp://head:8786")),
    ],
)
def test_places(text: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "cores", lambda: 6)
    assert parse_place(text) == place
    assert place.here == text.startswith(("local", "submitit", "dask:4"))
    assert threads_each(Place("local", 4)) == 1
    assert threads_each(Place("local", 2)) == 3


@pytest.mark.parametrize("text", ["", "locale", "local:", "local:0", "local:x", "slurm:x", "dask:"])
def test_no_places(text: str) -> None:
    with pytest.raises(OptionError, match="no place"):
        parse_place(text)


def test_libraries_that_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    monkeypatch.setitem(sys.modules, "distributed", None)
    for kind, extra in (("submitit", "sweep"), ("slurm", "sweep"), ("dask", "dask")):
        with pytest.raises(LibraryMissingError, match=rf"pip install 'c3d-export\[{extra}\]'"):
            make_executor(Place(kind, 1), tmp_path, Slurm())


def test_no_slurm_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LibraryMissingError, match="login node"):
        make_executor(Place("slurm", 1), tmp_path, Slurm())


def test_nobody_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(clusters, "_CONNECT_SECONDS", 0.2)
    with pytest.raises(OptionError, match="no dask scheduler answers"):
        make_executor(Place("dask", 1, "tcp://127.0.0.1:1"), tmp_path, Slurm())
