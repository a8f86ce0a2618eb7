"""Runs commands of c3d-export in children of its own, and lets them die.

It has imported what the commands need, so that a child spends its time on the command's work and
not on starting, and a time at which it is killed falls into that. A line of JSON on stdin asks for
one child, a line on stdout says how it ended:

    {"call": "command", "args": ["install", ...]}                  [main(args), in this environment]
    {"call": "prepare", "stage": "install", "paths": ["/tmp/..."]} [STAGES[stage].prepare(*paths)]
    {"call": "check", "stage": "install", "paths": ["/tmp/..."]}   [STAGES[stage].check(*paths)]
    + {"after": seconds}     SIGKILL at that time
    + {"at": k}              death at the k-th change of a file (shim.c; needs LD_PRELOAD)
    -> {"status": exit code or minus the signal, "seconds": ..., "calls": changes, "said": output}
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import stages

PAGE = mmap.mmap(-1, mmap.PAGESIZE)
COUNTER = ctypes.c_long.from_buffer(PAGE)


def arm(last: int) -> None:
    """The shim counts from here on."""
    try:
        shim = ctypes.CDLL(None).crash_arm
    except AttributeError:
        if last:
            raise
        return
    shim(ctypes.byref(COUNTER), ctypes.c_long(last))


def work(request: dict[str, Any]) -> int:
    """The child: the exit code of a command, or 0 or 1 of another call."""
    if request["call"] != "command":
        act = getattr(stages.STAGES[request["stage"]], request["call"])
        act(*map(Path, request["paths"]))
        return 0
    from c3d_export.cli.main import main

    arm(request.get("at", 0))
    try:
        main(request["args"], prog_name="c3d-export")
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def child(request: dict[str, Any], log: int) -> None:
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    try:
        code = work(request)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run(request: dict[str, Any]) -> dict[str, Any]:
    COUNTER.value = 0
    with tempfile.TemporaryFile() as log:
        start = time.monotonic()
        pid = os.fork()
        if not pid:
            child(request, log.fileno())
        timer = threading.Timer(request.get("after", 600), os.kill, (pid, signal.SIGKILL))
        timer.start()
        # Not reaped before the timer is off: the number cannot be another process's then.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        seconds = time.monotonic() - start
        timer.cancel()
        timer.join()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        log.seek(0)
        said = log.read()[-2000:].decode("utf-8", "replace")
    return {"status": status, "seconds": seconds, "calls": COUNTER.value, "said": said}


def main() -> None:
    # Two threads of ONNX Runtime would wait for one another where others keep the cores busy.
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
    for name in sys.argv[1:]:
        __import__(name)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
