"""Why no frame came: what was seen of the program while it ran, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from c3d_export.data.capture import processes
from c3d_export.data.capture.receiver import Receiver

PRELOADED: Final = "preload.so"
"""What the library is called in the folder that a program loads it from."""

_OPENGL: Final = ("libGL.so", "libGLX.so", "libEGL.so", "libOpenGL.so")
_VULKAN: Final = ("libvulkan.so",)
_SCREEN: Final = "capture what it shows on the display: --display new"


class Findings:
    """Laws: everything is about processes that lived when `look` was called."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.opengl = False
        self.vulkan = False
        self.preloaded = False

    def look(self, pids: Iterable[int]) -> None:
        """Adds what these processes have loaded."""
        for pid in pids:
            names = processes.libraries(pid)
            self.opengl |= any(name.startswith(_OPENGL) for name in names)
            self.vulkan |= any(name.startswith(_VULKAN) for name in names)
            self.preloaded |= PRELOADED in names
            kind = processes.kind_of(Path(f"/proc/{pid}/exe"))
            self.kinds |= {kind} if kind else set()

    def why_nothing(self, receiver: Receiver) -> str:
        """What kept frames from coming, and what to do, of a program that ran for a while."""
        swaps = max((sender.swaps for sender in receiver.senders), default=0)
        if receiver.faults:
            return receiver.faults[-1]
        if swaps:
            why = "within the warm-up, or of a window that changes its size"
            return f"it showed frames, all {why}; lower --warmup"
        if receiver.senders:
            return "it showed one frame and no more; see what it waits for"
        if cause := self.cause():
            return cause
        if not self.preloaded:
            return f"it did not load the library that takes frames; {_SCREEN}"
        if not self.opengl:
            return f"it never loaded OpenGL; if it draws otherwise, {_SCREEN}"
        return f"it loaded OpenGL and never finished a frame; see what it waits for, or {_SCREEN}"

    def cause(self) -> str:
        """What keeps a program of this kind from being captured; nothing where it is not that."""
        if self.vulkan and not self.opengl:
            return f"it draws with Vulkan; have it use OpenGL, or {_SCREEN}"
        for kind in sorted(self.kinds & {"32-bit", "static"}):
            return f"it is a {kind} program, which loads no library of ours; {_SCREEN}"
        return ""
