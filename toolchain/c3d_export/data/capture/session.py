"""A capture from its start to its end: display, program, receiver, keeper."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from c3d_export.core.atomic import disk_errors
from c3d_export.core.errors import NothingCapturedError
from c3d_export.data.capture.findings import PRELOADED, Findings
from c3d_export.data.capture.keeper import Keeper
from c3d_export.data.capture.options import Options
from c3d_export.data.capture.program import (
    Program,
    check_preloads,
    find_program,
    preload_library,
)
from c3d_export.data.capture.receiver import Receiver
from c3d_export.data.capture.screen import Screen
from c3d_export.data.capture.summary import Status, Summary, Watch
from c3d_export.data.capture.surroundings import display, interruptible, scratch_folder
from c3d_export.data.ffmpeg import find_ffmpeg

LINGER: Final = 10.0
"""Seconds that what a launcher has left behind has to show something, once all others are gone."""

_LOOK_EACH: Final = 0.1
_FINDINGS_EACH: Final = 0.5


def capture(options: Options, env: Mapping[str, str], watch: Watch) -> Summary:
    """Runs a capture to its end; `watch` is called some times a second.

    Raises MissingInputError, OptionError (the program cannot be run or captured),
    LibraryMissingError (Xvfb, ffmpeg or our library is missing), DiskError (with what was kept
    before still there), NothingCapturedError (it ran and no frame came; not where it failed by
    itself: then the summary has its exit code). KeyboardInterrupt, also for SIGTERM, ends the
    program first.
    """
    program = find_program(options.command) if options.command else None
    if options.place.grab:
        find_ffmpeg()
    elif program is not None:
        preload_library()
        check_preloads(program)
    keeper = Keeper(options.target)
    try:
        with interruptible(), scratch_folder() as scratch, display(options.place, env) as shown:
            run = _Run(options, keeper, scratch)
            try:
                run.start(shown)
                run.wait(watch)
            finally:
                run.stop()
    finally:
        keeper.finish()
    if keeper.error is not None:
        raise keeper.error
    return run.summary()


class _Run:
    """What runs while frames are taken."""

    def __init__(self, options: Options, keeper: Keeper, scratch: Path) -> None:
        self.options = options
        self.keeper = keeper
        self.scratch = scratch
        self.receiver: Receiver | None = None
        self.screen: Screen | None = None
        self.program: Program | None = None
        self.findings = Findings()
        self.ended = ""
        self.code: int | None = None
        self.quiet_since = 0.0
        self.started = time.monotonic()
        self.seconds = 0.0
        self.last_line = ""

    def start(self, env: Mapping[str, str]) -> None:
        if self.options.place.grab:
            if self.options.command:
                self._start_program(env)
            self.screen = Screen(env["DISPLAY"], self.options.pace, self.keeper)
            return
        library = self.scratch / PRELOADED
        with disk_errors(library):
            # A copy: a program that runs as somebody else may not read where ours is.
            shutil.copyfile(preload_library(), library)
            library.chmod(0o755)
        self.receiver = Receiver(self.scratch / "socket", self.options.pace, self.keeper)
        before = env.get("LD_PRELOAD", "")
        preloads = f"{library} {before}".strip()
        self._start_program({**env, **self.receiver.environment, "LD_PRELOAD": preloads})

    def _start_program(self, env: Mapping[str, str]) -> None:
        log = self.options.log or self.scratch / "output"
        with disk_errors(log):
            log.touch()
        self.program = Program(self.options.command, env, log)

    def wait(self, watch: Watch) -> None:
        """Until frames, time or the program are at an end."""
        next_look = 0.0
        while not (ended := self._end()):
            now = time.monotonic()
            if self.program is not None and now >= next_look and not self.keeper.kept:
                relatives = self.receiver.relatives() if self.receiver else ()
                self.findings.look({*self.program.pids, *relatives})
                next_look = now + _FINDINGS_EACH
            watch(self.status())
            self.keeper.full.wait(_LOOK_EACH)
        self.ended = ended
        if self.options.keep_running and ended == "count":
            self._let_run(watch)
        watch(self.status())

    def _end(self) -> str:
        """Why the capture is over, or nothing."""
        if self.keeper.full.is_set():
            return "error" if self.keeper.error else "count"
        if time.monotonic() - self.started > self.options.timeout:
            return "timeout"
        if self.screen is not None and not self.screen.running:
            return "display"
        return "program" if self._program_is_over() else ""

    def _program_is_over(self) -> bool:
        """A launcher may end before what it has started, which need not be connected yet."""
        if self.program is None or self.program.code is None:
            return False
        if self.receiver is None:
            return True
        if self.receiver.active:
            self.quiet_since = 0.0
            return False
        if not self.program.pids and (self.program.code or not self.receiver.relatives()):
            return True
        self.quiet_since = self.quiet_since or time.monotonic()
        return bool(self.receiver.senders) and time.monotonic() - self.quiet_since > LINGER

    def _let_run(self, watch: Watch) -> None:
        """Takes no more frames, and waits for the program."""
        self._close_sources()
        while self.program is not None and (
            self.program.code is None or self.program.pids or self._living_senders()
        ):
            if time.monotonic() - self.started > self.options.timeout:
                return
            watch(self.status())
            time.sleep(_LOOK_EACH)

    def stop(self) -> None:
        """Ends everything that still runs; nothing is offered to the keeper afterwards."""
        self.seconds = time.monotonic() - self.started
        if self.program is not None:
            self.code = self.program.code
            others = self._living_senders()
            self._close_sources()
            self.program.end(others)
            self.last_line = self.program.last_line()
        self._close_sources()

    def _living_senders(self) -> set[int]:
        """Processes that have sent frames, in whatever session they are now."""
        if self.receiver is None:
            return set()
        connected = {sender.pid for sender in self.receiver.active}
        return connected | self.receiver.relatives() & {s.pid for s in self.receiver.senders}

    def _close_sources(self) -> None:
        if self.receiver is not None:
            self.receiver.close()
        if self.screen is not None:
            self.screen.close()

    def status(self) -> Status:
        keeper = self.keeper
        active = [] if self.receiver is None else self.receiver.active
        fps = max((sender.fps for sender in active), default=0.0)
        return Status(len(keeper.kept), keeper.duplicates, keeper.bytes, fps, self._phase())

    def _phase(self) -> str:
        if self.keeper.full.is_set():
            return "waiting for the program" if self.options.keep_running else "ending"
        if self.keeper.kept:
            return "capturing"
        showing = self.screen is not None or (self.receiver and self.receiver.senders)
        return "warming up" if showing else "waiting for a frame"

    def summary(self) -> Summary:
        """Raises NothingCapturedError; see `capture`."""
        keeper, senders = self.keeper, self.receiver.senders if self.receiver else []
        if not keeper.kept and not self.code:
            raise NothingCapturedError(self.why_nothing())
        busiest = max(senders, key=lambda sender: sender.swaps, default=None)
        grabbed = self.screen.frames if self.screen else 0
        return Summary(
            files=tuple(keeper.kept),
            received=sum(sender.frames for sender in senders) or grabbed,
            duplicates=keeper.duplicates,
            bytes=keeper.bytes,
            sizes=tuple(Counter(keeper.sizes).most_common()),
            seconds=round(self.seconds, 3),
            program_frames=busiest.swaps if busiest else 0,
            program_fps=round(busiest.fps, 3) if busiest else 0.0,
            ended=self.ended,
            program_exit=self.code,
            program_said=self.last_line,
            faults=self._faults(),
        )

    def _faults(self) -> tuple[str, ...]:
        if self.screen is not None and self.ended == "display":
            return (f"no more frames of the display: {self.screen.error}",)
        return tuple(self.receiver.faults) if self.receiver else ()

    def why_nothing(self) -> str:
        """One line: what was seen, and what to do."""
        if self.screen is not None:
            return f"no frame of the display: {self.screen.error or 'none came in time'}; check it"
        assert self.program is not None
        assert self.receiver is not None
        name = self.program.name
        if self.ended == "program" and not self.receiver.senders:
            said = f": {self.last_line}" if self.last_line else ""
            advice = self.findings.cause() or "see what it needs to stay, such as an option"
            when = f"{name} ended after {self.seconds:.1f} s with exit code {self.code}"
            return f"{when}, before it showed a frame{said}; {advice}"
        return f"no frame of {name}: {self.findings.why_nothing(self.receiver)}"
