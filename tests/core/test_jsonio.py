"""Strict JSON: deterministic bytes, and one test per kind of document that is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c3d_export.core.errors import BundleManifestError, C3DError
from c3d_export.core.jsonio import dumps, loads
from c3d_export.core.limits import MAX_JSON_BYTES, MAX_JSON_DEPTH

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAF = st.none() | st.booleans() | st.integers() | TEXT | st.floats(allow_nan=False)
VALUES = st.recursive(
    LEAF.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_what_is_written_can_be_read(value: Any) -> None:
    assert loads(dumps(value), C3DError) == value


def test_the_bytes_do_not_depend_on_the_order_of_keys() -> None:
    data = dumps({"b": 1, "a": "ü"})
    assert data == dumps({"a": "ü", "b": 1}) == '{\n  "a": "ü",\n  "b": 1\n}\n'.encode()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), {1: "a", "1": "b"}, b"x", {"a": {1, 2}}, "\ud800"]
)
def test_what_json_cannot_say_is_not_written(value: object) -> None:
    with pytest.raises(C3DError):
        dumps(value)


def test_a_circular_value_is_not_written() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(C3DError):
        dumps(value)


REFUSED = {
    "empty": b"",
    "no json": b"{",
    "two documents": b"{} {}",
    "no utf-8": b'"\xff"',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "duplicate key": b'{"a": 1, "a": 1}',
    "duplicate key by escape": b'{"a": 1, "\\u0061": 2}',
    "duplicate key deep inside": b'[{"x": {"a": 1, "a": 1}}]',
    "not a number": b"[NaN]",
    "infinity": b"[-Infinity]",
    "infinity by size": b"[1e999]",
    "number of 5000 digits": b"1" * 5000,
    "lone surrogate": b'"\\ud800"',
    "lone surrogate as key": b'{"\\udc00": 1}',
    "too deep": b"[" * (MAX_JSON_DEPTH + 1) + b"]" * (MAX_JSON_DEPTH + 1),
    "deeper than the parser's stack": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "too long": b" " * (MAX_JSON_BYTES + 1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_error_that_the_caller_names(name: str) -> None:
    with pytest.raises(BundleManifestError, match="manifest"):
        loads(REFUSED[name], BundleManifestError, what="manifest")


def test_the_deepest_allowed_document_is_read() -> None:
    data = b"[" * MAX_JSON_DEPTH + b"1" + b"]" * MAX_JSON_DEPTH
    assert loads(data, C3DError)


def test_the_limits_can_be_narrowed() -> None:
    with pytest.raises(C3DError, match="more than the 3 allowed"):
        loads(b"[1] ", C3DError, max_bytes=3)
    with pytest.raises(C3DError, match="deeper than 1"):
        loads(b"[[]]", C3DError, max_depth=1)
