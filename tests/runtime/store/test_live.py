"""Switching while frames go by."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from c3d_export.core.errors import (
    BundleHashError,
    BundleManifestError,
    C3DWarning,
    MissingModelError,
    OptionError,
    StreamForeignError,
)
from c3d_export.runtime.codec import Codec
from c3d_export.runtime.store import live
from c3d_export.runtime.store.live import LiveDecoder, LiveEncoder, Watch
from c3d_export.runtime.store.store import Store
from c3d_export.runtime.stream import peek_header

from .conftest import Version

FRAMES = 5_000
SWITCH_EVERY = 250
Frame = NDArray[np.uint8]


@pytest.fixture
def pair(store: Store, tiny_bytes: bytes, other_bytes: bytes) -> tuple[bytes, bytes]:
    """Ids of two stored codecs that give other bytes and other pixels; the first is active."""
    first, second = store.add(tiny_bytes), store.add(other_bytes)
    store.activate("tiny", first)
    return first, second


@pytest.fixture
def pictures(make_frame: Callable[..., Frame]) -> list[Frame]:
    return [make_frame(16, 16, seed) for seed in range(10)]


class Truth:
    """What each codec makes of each picture, from codecs that nobody switches."""

    def __init__(self, store: Store, ids: tuple[bytes, ...], pictures: list[Frame]) -> None:
        self.streams: dict[bytes, list[bytes]] = {}
        self.shown: dict[bytes, list[Frame]] = {}
        for codec_id in ids:
            codec = store.open(codec_id, threads=1)
            self.streams[codec_id] = [codec.encode(picture, 2) for picture in pictures]
            self.shown[codec_id] = [codec.decode(blob) for blob in self.streams[codec_id]]


def test_five_thousand_frames_with_switches(
    store: Store, pair: tuple[bytes, bytes], pictures: list[Frame]
) -> None:
    truth = Truth(store, pair, pictures)
    encoder, decoder = store.encoder("tiny", threads=1), store.decoder(threads=1)
    operator, made = Store(store.layout.root), []
    for index in range(FRAMES):
        if index % SWITCH_EVERY == SWITCH_EVERY - 1:
            operator.activate("tiny", pair[operator.active("tiny") == pair[0]])
        stream = encoder.encode(pictures[index % 10], 2)
        codec = peek_header(stream).codec_id
        assert stream == truth.streams[codec][index % 10]
        assert np.array_equal(decoder.decode(stream), truth.shown[codec][index % 10])
        made.append(codec)
        if index % SWITCH_EVERY == SWITCH_EVERY // 2:  # a machine of two busy cores is slow to open
            encoder.settle()
    switches = sum(a != b for a, b in pairwise(made))
    assert len(made) == FRAMES
    assert switches == FRAMES // SWITCH_EVERY - 1  # the last is ordered by the last frame
    assert encoder.settle()
    assert encoder.codec.id == operator.active("tiny")


def test_threads_share_encoder_and_decoder(
    store: Store, pair: tuple[bytes, bytes], pictures: list[Frame]
) -> None:
    truth = Truth(store, pair, pictures)
    encoder, decoder = store.encoder("tiny", threads=1), store.decoder(threads=1)
    faults: list[str] = []
    used: set[bytes] = set()

    def work() -> None:
        for index in range(100):
            stream = encoder.encode(pictures[index % 10], 2)
            codec = peek_header(stream).codec_id
            used.add(codec)
            same = stream == truth.streams[codec][index % 10]
            if not same or not np.array_equal(
                decoder.decode(stream), truth.shown[codec][index % 10]
            ):
                faults.append(f"frame {index}")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    store.activate("tiny", pair[1])
    for thread in threads:
        thread.join()
    encoder.settle()
    assert not faults
    used.add(peek_header(encoder.encode(pictures[0], 2)).codec_id)
    assert used == set(pair)


class Held:
    """Opens codecs only when allowed to."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate, self.begun = threading.Event(), threading.Event()
        self.opened: list[str | bytes] = []
        self._open = store.open
        monkeypatch.setattr(store, "open", self.open)

    def open(self, name_or_id: str | bytes, *args: Any, **options: Any) -> Codec:
        self.begun.set()
        assert self.gate.wait(30)
        self.opened.append(name_or_id)
        return self._open(name_or_id, *args, **options)


@pytest.fixture
def held(store: Store, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(store, monkeypatch)


def _encoder(store: Store, held: Held) -> LiveEncoder:
    held.gate.set()
    encoder = store.encoder("tiny", threads=1)
    held.gate.clear()
    held.begun.clear()
    held.opened.clear()
    return encoder


def test_frames_go_on_with_the_old_codec_until_the_new_one_is_ready(
    store: Store, pair: tuple[bytes, bytes], pictures: list[Frame], held: Held
) -> None:
    encoder = _encoder(store, held)
    store.activate("tiny", pair[1])
    for _ in range(20):
        assert peek_header(encoder.encode(pictures[0], 2)).codec_id == pair[0]
    assert held.begun.wait(30)
    assert not encoder.settle(0.01)
    held.gate.set()
    assert encoder.settle(30)
    assert peek_header(encoder.encode(pictures[0], 2)).codec_id == pair[1]
    assert held.opened == [pair[1]]


def test_going_back_while_a_codec_is_being_opened(
    store: Store, pair: tuple[bytes, bytes], held: Held
) -> None:
    encoder = _encoder(store, held)
    store.activate("tiny", pair[1])
    assert encoder.codec.id == pair[0]
    assert held.begun.wait(30)
    store.rollback("tiny")
    assert encoder.codec.id == pair[0]
    held.gate.set()
    assert encoder.settle(30)
    assert (encoder.codec.id, encoder.fault) == (pair[0], None)
    store.activate("tiny", pair[1])
    encoder.settle(30)
    assert encoder.codec.id == pair[1]


def test_the_last_of_several_switches_counts(
    store: Store, pair: tuple[bytes, bytes], version: Version, held: Held
) -> None:
    encoder, last = _encoder(store, held), store.add(version(7))
    store.activate("tiny", pair[1])
    assert encoder.codec.id == pair[0]
    assert held.begun.wait(30)
    store.activate("tiny", last)
    assert encoder.codec.id == pair[0]
    held.gate.set()
    assert encoder.settle(30)
    assert encoder.codec.id == last
    assert held.opened == [pair[1], last]


def test_a_codec_that_does_not_open_is_told_of_once_and_not_used(
    store: Store, pair: tuple[bytes, bytes]
) -> None:
    encoder = store.encoder("tiny", threads=1)
    store.activate("tiny", pair[1])
    only_of_it = store.manifest(pair[1])["members"]["card.md"]["sha256"]
    blob = store.layout.blobs / only_of_it
    sound = blob.read_bytes()
    blob.write_bytes(sound[::-1])
    encoder.settle()
    with pytest.warns(
        C3DWarning, match=f"tiny stays with codec {pair[0].hex()}: member card"
    ) as seen:
        assert encoder.codec.id == encoder.codec.id == pair[0]
    assert len(seen) == 1
    assert [w.filename for w in seen] == [__file__]
    assert isinstance(encoder.fault, BundleHashError)
    blob.write_bytes(sound)
    store.rollback("tiny")
    assert (encoder.codec.id, encoder.fault) == (pair[0], None)
    store.activate("tiny", pair[1])
    encoder.settle()
    assert (encoder.codec.id, encoder.fault) == (pair[1], None)


def test_a_codec_of_fewer_rate_points_is_not_switched_to(
    store: Store, pair: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = store.encoder("tiny", threads=1)
    real = Codec.qualities.fget  # type: ignore[attr-defined]
    more = property(lambda codec: range(1, 99) if codec.id == pair[0] else real(codec))
    monkeypatch.setattr(Codec, "qualities", more)
    store.activate("tiny", pair[1])
    encoder.settle()
    with pytest.warns(C3DWarning, match="has 8 rate points and the one in use 98"):
        assert encoder.codec.id == pair[0]


@pytest.mark.parametrize("fault", [MissingModelError, BundleManifestError])
def test_a_name_that_goes_or_is_damaged_keeps_the_codec(
    store: Store, pair: tuple[bytes, bytes], fault: type[Exception]
) -> None:
    encoder, record = store.encoder("tiny", threads=1), store.layout.record("tiny")
    sound = record.read_bytes()
    if fault is MissingModelError:
        record.unlink()
    else:
        record.write_bytes(b"{}")
    with pytest.warns(C3DWarning) as seen:
        assert encoder.codec.id == encoder.codec.id == pair[0]
    assert len(seen) == 1
    assert isinstance(encoder.fault, fault)
    record.write_bytes(sound)
    assert (encoder.codec.id, encoder.fault) == (pair[0], None)


def test_an_encoder_needs_a_name(store: Store) -> None:
    with pytest.raises(MissingModelError, match="install"):
        store.encoder("tiny")


def test_a_change_within_one_tick_of_the_clock_is_seen(
    store: Store, pair: tuple[bytes, bytes]
) -> None:
    """Two writes may show the same time, size and, by a freed inode, number."""
    record = store.layout.record("tiny")
    watch, before = Watch(record), record.stat()
    assert watch.look() == pair[0]
    text = record.read_bytes().replace(pair[0].hex().encode(), pair[1].hex().encode())
    record.write_bytes(text)  # in place: the same inode
    os.utime(record, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert watch.look() == pair[1]


def test_a_quiet_record_is_not_read(
    store: Store, pair: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = store.layout.record("tiny")
    os.utime(record, (0, 0))
    watch = Watch(record)
    assert watch.look() == pair[0]
    monkeypatch.setattr(live, "read_record", None)
    assert [watch.look() for _ in range(3)] == [pair[0]] * 3


def test_a_decoder_opens_each_codec_once_and_keeps_the_last_used(
    store: Store, pair: tuple[bytes, bytes], version: Version, pictures: list[Frame], held: Held
) -> None:
    held.gate.set()
    ids = (*pair, store.add(version(3)))
    truth, decoder = Truth(store, ids, pictures[:1]), LiveDecoder(store, keep=2, threads=1)
    held.opened.clear()
    for index in (0, 1, 0, 2, 0, 1):
        (stream,), (shown,) = truth.streams[ids[index]], truth.shown[ids[index]]
        assert np.array_equal(decoder.decode(stream), shown)
    assert held.opened == [ids[0], ids[1], ids[2], ids[1]]


def test_streams_of_a_pruned_and_of_a_later_codec(
    store: Store, pair: tuple[bytes, bytes], version: Version, pictures: list[Frame]
) -> None:
    truth, decoder = Truth(store, pair, pictures[:1]), store.decoder(threads=1)
    store.prune()  # the second was never active
    (stream,) = truth.streams[pair[1]]
    for _ in range(2):
        with pytest.raises(StreamForeignError, match=f"{pair[1].hex()}, which is not installed"):
            decoder.decode(stream)
    assert decoder.decode(truth.streams[pair[0]][0]).shape == (16, 16, 3)


def test_threads_that_meet_an_unknown_codec_at_once_all_learn_it(
    store: Store, pair: tuple[bytes, bytes], pictures: list[Frame], held: Held
) -> None:
    held.gate.set()
    truth, decoder = Truth(store, pair, pictures[:1]), store.decoder(threads=1)
    store.prune()
    (stream,) = truth.streams[pair[1]]
    held.gate.clear()
    held.opened.clear()
    with ThreadPoolExecutor(4) as pool:
        errors = [pool.submit(decoder.decode, stream) for _ in range(4)]
        assert held.begun.wait(30)
        time.sleep(0.2)  # for the three others to come to the same codec
        held.gate.set()
        assert [type(error.exception(30)) for error in errors] == [StreamForeignError] * 4
    assert len(held.opened) == 1, "they waited for one"


def test_a_codec_that_is_installed_later_decodes(
    store: Store, pair: tuple[bytes, bytes], other_bytes: bytes, pictures: list[Frame]
) -> None:
    truth, decoder = Truth(store, pair, pictures[:1]), store.decoder(threads=1)
    store.prune()
    with pytest.raises(StreamForeignError):
        decoder.decode(truth.streams[pair[1]][0])
    store.add(other_bytes)
    assert np.array_equal(decoder.decode(truth.streams[pair[1]][0]), truth.shown[pair[1]][0])


def test_a_decoder_of_a_name_opens_its_next_codec_ahead(
    store: Store, pair: tuple[bytes, bytes], pictures: list[Frame], held: Held
) -> None:
    held.gate.set()
    truth = Truth(store, pair, pictures[:1])
    held.opened.clear()
    decoder = store.decoder(names=["tiny"], threads=1)
    assert held.opened == [pair[0]]
    held.begun.clear()
    store.activate("tiny", pair[1])
    decoder.decode(truth.streams[pair[0]][0])
    assert held.begun.wait(30)
    assert np.array_equal(decoder.decode(truth.streams[pair[1]][0]), truth.shown[pair[1]][0])
    assert held.opened == list(pair)


@pytest.mark.parametrize("keep", [0, -1, 1.5])
def test_a_decoder_keeps_at_least_one(store: Store, keep: Any) -> None:
    with pytest.raises(OptionError, match="keep"):
        LiveDecoder(store, keep=keep)
