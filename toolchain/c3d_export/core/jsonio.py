"""Strict JSON: one way to write it, and nothing ambiguous is read."""

from __future__ import annotations

import json
import math
from typing import Any

from c3d_export.core.errors import C3DError
from c3d_export.core.limits import MAX_JSON_BYTES, MAX_JSON_DEPTH


def dumps(value: object, *, max_bytes: int = MAX_JSON_BYTES) -> bytes:
    """`value` as UTF-8 JSON: sorted keys, two spaces of indentation, a line feed at the end.

    Equal values give equal bytes. What is written here can be read by `loads` with the same
    `max_bytes`. Raises C3DError
    for what JSON cannot say: NaN, infinities, foreign types, keys that become equal as text,
    lone surrogates, and for what is too large or too deep.
    """
    try:
        text = json.dumps(value, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False)
        data = text.encode("utf-8") + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise C3DError(f"cannot write as JSON: {error}") from error
    loads(data, C3DError, what="JSON to be written", max_bytes=max_bytes)
    return data


def loads(
    data: bytes,
    error: type[C3DError],
    *,
    what: str = "JSON",
    max_bytes: int = MAX_JSON_BYTES,
    max_depth: int = MAX_JSON_DEPTH,
) -> Any:
    """The value of a UTF-8 JSON document.

    Raises `error`, with `what` in its message, for: more than `max_bytes` bytes, text that is no
    UTF-8 or no JSON, a key twice in one object, NaN and infinities (also as 1e999), nesting
    deeper than `max_depth` (a plain value has depth 0), and lone surrogates.
    """
    if len(data) > max_bytes:
        raise error(f"{what} has {len(data)} bytes, more than the {max_bytes} allowed")
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        _check(value, max_depth)
    except RecursionError as cause:
        raise error(f"{what} is nested deeper than {max_depth}") from cause
    except ValueError as cause:
        raise error(f"{what} cannot be read: {cause}") from cause
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key[:40]!r} stands twice in one object")
        result[key] = value
    return result


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value


def _check(value: object, max_depth: int) -> None:
    """Looks at every value without recursion: depth, and strings that UTF-8 cannot hold."""
    level, depth = [value], 0
    while level:
        inner: list[object] = []
        for item in level:
            if isinstance(item, str):
                item.encode("utf-8")  # a UnicodeEncodeError is a ValueError
            elif isinstance(item, dict):
                inner += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                inner += item
        if any(isinstance(item, (dict, list)) for item in level):
            depth += 1
            if depth > max_depth:
                raise ValueError(f"it is nested deeper than {max_depth}")
        level = inner
