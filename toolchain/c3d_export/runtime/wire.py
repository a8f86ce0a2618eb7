"""The wire format of protobuf, as far as our graphs use it: whole numbers, float32, bytes.

Nothing is copied and nothing recurses: a field is its name and where its bytes stand. Anything
that a second reader could take in another way (unknown fields, other wire types, numbers that
are written longer than needed) is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NoReturn

from ..core.limits import MAX_GRAPH_FIELDS, MAX_GRAPH_NAME_BYTES

Field = tuple[str, int, int]
"""(name, value, 0) of a whole number, (name, begin, end) of a byte string or a float32."""

_INTEGER, _BYTES, _FLOAT = 0, 2, 5
_FLOAT_BYTES: Final = 4
# The longest number has 64 bits, 7 in a byte.
_MAX_VARINT: Final = 10


class WireError(Exception):
    """The message says what is wrong with a graph, fit to follow its name."""


@dataclass(frozen=True)
class Message:
    """A kind of message. name: with its article. fields: names by tag.

    refused: what stands in fields that we never use, by number.
    """

    name: str
    fields: dict[int, str]
    refused: dict[int, str] = field(default_factory=dict)


def message(
    name: str,
    *,
    integers: dict[str, int] | None = None,
    texts: dict[str, int] | None = None,
    floats: dict[str, int] | None = None,
    refused: dict[int, str] | None = None,
) -> Message:
    """integers, texts, floats: field numbers by name; refused: names by field number."""
    fields = {number << 3 | _INTEGER: name for name, number in (integers or {}).items()}
    fields |= {number << 3 | _BYTES: name for name, number in (texts or {}).items()}
    fields |= {number << 3 | _FLOAT: name for name, number in (floats or {}).items()}
    return Message(name, fields, refused or {})


class Wire:
    """Reads messages from one buffer; at most MAX_GRAPH_FIELDS fields in all."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._left = MAX_GRAPH_FIELDS

    def fields(self, begin: int, end: int, kind: Message) -> list[Field]:
        """The fields of the message in data[begin:end], in their order; raises WireError."""
        data, names, left = self.data, kind.fields, self._left
        found: list[Field] = []
        while begin < end:
            if not left:
                self._refuse(f"has more than {MAX_GRAPH_FIELDS} fields")
            left -= 1
            # Nearly all tags and most lengths take one byte.
            tag, begin = data[begin], begin + 1
            if tag > 127:
                tag, begin = self._varint(begin - 1, end)
            name = names.get(tag)
            if name is None:
                self._refuse_field(tag, kind)
            if begin >= end:
                self._refuse("is cut off")
            if tag & 7 == _FLOAT:
                if end - begin < _FLOAT_BYTES:
                    self._refuse("is cut off")
                found.append((name, begin, begin + _FLOAT_BYTES))
                begin += _FLOAT_BYTES
                continue
            value, begin = data[begin], begin + 1
            if value > 127:
                value, begin = self._varint(begin - 1, end)
            if tag & 7 == _BYTES:
                if value > end - begin:
                    self._refuse("is cut off")
                found.append((name, begin, begin + value))
                begin += value
            else:
                found.append((name, value, 0))
        self._left = left
        return found

    def require(self, begin: int, end: int, kind: Message, names: set[str]) -> dict[str, Field]:
        """The fields by name: exactly these, once each."""
        fields = self.fields(begin, end, kind)
        found = {entry[0]: entry for entry in fields}
        if found.keys() != names or len(fields) != len(names):
            self._refuse(f"has {kind.name} without {', '.join(sorted(names))}")
        return found

    def text(self, entry: Field) -> bytes:
        """A name of at most MAX_GRAPH_NAME_BYTES."""
        self.require_short(entry, MAX_GRAPH_NAME_BYTES)
        return self.data[entry[1] : entry[2]]

    def require_short(self, entry: Field, limit: int) -> None:
        if entry[2] - entry[1] > limit:
            self._refuse(f"has a name of more than {limit} bytes")

    def _varint(self, begin: int, end: int) -> tuple[int, int]:
        """A number and where it ends."""
        value = 0
        for index, byte in enumerate(self.data[begin : min(end, begin + _MAX_VARINT)]):
            value |= (byte & 127) << 7 * index
            if byte < 128:
                if byte == 0 and index:
                    self._refuse("has a number that is written longer than needed")
                return value, begin + index + 1
        raise WireError("is cut off or has a number of more than 64 bits")

    def _refuse_field(self, tag: int, kind: Message) -> NoReturn:
        number = tag >> 3
        what = kind.refused.get(number, f"field {number} of type {tag & 7}")
        self._refuse(f"has {what} in {kind.name}, which none of ours has")

    @staticmethod
    def _refuse(fault: str) -> NoReturn:
        raise WireError(fault)
