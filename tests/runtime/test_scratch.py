"""Arrays that are kept: which are the same, which are new, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from c3d_export.runtime.codec import Codec
from c3d_export.runtime.scratch import Scratch


def test_an_array_is_kept_while_shape_and_use_stay() -> None:
    scratch = Scratch()
    first = scratch.take("a", (2, 3), np.uint8, 7)
    assert (first == 7).all()
    first[0, 0] = 1
    assert scratch.take("a", (2, 3), np.uint8, 7) is first
    assert scratch.take("b", (2, 3), np.uint8) is not first
    other = scratch.take("a", (2, 3), np.uint8, 7, (1,))
    assert other is not first
    assert (other == 7).all()
    assert scratch.take("a", (3, 2), np.uint8).shape == (3, 2)


def test_threads_do_not_share() -> None:
    scratch = Scratch()
    mine = scratch.take("a", (4,), np.uint8)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(scratch.take, "a", (4,), np.uint8).result() is not mine


def test_what_came_before_changes_no_stream(
    tiny_codec: Codec, make_frame: Callable[..., NDArray[np.uint8]]
) -> None:
    """Sizes with the same padded grid, another grid, other qualities: in any order, the same."""
    sizes = ((64, 64), (33, 49), (64, 64), (48, 64), (16, 16), (49, 33), (64, 48))
    frames = [make_frame(*size, seed) for seed, size in enumerate(sizes)]
    jobs = [(frame, quality) for frame in frames for quality in (1, 8)]
    alone = [Codec(tiny_codec.bundle, tiny_codec.sessions.options).encode(*job) for job in jobs]
    assert [tiny_codec.encode(*job) for job in jobs] == alone
    assert [tiny_codec.encode(*job) for job in jobs[::-1]] == alone[::-1]
