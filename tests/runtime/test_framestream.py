"""Streams of frames: order, bounds, errors, and the same bytes as one by one."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import FrameShapeError, OptionError, StreamError
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.framestream import FrameStream

MakeFrame = Callable[..., NDArray[np.uint8]]
WAIT = 10.0


def _slow_first(item: int) -> int:
    """The first items take longest."""
    time.sleep(0.05 / (1 + item))
    return item * item


def test_results_come_in_the_order_of_submission() -> None:
    with FrameStream(_slow_first, workers=4, depth=8) as stream:
        for item in range(8):
            assert stream.submit(item)
        stream.close()
        assert list(stream) == [item * item for item in range(8)]


def test_no_more_than_depth_are_open() -> None:
    release, begun = threading.Event(), []

    def work(item: int) -> int:
        begun.append(item)
        release.wait(WAIT)
        return item

    with FrameStream(work, workers=2, depth=3) as stream:
        assert [stream.submit(item, timeout=0.01) for item in range(5)] == [True] * 3 + [False] * 2
        assert stream.open_items == 3
        assert set(begun) <= {0, 1}
        release.set()
        assert next(stream) == 0
        assert stream.submit(3, timeout=WAIT)
        assert not stream.submit(4, timeout=0.01), "what is finished and not collected counts"
        stream.close()
        assert list(stream) == [1, 2, 3]


def test_a_source_that_is_too_fast_waits_for_the_sink() -> None:
    most = 0

    def source(stream: FrameStream[int]) -> None:
        nonlocal most
        for item in range(50):
            stream.submit(item)
            most = max(most, stream.open_items)
        stream.close()

    with FrameStream(lambda item: item, workers=2, depth=4) as stream:
        thread = threading.Thread(target=source, args=(stream,))
        thread.start()
        got = []
        for result in stream:
            time.sleep(0.001)
            got.append(result)
        thread.join(WAIT)
    assert got == list(range(50))
    assert most <= 4


def test_map_takes_no_more_than_depth_ahead() -> None:
    taken = 0

    def items() -> Iterator[tuple[int]]:
        nonlocal taken
        for item in range(20):
            taken += 1
            yield (item,)

    with FrameStream(lambda item: item, workers=2, depth=3) as stream:
        for result in stream.map(items()):
            assert taken <= result + 4
        assert taken == 20
        assert list(stream.map([])) == []


def test_an_error_belongs_to_its_item() -> None:
    def work(item: int) -> float:
        return 1 / item

    with FrameStream(work, workers=2, depth=4) as stream:
        for item in (2, 0, 4):
            stream.submit(item)
        assert next(stream) == 0.5
        with pytest.raises(ZeroDivisionError):
            next(stream)
        assert next(stream) == 0.25
        assert stream.open_items == 0


def test_a_closed_stream_takes_nothing() -> None:
    stream = FrameStream(_slow_first, workers=1, depth=1)
    stream.submit(1)
    stream.close()
    with pytest.raises(OptionError, match="closed"):
        stream.submit(2)
    assert list(stream) == [1]
    with pytest.raises(StopIteration):
        next(stream)


def test_a_source_that_waits_when_the_stream_is_closed_is_told() -> None:
    release = threading.Event()
    stream = FrameStream(lambda: release.wait(WAIT), workers=1, depth=1)
    stream.submit()
    said = []

    def source() -> None:
        with pytest.raises(OptionError):
            stream.submit()
        said.append(True)

    thread = threading.Thread(target=source)
    thread.start()
    time.sleep(0.02)
    stream.close()
    thread.join(WAIT)
    release.set()
    assert said == [True]


def test_after_an_error_of_the_user_nothing_more_begins() -> None:
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        time.sleep(0.02)

    def use() -> None:
        with FrameStream(work, workers=1, depth=9) as stream:
            for item in range(9):
                stream.submit(item)
            raise KeyError

    with pytest.raises(KeyError):
        use()
    assert len(begun) < 9


@pytest.mark.parametrize(("workers", "depth"), [(-1, 1), (1, -1), (257, 1), ("2", 1), (1, None)])
def test_numbers_that_are_none(workers: object, depth: object) -> None:
    with pytest.raises(OptionError):
        FrameStream(_slow_first, workers, depth)  # type: ignore[arg-type]


def test_a_codec_gives_the_same_bytes_as_one_by_one(
    tiny_codec: Codec, make_frame: MakeFrame
) -> None:
    jobs = [(make_frame(40 + 16 * (n % 3), 64, n), 1 + n % 8) for n in range(12)]
    wanted = [tiny_codec.encode(*job) for job in jobs]
    with tiny_codec.stream(workers=3) as stream:
        assert list(stream.map(jobs)) == wanted
    with tiny_codec.stream(decode=True, workers=3) as stream:
        frames = list(stream.map([(data,) for data in wanted]))
    for data, frame in zip(wanted, frames, strict=True):
        assert np.array_equal(frame, tiny_codec.decode(data))


def test_a_bad_frame_or_stream_among_good_ones(tiny_codec: Codec, make_frame: MakeFrame) -> None:
    good = make_frame(16, 16)
    with tiny_codec.stream(workers=2) as stream:
        stream.submit(good, 4)
        stream.submit(good[..., :2], 4)
        stream.submit(good, 4)
        first = next(stream)
        with pytest.raises(FrameShapeError):
            next(stream)
        assert next(stream) == first
    with tiny_codec.stream(decode=True, workers=2) as stream:
        stream.submit(first[:-1])
        stream.submit(first)
        with pytest.raises(StreamError):
            next(stream)
        assert next(stream).shape == good.shape


def test_batches_of_frames_of_any_size(tiny_codec: Codec, make_frame: MakeFrame) -> None:
    frames = [make_frame(40 + 16 * (n % 3), 64, n) for n in range(7)]
    streams = tiny_codec.encode_batch(frames, 3)
    assert streams == [tiny_codec.encode(frame, 3) for frame in frames]
    decoded = tiny_codec.decode_batch(iter(streams))
    for data, frame in zip(streams, decoded, strict=True):
        assert np.array_equal(frame, tiny_codec.decode(data))
    assert tiny_codec.encode_batch([]) == []


def test_a_batch_with_a_bad_frame_raises(tiny_codec: Codec, make_frame: MakeFrame) -> None:
    good = make_frame(16, 16)
    with pytest.raises(FrameShapeError):
        tiny_codec.encode_batch([good, good[..., :2], good])


def test_streams_of_a_codec_share_its_sessions(tiny_codec: Codec) -> None:
    assert tiny_codec._single is tiny_codec._single
    assert tiny_codec._single.sessions.options.threads == 1


def test_an_error_keeps_no_array_of_its_item() -> None:
    """They are freed with it, and not when the garbage collector comes by."""
    held: list[weakref.ref[NDArray[np.uint8]]] = []

    def work() -> None:
        frame = np.zeros(9, np.uint8)
        held.append(weakref.ref(frame))
        raise ValueError(len(frame))

    gc.collect()
    gc.disable()
    try:
        with FrameStream[None](work, workers=1) as stream:
            stream.submit()
            with pytest.raises(ValueError):
                next(stream)
        assert held[0]() is None
    finally:
        gc.enable()
