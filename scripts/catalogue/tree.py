"""Which networks there are, what each starts from, who teaches it, and how long each may train."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from c3d_export.core.errors import OptionError
from c3d_export.data.workspace import check_name
from c3d_export.models.spec import SIZES

GENERIC: Final = "generic"
GAMES: Final = ("supertuxkart", "openarena", "0ad")
CHOSEN_SIZES: Final = ("median", "small", "xsmall")

KLT, PRUNE, TUNE = "klt", "prune", "tune"


@dataclass(frozen=True)
class Network:
    """One codec of the catalogue, and how it comes to be where there is none to go on from.

    games: whose frames it is trained on; one where it is made for a game. origin: KLT (a new
    network, no parent), PRUNE (the parent, slimmed to this size) or TUNE (the parent as it is).
    teacher: the next larger network of the same kind.
    """

    name: str
    size: str
    games: tuple[str, ...]
    origin: str
    parent: str | None = None
    teacher: str | None = None

    @property
    def game(self) -> str | None:
        """None for a generic network."""
        return None if self.name == f"{GENERIC}-{self.size}" else self.games[0]

    @property
    def selection(self) -> list[str]:
        """The options of a command that name its frames."""
        return ["--games", ",".join(self.games)] if self.game is None else ["--game", self.game]

    @property
    def weight(self) -> int:
        """Its share of the time: as many parts as there are games to learn."""
        return len(self.games)


def tree(games: Sequence[str], sizes: Sequence[str], derive: str = TUNE) -> list[Network]:
    """All networks, each behind those that it needs.

    derive: how a game's network below its largest size starts: TUNE, from the generic one of its
    size, or PRUNE, from its own next larger one. Of a single game there is nothing generic to
    learn: its networks start as the generic ones do. Raises OptionError for unknown sizes or
    names.
    """
    ordered = _largest_first(sizes)
    names = [check_name(game, "game") for game in dict.fromkeys(games)]
    if not names or GENERIC in names:
        raise OptionError(f"--games {','.join(names)}: name one or more games, none {GENERIC!r}")
    larger = dict(zip(ordered[1:], ordered, strict=False))
    root = names[0] if len(names) == 1 else GENERIC
    networks = [_rooted(root, size, tuple(names), larger.get(size)) for size in ordered]
    if root == GENERIC:
        networks += [_of_game(g, size, larger.get(size), derive) for g in names for size in ordered]
    return networks


def _largest_first(sizes: Sequence[str]) -> list[str]:
    for size in sizes:
        if size not in SIZES:
            raise OptionError(f"unknown size {size!r}; choose from {', '.join(SIZES)}")
    if not sizes:
        raise OptionError(f"--sizes names none; choose from {', '.join(SIZES)}")
    return [size for size in reversed(SIZES) if size in sizes]


def _rooted(root: str, size: str, games: tuple[str, ...], larger: str | None) -> Network:
    name = f"{root}-{size}"
    if larger is None:
        return Network(name, size, games, KLT)
    parent = f"{root}-{larger}"
    return Network(name, size, games, PRUNE, parent, parent)


def _of_game(game: str, size: str, larger: str | None, derive: str) -> Network:
    teacher = None if larger is None else f"{game}-{larger}"
    pruned = derive == PRUNE and teacher is not None
    parent = teacher if pruned else f"{GENERIC}-{size}"
    return Network(f"{game}-{size}", size, (game,), PRUNE if pruned else TUNE, parent, teacher)


def choose(networks: Sequence[Network], only: Collection[str]) -> list[Network]:
    """Those named in `only`, all where it is empty; raises OptionError for unknown names."""
    known = [network.name for network in networks]
    for name in only:
        if name not in known:
            raise OptionError(f"there is no network {name!r}; choose from {', '.join(known)}")
    return [network for network in networks if not only or network.name in only]


def needs(
    networks: Sequence[Network], continued: Collection[str], *, teachers: bool
) -> dict[str, set[str]]:
    """Which networks of this round each one waits for.

    continued: names of those that go on from their own bundle, and so need no parent.
    """
    chosen = {network.name for network in networks}
    found = {}
    for network in networks:
        wanted = {None if network.name in continued else network.parent}
        wanted |= {network.teacher if teachers else None}
        found[network.name] = {name for name in wanted if name in chosen}
    return found


def makespan(weights: Mapping[str, float], waits: Mapping[str, set[str]], jobs: int) -> float:
    """How long a round takes whose networks take as long as their weights, `jobs` at a time.

    In the order in which `rounds` starts them: what is ready first comes first.
    """
    clock, done = 0.0, set[str]()
    waiting, running = list(weights), dict[str, float]()
    while waiting or running:
        ready = [name for name in waiting if waits[name] <= done]
        for name in ready[: jobs - len(running)]:
            waiting.remove(name)
            running[name] = clock + weights[name]
        if not running:
            raise OptionError(f"{', '.join(waiting)} wait for one another")
        clock = min(running.values())
        ended = {name for name, end in running.items() if end == clock}
        done |= ended
        running = {name: end for name, end in running.items() if name not in ended}
    return clock
