"""Tables are shared by threads, and the interpreter runs during the coding."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import pytest

from c3d_export import _arith

from . import banks

THREADS = 8
MANY = 1 << 21


Result = TypeVar("Result")


def in_threads(work: Callable[[int], Result]) -> list[Result]:
    """Run the work in threads that begin together."""
    barrier = threading.Barrier(THREADS)

    def begin(number: int) -> Result:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def test_threads_share_tables() -> None:
    rng = np.random.default_rng(8)
    tables = banks.random_bank(rng, 30)
    compiled = banks.compile_bank(tables)
    values, indexes = banks.random_values(rng, tables, 50_000)
    payload = banks.encode(compiled, values, indexes)

    def work(_: int) -> bool:
        same = True
        for _ in range(5):
            same &= bool((banks.decode(compiled, payload, indexes) == values).all())
            same &= banks.encode(compiled, values, indexes) == payload
        return same

    assert in_threads(work) == [True] * THREADS


def test_slices_in_threads() -> None:
    """A payload for each thread, in one block."""
    rng = np.random.default_rng(9)
    tables = banks.random_bank(rng, 70)
    compiled = banks.compile_bank(tables)
    inputs = [banks.random_values(rng, tables, 5000 + k) for k in range(THREADS)]

    def encode(number: int) -> bytes:
        return banks.encode(compiled, *inputs[number])

    block = _arith.join_slices(in_threads(encode))

    def decode(number: int) -> bool:
        offset, length = _arith.split_slices(block)[number]
        _arith.check_slice(block, number)
        values, indexes = inputs[number]
        payload = block[offset : offset + length]
        return bool((banks.decode(compiled, payload, indexes) == values).all())

    assert in_threads(decode) == [True] * THREADS


# A part that takes some milliseconds: many values on one lane, with the slowest kernel.
TABLES = banks.compile_bank([banks.FLAT], _arith.KERNEL_PORTABLE)
INDEXES = np.zeros(MANY, np.uint8)
VALUES = np.zeros(MANY, np.int16)
VALUES[::1000] = 1


@pytest.fixture(scope="module")
def payload() -> bytes:
    return banks.encode(TABLES, VALUES, INDEXES, lanes=1)


def outcome_of(action: Callable[[], object]) -> object:
    """Return what an action returns or raises."""
    try:
        return action()
    except (RuntimeError, _arith.ArithError) as error:
        return error


def pull_in_threads(payload: bytes) -> list[object]:
    """Let all threads pull the same part from one decoder."""
    decoder = _arith.Decoder(payload)
    outs = [np.empty(MANY, np.int16) for _ in range(THREADS)]

    def work(number: int) -> object:
        return outcome_of(lambda: decoder.pull(TABLES, INDEXES, outs[number]))

    return in_threads(work)


def tries() -> Iterator[None]:
    """Threads meet at the first try where a core is free; on a busy machine seldom."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        yield


def test_decoder_in_two_threads_is_refused(payload: bytes) -> None:
    """One thread gets the part; the others are refused, or come too late for it."""
    refused: set[str] = set()
    for _ in tries():
        results = pull_in_threads(payload)
        assert [r for r in results if isinstance(r, int)] == [_arith.checksum(VALUES)]
        late = [r for r in results if isinstance(r, _arith.ArithError)]
        assert all(error.status == _arith.ERR_TRUNCATED for error in late)
        refused.update(str(r) for r in results if isinstance(r, RuntimeError))
        if refused:
            break
    assert refused == {"the decoder is in use by another thread"}


def ask_during_a_pull(decoder: _arith.Decoder) -> set[type]:
    """Let another thread pull and ask for the end all the while; return what that gave."""
    out = np.empty(MANY, np.int16)
    other = threading.Thread(target=decoder.pull, args=(TABLES, INDEXES, out))
    other.start()
    seen: set[type] = set()
    while other.is_alive():
        seen.add(type(outcome_of(decoder.finish)))
    other.join()
    np.testing.assert_array_equal(out, VALUES)
    return seen


def test_decoder_is_free_again_after_a_pull(payload: bytes) -> None:
    seen: set[type] = set()
    for _ in tries():
        decoder = _arith.Decoder(payload)
        seen |= ask_during_a_pull(decoder)
        decoder.finish()
        if RuntimeError in seen:
            break
    assert RuntimeError in seen
