"""Which network starts from which, what waits for what, and how the time is shared."""

from __future__ import annotations

import pytest
from catalogue.tree import KLT, PRUNE, TUNE, choose, makespan, needs, tree

from c3d_export.core.errors import OptionError

GAMES, SIZES = ("one", "two"), ("xsmall", "median", "small")


def _by_name(derive: str = TUNE) -> dict[str, tuple[str, str | None, str | None]]:
    return {n.name: (n.origin, n.parent, n.teacher) for n in tree(GAMES, SIZES, derive)}


def test_the_largest_generic_network_starts_from_frames_and_the_others_from_it() -> None:
    found = _by_name()
    assert len(found) == 9
    assert found["generic-median"] == (KLT, None, None)
    assert found["generic-small"] == (PRUNE, "generic-median", "generic-median")
    assert found["generic-xsmall"] == (PRUNE, "generic-small", "generic-small")
    assert found["one-median"] == (TUNE, "generic-median", None)
    assert found["two-xsmall"] == (TUNE, "generic-xsmall", "two-small")


def test_derived_by_pruning_a_smaller_network_comes_from_its_own_larger_one() -> None:
    found = _by_name(PRUNE)
    assert found["one-median"] == (TUNE, "generic-median", None)
    assert found["one-small"] == (PRUNE, "one-median", "one-median")
    assert found["generic-small"] == _by_name()["generic-small"]


def test_of_a_single_game_there_is_nothing_generic() -> None:
    found = [(n.name, n.origin, n.parent, n.game) for n in tree(("one",), ("small", "xsmall"))]
    assert found == [
        ("one-small", KLT, None, "one"),
        ("one-xsmall", PRUNE, "one-small", "one"),
    ]


def test_games_and_frames_of_a_network() -> None:
    found = {network.name: network for network in tree(GAMES, SIZES)}
    assert (found["generic-small"].game, found["generic-small"].games) == (None, GAMES)
    assert (found["two-small"].game, found["two-small"].games) == ("two", ("two",))
    assert (found["generic-small"].weight, found["two-small"].weight) == (2, 1)


def test_every_network_stands_behind_those_that_it_comes_from() -> None:
    for derive in (TUNE, PRUNE):
        seen = set()
        for network in tree(GAMES, SIZES, derive):
            assert {network.parent, network.teacher} - {None} <= seen
            seen.add(network.name)


@pytest.mark.parametrize(
    ("games", "sizes", "named"),
    [
        (("one",), ("tiny",), "tiny"),
        (("one",), (), "--sizes"),
        ((), ("small",), "--games"),
        (("generic",), ("small",), "generic"),
        (("../one",), ("small",), "../one"),
    ],
)
def test_what_cannot_be_is_refused(
    games: tuple[str, ...], sizes: tuple[str, ...], named: str
) -> None:
    with pytest.raises(OptionError, match=named):
        tree(games, sizes)


def test_chosen_networks_keep_their_order() -> None:
    networks = tree(GAMES, SIZES)
    assert choose(networks, ()) == networks
    chosen = choose(networks, ("one-small", "generic-small"))
    assert [network.name for network in chosen] == ["generic-small", "one-small"]
    with pytest.raises(OptionError, match="three-small"):
        choose(networks, ("three-small",))


def test_a_network_with_a_bundle_waits_for_its_teacher_only() -> None:
    networks = tree(GAMES, SIZES)
    new = needs(networks, set(), teachers=True)
    assert new["one-small"] == {"generic-small", "one-median"}
    assert new["generic-median"] == set()
    again = needs(networks, {network.name for network in networks}, teachers=True)
    assert again["one-small"] == {"one-median"}
    assert needs(networks, set(), teachers=False)["one-small"] == {"generic-small"}
    alone = choose(networks, ("one-small",))
    assert needs(alone, set(), teachers=True) == {"one-small": set()}


def test_makespan() -> None:
    weights = {"a": 3.0, "b": 1.0, "c": 1.0, "d": 1.0}
    chain: dict[str, set[str]] = {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"c"}}
    free: dict[str, set[str]] = {name: set() for name in weights}
    assert makespan(weights, chain, 4) == 6
    assert makespan(weights, free, 1) == 6
    assert makespan(weights, free, 2) == 3
    with pytest.raises(OptionError, match="wait for one another"):
        makespan(weights, {**chain, "a": {"d"}}, 2)
