"""Tables are shared by threads, and the interpreter runs during the coding."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from c3d_export import _arith

from . import banks

THREADS = 8


def test_threads_share_tables() -> None:
    rng = np.random.default_rng(8)
    tables = banks.random_bank(rng, 30)
    compiled = banks.compile_bank(tables)
    symbols, indexes = banks.random_symbols(rng, tables, 50_000)
    payload = _arith.encode(compiled, symbols, indexes)
    barrier = threading.Barrier(THREADS)

    def work(_: int) -> bool:
        barrier.wait()
        same = True
        for _ in range(5):
            same &= bool((banks.decode(compiled, payload, indexes) == symbols).all())
            same &= _arith.encode(compiled, symbols, indexes) == payload
        return same

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == [True] * THREADS
