"""The coder of docs/arith-format.md in plain Python, written to be read and not to be fast.

rANS keeps a whole message in one integer, the state x. A symbol with frequency f out of 4096,
whose share of the numbers 0..4095 begins at b, is pushed on the state by

    x  ->  (x // f) * 4096 + b + x % f

which makes x larger by the factor 4096 / f: by log2(4096 / f) bits, the symbol's information.
The low 12 bits of the new x lie in the symbol's share, so the pull finds the symbol there, and
undoes the push:

    x  ->  f * (x // 4096) + x % 4096 - b

What is pulled first was pushed last: the encoder goes backwards through the symbols. A state
stays below 2^32 by handing its low 16 bits to the stream before a push, and the decoder, when
a pull has left less than 2^16, takes them back.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

TOTAL = 4096
LOWEST = 1 << 16
RAW_FREQUENCY = 16


class CorruptPayloadError(ValueError):
    """No encoder writes this payload for these tables and indexes."""


class Table(NamedTuple):
    """Frequencies of the symbols minimum, minimum + 1, ..., and last of the escape."""

    minimum: int
    frequencies: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many symbols the table covers; also the position of the escape."""
        return len(self.frequencies) - 1

    def covers(self, symbol: int) -> bool:
        """Whether the symbol has a frequency of its own."""
        return self.minimum <= symbol < self.minimum + self.size

    def starts(self) -> list[int]:
        """Where each position's share of 0..4095 begins."""
        return [0, *accumulate(self.frequencies)][:-1]


def lane_count(n: int) -> int:
    """Return the number of states; symbol i belongs to the state i modulo it."""
    return 1 if n < 1024 else 8


class Decoder:
    """The states and the words that are left of a payload."""

    def __init__(self, payload: bytes, n: int) -> None:
        head = 4 * lane_count(n)
        if len(payload) < head:
            raise CorruptPayloadError("truncated states")
        self.states = [int.from_bytes(payload[i : i + 4], "little") for i in range(0, head, 4)]
        self.rest = payload[head:]
        if min(self.states) < LOWEST:
            raise CorruptPayloadError("state")

    def pull(self, lane: int, frequency: int, start: int) -> None:
        """Take one symbol off a state, and a word off the stream if the state is low."""
        x = self.states[lane]
        x = frequency * (x // TOTAL) + x % TOTAL - start
        if x < LOWEST:
            if len(self.rest) < 2:
                raise CorruptPayloadError("truncated words")
            x = x << 16 | int.from_bytes(self.rest[:2], "little")
            self.rest = self.rest[2:]
        self.states[lane] = x

    def raw_byte(self, lane: int) -> int:
        """Pull one of 256 equally likely values."""
        value = self.states[lane] % TOTAL // RAW_FREQUENCY
        self.pull(lane, RAW_FREQUENCY, value * RAW_FREQUENCY)
        return value

    def symbol(self, lane: int, table: Table) -> int:
        """Pull one symbol, and where it is the escape, the value after it."""
        slot = self.states[lane] % TOTAL
        starts = table.starts()
        position = max(i for i, start in enumerate(starts) if start <= slot)
        self.pull(lane, table.frequencies[position], starts[position])
        if position < table.size:
            return table.minimum + position
        value = int.from_bytes([self.raw_byte(lane), self.raw_byte(lane)], "little", signed=True)
        if table.covers(value):
            raise CorruptPayloadError("escape")
        return value

    def finish(self) -> None:
        """Check that nothing is left over."""
        if self.rest:
            raise CorruptPayloadError("trailing bytes")
        if any(x != LOWEST for x in self.states):
            raise CorruptPayloadError("state")


def decode(payload: bytes, tables: Sequence[Table], indexes: Sequence[int]) -> list[int]:
    """Return one symbol for each index."""
    n = len(indexes)
    if n == 0:
        if payload:
            raise CorruptPayloadError("trailing bytes")
        return []
    decoder = Decoder(payload, n)
    symbols = [decoder.symbol(i % lane_count(n), tables[t]) for i, t in enumerate(indexes)]
    decoder.finish()
    return symbols


def pushes(symbol: int, table: Table) -> list[tuple[int, int]]:
    """Return the (frequency, start) of everything that codes a symbol, in pulling order."""
    position = symbol - table.minimum if table.covers(symbol) else table.size
    result = [(table.frequencies[position], table.starts()[position])]
    if position == table.size:
        for byte in symbol.to_bytes(2, "little", signed=True):
            result.append((RAW_FREQUENCY, byte * RAW_FREQUENCY))
    return result


def encode(symbols: Sequence[int], tables: Sequence[Table], indexes: Sequence[int]) -> bytes:
    """Return the payload of the symbols."""
    n = len(symbols)
    if n == 0:
        return b""
    states = [LOWEST] * lane_count(n)
    words: list[bytes] = []
    for i in reversed(range(n)):
        lane = i % len(states)
        for frequency, start in reversed(pushes(symbols[i], tables[indexes[i]])):
            x = states[lane]
            if x >= frequency << 20:
                words.append((x & 0xFFFF).to_bytes(2, "little"))
                x >>= 16
            states[lane] = x // frequency * TOTAL + start + x % frequency
    return b"".join([*(x.to_bytes(4, "little") for x in states), *reversed(words)])
