"""The coder of docs/arith-format.md in plain Python, written to be read and not to be fast.

rANS keeps a whole message in one integer, the state x. A value with f slots of 2^bits is pushed
by  x -> (x // f) * 2^bits + the value's slot with the number x % f:  the state gains log2(2^bits
/ f) bits, the value's information. The low bits of x are now a slot of the value, so the pull
finds it, and undoes the push. What is pulled first was pushed last. A state stays below 2^32 by
handing its low 16 bits to the stream before a push; the decoder takes them back after the pull.
"""

from collections.abc import Sequence
from typing import NamedTuple

LOWEST = 1 << 16


class CorruptPayloadError(ValueError):
    """No encoder writes this payload for these parts. The text is the name of the status."""


def refuse(condition: bool, status: str) -> None:
    """Raise the status if the condition holds."""
    if condition:
        raise CorruptPayloadError(status)


def signed(value: int) -> int:
    """Return a value modulo 2^16 as an int16."""
    return (value + 32768) % 65536 - 32768


class Table(NamedTuple):
    """Frequencies of zero, of the groups from -below upwards, and last of the escape."""

    bits: int
    fold: int
    below: int
    frequencies: tuple[int, ...]

    def place(self, v: int) -> tuple[int, int]:
        """Return the position of a value's frequency, and the low bits of its rank."""
        if v == 0:
            return 0, 0
        group, low = divmod(v - (v > 0), 1 << self.fold)
        position, escape = 1 + self.below + group, len(self.frequencies) - 1
        return (position if 0 < position < escape else escape), low

    def push(self, x: int, v: int, words: list[int]) -> int:
        """Return the state with the value on it; a full one hands out a word before."""
        position, low = self.place(v)
        if x >= self.frequencies[position] << 32 - self.bits:
            words.append(x % 65536)
            x >>= 16
        quotient, slot = divmod(x, self.frequencies[position])
        if position > 0:
            unit = sum(self.frequencies[1:position]) + slot
            slot = self.frequencies[0] + (unit << self.fold) + low
        return (quotient << self.bits) + slot

    def pull(self, x: int) -> tuple[int, int, int]:
        """Return the state without its value, and the value's position and low bits."""
        quotient, slot = divmod(x, 1 << self.bits)
        if slot < self.frequencies[0]:
            return self.frequencies[0] * quotient + slot, 0, 0
        unit, low = divmod(slot - self.frequencies[0], 1 << self.fold)
        position = 1
        while unit >= self.frequencies[position]:
            unit -= self.frequencies[position]
            position += 1
        return self.frequencies[position] * quotient + unit, position, low


class Part(NamedTuple):
    """Values and what both sides know of them; a decoder does not look at the values."""

    bank: Sequence[Table]
    indexes: Sequence[int]
    values: Sequence[int] = ()
    means: Sequence[int] | None = None


class Decoder:
    """The states and the words that are left of a payload."""

    def __init__(self, payload: bytes) -> None:
        head = 1 + (4 << payload[0]) if payload else 0
        refuse(head > 1 + 4 * 64, "LANES")
        refuse(len(payload) < head, "TRUNCATED")
        self.states = [int.from_bytes(payload[i : i + 4], "little") for i in range(1, head, 4)]
        self.rest, self.pulled, self.foul = payload[head:], 0, False
        refuse(any(x < LOWEST for x in self.states), "STATE")

    def word(self) -> int:
        """Take a word off the stream."""
        refuse(len(self.rest) < 2, "TRUNCATED")
        word, self.rest = self.rest[:2], self.rest[2:]
        return int.from_bytes(word, "little")

    def row(self, tables: Sequence[Table]) -> list[int]:
        """Return one value for each lane, less its mean. First all pulls, then the escapes."""
        places = []
        for lane, table in enumerate(tables):
            x, *place = table.pull(self.states[lane])
            self.states[lane] = x if x >= LOWEST else x << 16 | self.word()
            places.append(tuple(place))
        values = []
        for table, (position, low) in zip(tables, places, strict=True):
            rank = (position - 1 - table.below << table.fold) + low
            v = 0 if position == 0 else rank + (rank >= 0)
            if position == len(table.frequencies) - 1:
                v = signed(self.word())
                self.foul |= table.place(v) != (position, low)
            values.append(v)
        return values

    def part(self, part: Part) -> list[int]:
        """Return the values of a part."""
        n, lanes = len(part.indexes), len(self.states)
        refuse(any(index >= len(part.bank) for index in part.indexes), "INDEX")
        totals = [(1 << table.bits, max(table.frequencies)) for table in part.bank]
        period = max(-(total // (highest - total)) for total, highest in totals)  # rounded up
        refuse(n > period * (8 * len(self.rest) + 16 * lanes), "TRUNCATED")
        self.pulled += n
        tables = [part.bank[index] for index in part.indexes]
        values = [v for i in range(0, n, lanes or 1) for v in self.row(tables[i : i + lanes])]
        refuse(self.foul, "ESCAPE")
        return [signed(v + m) for v, m in zip(values, part.means or [0] * n, strict=True)]

    def finish(self) -> None:
        """Check that nothing is left over."""
        refuse(len(self.rest) > 0 or (self.pulled == 0 and len(self.states) > 0), "TRAILING")
        refuse(any(x != LOWEST for x in self.states), "STATE")


def encode(parts: Sequence[Part], lanes: int) -> bytes:
    """Return the payload of the parts."""
    states = [LOWEST] * lanes
    words: list[int] = []  # the last one first
    for part in reversed(parts):
        means = part.means or [0] * len(part.values)
        coded = [signed(v - m) for v, m in zip(part.values, means, strict=True)]
        items = list(zip((part.bank[index] for index in part.indexes), coded, strict=True))
        for start in reversed(range(0, len(items), lanes)):
            row = list(enumerate(items[start : start + lanes]))[::-1]
            words += [v % 65536 for _, (t, v) in row if t.place(v)[0] == len(t.frequencies) - 1]
            for lane, (table, v) in row:
                states[lane] = table.push(states[lane], v, words)
    payload = bytes([lanes.bit_length() - 1]) + b"".join(x.to_bytes(4, "little") for x in states)
    payload += b"".join(word.to_bytes(2, "little") for word in reversed(words))
    return payload if any(len(part.values) > 0 for part in parts) else b""
