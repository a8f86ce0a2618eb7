"""A host that opens what it is sent, in a process of its own: `python host.py` and lines on stdin.

A line is `open PATH` (as a host opens a codec) or `read PATH` (the same up to sessions). The answer
is a line of JSON: the error, its exit code and message, CPU seconds, peak memory in bytes above
what the process had, and what the attempt did besides reading that file. 256 MiB of address space
is all that the process can add, and it may write no byte to any file.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from c3d_export.core.errors import C3DError
from c3d_export.runtime import policy
from c3d_export.runtime.codec import open_codec

MEMORY = 256 << 20
WATCHED = ("os.", "shutil.", "subprocess.", "socket.", "pickle.", "ctypes.", "tempfile.", "mmap.")
HARMLESS = {"os.listdir", "os.scandir", "os.putenv"}

deeds: list[str] = []
allowed: set[str] = set()
watching = False


def watch(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook: PEP 578. Python has no way to take one away."""
    if not watching:
        return
    if event == "open":
        path = str(args[0])
        is_code = path.endswith((".py", ".pyc", ".so")) and path.startswith((sys.prefix, *sys.path))
        if path not in allowed and not is_code:
            deeds.append(f"open {path}")
    elif event.startswith(WATCHED) and event not in HARMLESS:
        deeds.append(f"{event} {args!r:.100}")


def memory(field: str) -> int:
    """VmSize, VmRSS or VmHWM in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def limit() -> None:
    size = memory("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    # A file may still be made, and then the test sees it; nothing can be put into it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def forget_peak() -> None:
    """The high-water mark of memory starts again from what is in use."""
    Path("/proc/self/clear_refs").write_text("5")


def attempt(kind: str, path: str) -> dict[str, Any]:
    global watching
    deeds.clear()
    allowed.clear()
    allowed.update({path, str(policy.policy_path(policy.os.environ))})
    answer: dict[str, Any] = {"error": None, "exit_code": 0, "message": ""}
    forget_peak()
    before, begin = memory("VmRSS"), time.process_time()
    watching = True
    try:
        if kind == "open":
            open_codec(path, threads=1)
        else:
            policy.read_admitted(path)
    except C3DError as error:
        answer = {
            "error": type(error).__name__,
            "exit_code": error.exit_code,
            "message": str(error),
        }
    except BaseException as error:
        answer = {"error": type(error).__name__, "exit_code": 1, "message": repr(error)[:400]}
    watching = False
    return {
        **answer,
        "seconds": time.process_time() - begin,
        "memory": memory("VmHWM") - before,
        "deeds": list(deeds),
        "runtime": "onnxruntime" in sys.modules,
    }


def main() -> None:
    policy.tomllib.loads("")
    sys.addaudithook(watch)
    limit()
    for line in sys.stdin:
        kind, path = line.rstrip("\n").split(" ", 1)
        print(json.dumps(attempt(kind, path)), flush=True)


if __name__ == "__main__":
    main()
