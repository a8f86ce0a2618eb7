"""The switches of the allocator take effect where there are any."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# An array made and freed again and again: the kernel gives its pages once, or each
# time. In a process of its own, since the switches cannot be put back.
CODE = """
import ctypes, resource, sys
from c3d_export.core.heap import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else False
for _ in range(20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * (64 << 20)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(kept, faults)
"""


def _run(mode: str) -> tuple[bool, int]:
    command = [sys.executable, "-c", CODE, mode]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no switch")
def test_freed_memory_is_used_again() -> None:
    kept, faults = _run("keep")
    assert kept
    assert faults < 100
    assert _run("leave")[1] > 1000
