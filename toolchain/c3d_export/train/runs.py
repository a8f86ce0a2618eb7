"""The runs of a workspace, from what they told in their folders (`logs.py`). Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..core import jsonio
from ..core.errors import CheckpointError
from ..core.locks import is_locked
from .logs import (
    CHECKPOINT_FILE,
    FAILED,
    FINISHED,
    LOG_FILE,
    RUNNING,
    STATUS_FILE,
    STOPPED,
    number,
    read_log,
)

INTERRUPTED: Final = "interrupted"
BROKEN: Final = "broken"


@dataclass(frozen=True)
class RunInfo:
    """One run. name: of its folder. state: RUNNING, FINISHED, FAILED, INTERRUPTED (stopped or
    killed), or BROKEN where its status cannot be read. records: of its log, the oldest first.
    began, ended: seconds since 1970, of the process that was last; 0.0 where unknown."""

    folder: Path
    state: str
    kind: str
    model: str
    games: tuple[str, ...]
    steps: int
    began: float
    ended: float
    line: str
    error: str
    records: tuple[dict[str, Any], ...]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def last(self) -> dict[str, Any]:
        """The last report; empty where there is none yet."""
        return self.records[-1] if self.records else {}

    @property
    def step(self) -> int:
        return int(self.last.get("step", 0))

    @property
    def seconds(self) -> float:
        """Of training, all processes of the run together."""
        return number(self.last, "seconds")

    @property
    def when(self) -> float:
        """When the run last gave a sign."""
        return max(self.began, self.ended, number(self.last, "time"))

    @property
    def goes_on(self) -> bool:
        """Whether its line goes on with it; without a checkpoint it begins anew."""
        waits = self.state in (INTERRUPTED, FAILED)
        return waits and (self.folder / CHECKPOINT_FILE).is_file()


def list_runs(folder: Path) -> tuple[list[RunInfo], list[Path]]:
    """The runs in a folder, the last that gave a sign first; and folders that hold no log."""
    try:
        folders = [path for path in folder.iterdir() if path.is_dir()]
    except OSError:
        return [], []
    found = {path: read_run(path) for path in sorted(folders)}
    runs = [run for run in found.values() if run is not None]
    return sorted(runs, key=lambda run: -run.when), [p for p, run in found.items() if run is None]


def read_run(folder: Path) -> RunInfo | None:
    """The run in a folder; None where none has told anything there."""
    log, path = folder / LOG_FILE, folder / STATUS_FILE
    if not (log.is_file() or path.is_file()):
        return None
    status = _status(path)
    return RunInfo(
        folder=folder,
        state=RUNNING if is_locked(log) else _ended(status),
        kind=_text(status, "kind"),
        model=_text(status, "model"),
        games=_games(status),
        steps=int(number(status, "steps")),
        began=number(status, "begun"),
        ended=number(status, "ended"),
        line=_text(status, "line"),
        error=_text(status, "error"),
        records=tuple(read_log(log)),
    )


def _status(path: Path) -> dict[str, Any]:
    try:
        status = jsonio.loads(path.read_bytes(), CheckpointError)
    except (OSError, CheckpointError):
        return {}
    return status if isinstance(status, dict) else {}


def _ended(status: dict[str, Any]) -> str:
    """How a run stands that no process works at."""
    told = status.get("state")
    if told in (FINISHED, FAILED):
        return str(told)
    return INTERRUPTED if told in (RUNNING, STOPPED) else BROKEN


def _text(status: dict[str, Any], key: str) -> str:
    value = status.get(key)
    return value if isinstance(value, str) else ""


def _games(status: dict[str, Any]) -> tuple[str, ...]:
    games = status.get("games")
    return tuple(map(str, games)) if isinstance(games, list) else ()
