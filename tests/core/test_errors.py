"""The tree of errors: exit codes, one-line messages, one leaf per cause."""

from __future__ import annotations

import inspect
import pickle

import pytest

from c3d_export.core import errors
from c3d_export.core.errors import C3DError

ALL = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, C3DError)
]
LEAVES = [kind for kind in ALL if not kind.__subclasses__()]

EXIT_CODES = {
    errors.UsageError: 2,
    errors.ValidationError: 3,
    errors.HostError: 4,
    errors.CorruptError: 5,
    errors.FleetError: 6,
}


def test_an_internal_error_exits_with_1() -> None:
    assert C3DError.exit_code == 1


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_leaf_is_in_exactly_one_group_and_has_its_exit_code(leaf: type[C3DError]) -> None:
    groups = [group for group in EXIT_CODES if issubclass(leaf, group)]
    assert len(groups) == 1
    assert leaf.exit_code == EXIT_CODES[groups[0]]


@pytest.mark.parametrize("kind", ALL)
def test_each_class_says_in_its_docstring_what_it_is(kind: type[C3DError]) -> None:
    assert kind.__doc__
    assert kind is C3DError or "\n" not in kind.__doc__


def test_the_groups_of_corrupt_files() -> None:
    assert issubclass(errors.StreamError, errors.CorruptError)
    assert issubclass(errors.BundleError, errors.CorruptError)
    assert len(errors.StreamError.__subclasses__()) == 8
    assert len(errors.BundleError.__subclasses__()) == 7


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    assert (
        str(errors.ImageError("cannot read a\nb.png:\r\nbroken")) == "cannot read a b.png: broken"
    )


def test_an_error_survives_the_way_from_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(errors.DiskError("full; free some space")))
    assert type(error) is errors.DiskError
    assert str(error) == "full; free some space"
