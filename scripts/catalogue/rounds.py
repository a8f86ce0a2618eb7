"""Rounds: every chosen network once, several at a time, each behind those that it needs.

A round that was cut goes on with what it began with: the bundles that were there, the frames, the
options. Another begins when it is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from c3d_export.core.digest import sha256_file
from c3d_export.core.errors import C3DError, OptionError
from catalogue.family import family_of_bundle, family_of_size
from catalogue.frames import Frames
from catalogue.ledger import Json, key_of, read, write
from catalogue.options import Training
from catalogue.tree import Network, choose, makespan, needs, tree

FAILED: Final = "failed"


@dataclass(frozen=True)
class Round:
    """One pass over the networks. own: digests of the bundles that it began with, by name.

    continued: names of those that go on from their own bundle.
    minutes: of training for one part (`Network.weight`); None where steps are given.
    """

    folder: Path
    networks: tuple[Network, ...]
    own: Mapping[str, str]
    continued: frozenset[str]
    waits: Mapping[str, set[str]]
    minutes: float | None

    @property
    def number(self) -> int:
        return int(self.folder.name)

    def minutes_of(self, network: Network) -> float | None:
        return None if self.minutes is None else round(self.minutes * network.weight, 3)

    def finish(self, outcomes: Mapping[str, Json]) -> None:
        write(self.folder / "done.json", dict(outcomes))


def open_round(
    state: Path, training: Training, exported: Path, frames: Frames, jobs: int, *, anew: bool
) -> Round:
    """The round that is unfinished, else a new one.

    anew: an unfinished one is dropped. Raises OptionError where it was begun with other options or
    frames.
    """
    planned(training)  # refuses what cannot be before anything is read or written
    folder = _unfinished(state)
    facts = frames.facts(training.games, ("train", "validation"))
    wanted = {"training": training.to_json(), "frames": facts}
    if folder is not None and anew:
        write(folder / "done.json", {"dropped": True})
        folder = None
    if folder is None:
        begun = {**wanted, **_begin(training, exported, jobs)}
        folder = state / "rounds" / f"{_last(state) + 1:04}"
        write(folder / "plan.json", begun)
    begun = read(folder / "plan.json")
    if key_of({key: begun[key] for key in wanted}) != key_of(wanted):
        what = "options" if begun["training"] != wanted["training"] else "frames"
        raise OptionError(
            f"round {int(folder.name)} is unfinished and was begun with other {what}: give the"
            f" same again (they are in {folder / 'plan.json'}), or drop it with --new-round"
        )
    return _round(folder, training, begun)


def _rounds(state: Path) -> list[Path]:
    return sorted(path.parent for path in state.glob("rounds/*/plan.json"))


def _last(state: Path) -> int:
    rounds = _rounds(state)
    return int(rounds[-1].name) if rounds else 0


def _unfinished(state: Path) -> Path | None:
    open_ones = [path for path in _rounds(state) if not (path / "done.json").is_file()]
    return open_ones[-1] if open_ones else None


def planned(training: Training) -> tuple[Network, ...]:
    """Raises OptionError for unknown sizes and names."""
    networks = tree(training.games, training.sizes, training.derive)
    return tuple(choose(networks, training.only))


def own_bundles(networks: Sequence[Network], exported: Path) -> dict[str, str]:
    """Network -> digest of its bundle, of those that have one."""
    paths = {network.name: exported / f"{network.name}.c3b" for network in networks}
    return {name: sha256_file(path) for name, path in paths.items() if path.is_file()}


def continued_of(networks: Sequence[Network], exported: Path, training: Training) -> list[str]:
    """Names of the networks that go on from their own bundle: those of today's family."""
    if training.fresh:
        return []
    paths = {network: exported / f"{network.name}.c3b" for network in networks}
    return [
        network.name
        for network, path in paths.items()
        if path.is_file() and family_of_bundle(path) == family_of_size(network.size)
    ]


def _begin(training: Training, exported: Path, jobs: int) -> Json:
    networks = planned(training)
    own = own_bundles(networks, exported)
    continued = continued_of(networks, exported, training)
    minutes = training.minutes
    if minutes is not None:
        weights = {network.name: float(network.weight) for network in networks}
        waits = needs(networks, continued, teachers=training.teacher)
        minutes /= makespan(weights, waits, jobs)
    return {"own": own, "continued": continued, "minutes_of_one_part": minutes}


def _round(folder: Path, training: Training, begun: Json) -> Round:
    networks = planned(training)
    continued = frozenset(begun["continued"])
    waits = needs(networks, continued, teachers=training.teacher)
    minutes = begun["minutes_of_one_part"]
    return Round(folder, networks, begun["own"], continued, waits, minutes)


def run_all(
    names: Sequence[str],
    waits: Mapping[str, set[str]],
    job: Callable[[str], Json],
    jobs: int,
    told: Callable[[str, Json], None],
) -> dict[str, Json]:
    """Runs a job for every name, `jobs` at a time, each behind those that it waits for.

    told: called with each outcome as it comes. A job that raises C3DError has failed; the others
    go on, also those that waited for it: it is for them to see what they lack.
    """
    waiting, outcomes = list(names), dict[str, Json]()
    running: dict[Future[Json], str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            ready = [name for name in waiting if waits[name] <= outcomes.keys()]
            for name in ready[: jobs - len(running)]:
                waiting.remove(name)
                running[pool.submit(job, name)] = name
            if not running:
                raise OptionError(f"{', '.join(waiting)} wait for one another")
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                outcomes[name] = _outcome(future)
                told(name, outcomes[name])
    return outcomes


def _outcome(future: Future[Json]) -> Json:
    try:
        return future.result()
    except C3DError as error:
        return {"outcome": FAILED, "reason": str(error), "exit_code": error.exit_code}
