"""Tables from counts, in plain Python: the section of docs/arith-format.md, step by step.

The heaps only save time: their first item is the one that a search for the least would find.
"""

from collections.abc import Sequence
from fractions import Fraction
from heapq import heapify, heappop, heappush

MOST_UNITS = 2047


def apportion(weights: Sequence[int], total: int) -> list[int]:
    """Share out a total by Webster's method, with 1 or more for each weight."""
    whole = sum(weights)
    frequencies = [max(1, w * total // whole) for w in weights]
    missing = total - sum(frequencies)
    give(weights, frequencies, missing)
    take(weights, frequencies, -missing)
    return frequencies


def give(weights: Sequence[int], frequencies: list[int], units: int) -> None:
    """Add units, each where weight / (2 f + 1) is greatest, the first of equals."""
    claims = [(-Fraction(w, 2 * frequencies[i] + 1), i) for i, w in enumerate(weights)]
    heapify(claims)
    for _ in range(units):
        _, i = heappop(claims)
        frequencies[i] += 1
        heappush(claims, (-Fraction(weights[i], 2 * frequencies[i] + 1), i))


def take(weights: Sequence[int], frequencies: list[int], units: int) -> None:
    """Take units, each where weight / (2 f - 1) is least, the first of equals; leave 1 to all."""
    claims = [
        (Fraction(w, 2 * frequencies[i] - 1), i)
        for i, w in enumerate(weights)
        if frequencies[i] > 1
    ]
    heapify(claims)
    for _ in range(units):
        _, i = heappop(claims)
        frequencies[i] -= 1
        if frequencies[i] > 1:
            heappush(claims, (Fraction(weights[i], 2 * frequencies[i] - 1), i))


def build(weights: Sequence[int], fold: int) -> tuple[int, list[int]]:
    """Return the bits and the frequencies for weights of zero, the groups and the escape."""
    if fold > 0:
        zero, *others = apportion(weights, 1 << 11)
        return 11 + fold, [zero << fold, *others]
    for bits in range(16, 10, -1):
        zero, *others = apportion(weights, 1 << bits)
        if sum(others) <= MOST_UNITS:
            break
    return bits, [zero, *others]
