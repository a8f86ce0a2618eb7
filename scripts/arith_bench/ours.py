"""The project's coder: its kernels bare, the call the codec makes, and that in two threads."""

from __future__ import annotations

import ctypes
import os
import queue
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from arith_bench.coder import Job, Values
from arith_bench.data import Sample
from arith_bench.library import Library, Part, Slice, address, address_of_bytes

KERNELS = {"portable": 1, "AVX2": 2, "AVX-512": 3}
AUTO = 0
MAX_LANES = 64
MAX_SLICES = 255
# The codec's means are integers near zero; how wide they spread is of no matter to the coder.
MEAN_SPREAD = 20


class Call:
    """Encodes and decodes one sample with one bank: buffers are made once, bytes each time."""

    def __init__(
        self, library: Library, bank: int, values: Values, indexes: NDArray[np.uint8]
    ) -> None:
        self.library, self.bank = library, bank
        self.values, self.indexes = values, indexes
        self.means: Values | None = None
        self.out = np.zeros_like(values)
        self.buffer = np.zeros(library.bound(len(values)), np.uint8)
        self.written = ctypes.c_size_t()

    def with_means(self, means: Values) -> Call:
        """Adds the means to the values, so that what is coded stays the same."""
        self.means = means
        self.values = self.values + means
        return self

    def encode(self, lanes: int) -> bytes:
        means = None if self.means is None else address(self.means)
        part = Part(self.bank, address(self.values), means, address(self.indexes), len(self.values))
        status = self.library.encode(
            ctypes.byref(part),
            1,
            lanes,
            address(self.buffer),
            len(self.buffer),
            ctypes.byref(self.written),
        )
        self.library.check(status)
        return ctypes.string_at(address(self.buffer), self.written.value)

    def decode_at(self, begin: int, length: int, checksum: ctypes.c_uint32 | None) -> Values:
        status = self.library.decode(
            self.bank,
            begin,
            length,
            address(self.indexes),
            None if self.means is None else address(self.means),
            address(self.out),
            len(self.out),
            None if checksum is None else ctypes.byref(checksum),
        )
        self.library.check(status)
        return self.out

    def decode(self, payload: bytes) -> Values:
        return self.decode_at(address_of_bytes(payload), len(payload), None)

    def encode_checked(self) -> bytes:
        """As the codec does: the payload, then the checksum of the values."""
        payload = self.encode(0)
        checksum: int = self.library.checksum(0, address(self.values), len(self.values))
        return payload + checksum.to_bytes(4, "little")

    def decode_checked(self, data: bytes) -> Values:
        """As the codec does: the checksum comes from the same pass as the values."""
        return self.decode_checked_at(address_of_bytes(data), len(data))

    def decode_checked_at(self, begin: int, length: int) -> Values:
        checksum = ctypes.c_uint32(0)
        values = self.decode_at(begin, length - 4, checksum)
        if ctypes.c_uint32.from_address(begin + length - 4).value != checksum.value:
            raise RuntimeError("wrong checksum")
        return values


def bare(library: Library, bank: int, name: str, sample: Sample, lanes: int) -> Job:
    """Symbols without means, no checksum."""
    call = Call(library, bank, sample.symbols, sample.indexes)
    return Job(name, lambda: call.encode(lanes), call.decode, sample.symbols)


def random_means(n: int) -> Values:
    """Means that differ from value to value, int16 (n,)."""
    spread = np.random.default_rng(2).integers(-MEAN_SPREAD, MEAN_SPREAD + 1, n)
    return spread.astype(np.int16)


def as_the_codec(library: Library, bank: int, name: str, sample: Sample) -> Job:
    """The whole call: means, checks, escapes, checksum, lanes chosen by the size."""
    call = Call(library, bank, sample.symbols, sample.indexes)
    call.with_means(random_means(len(sample.symbols)))
    return Job(name, call.encode_checked, call.decode_checked, call.values)


class Helper:
    """A second thread on a core of its own; ctypes lets both run at once."""

    def __init__(self, core: int) -> None:
        self._done: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._tasks: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        threading.Thread(target=self._work, args=(core,), daemon=True).start()

    def _work(self, core: int) -> None:
        os.sched_setaffinity(0, {core})  # of this thread only
        while True:
            task = self._tasks.get()
            try:
                task()
                self._done.put(None)
            except Exception as error:
                self._done.put(error)

    def share(self, work: Callable[[int], object]) -> None:
        """Does work(0) here and work(1) in the other thread, and returns when both are done."""
        self._tasks.put(lambda: work(1))
        try:
            work(0)
        finally:
            error = self._done.get()
        if error is not None:
            raise error


class Sliced:
    """The codec's call on two slices, one in each thread, joined into one block."""

    def __init__(self, library: Library, bank: int, sample: Sample, helper: Helper) -> None:
        self.library, self.helper = library, helper
        means = random_means(len(sample.symbols))
        self.out = np.zeros_like(means)
        self.values = sample.symbols + means
        self.calls = []
        for piece in np.array_split(np.arange(len(means)), 2):
            where = slice(int(piece[0]), int(piece[-1]) + 1)
            call = Call(library, bank, sample.symbols[where], sample.indexes[where])
            call.out = self.out[where]
            self.calls.append(call.with_means(means[where]))
        self.buffer = np.zeros(library.bound(len(means)) + 4096, np.uint8)
        self.payloads = [b"", b""]
        self.found = (Slice * MAX_SLICES)()

    def _encode_one(self, position: int) -> None:
        self.payloads[position] = self.calls[position].encode_checked()

    def encode(self) -> bytes:
        self.helper.share(self._encode_one)
        slices = (Slice * len(self.calls))(
            *(Slice(address_of_bytes(payload), len(payload)) for payload in self.payloads)
        )
        written = ctypes.c_size_t()
        self.library.check(
            self.library.slices_join(
                slices,
                len(slices),
                address(self.buffer),
                len(self.buffer),
                ctypes.byref(written),
            )
        )
        return ctypes.string_at(address(self.buffer), written.value)

    def _decode_one(self, begin: int, position: int) -> None:
        self.library.check(self.library.slices_check(begin, self.found, 2, position))
        found = self.found[position]
        self.calls[position].decode_checked_at(found.data, found.length)

    def decode(self, block: bytes) -> Values:
        begin, count = address_of_bytes(block), ctypes.c_size_t()
        self.library.check(
            self.library.slices_split(begin, len(block), self.found, ctypes.byref(count))
        )
        self.helper.share(lambda position: self._decode_one(begin, position))
        return self.out


def sliced(library: Library, bank: int, name: str, sample: Sample, helper: Helper) -> Job:
    """The whole call on two slices, in two threads."""
    call = Sliced(library, bank, sample, helper)
    return Job(name, call.encode, call.decode, call.values)
