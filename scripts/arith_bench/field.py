"""The field's coders for learned compression, each called as its users call it."""

from __future__ import annotations

import importlib
import importlib.util
import math
import statistics
import sys
import types
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arith_bench.coder import Job
from arith_bench.data import SCALES, Sample, probabilities

PRECISION = 16
# What CompressAI's Gaussian model leaves to the escape.
TAIL_MASS = 1e-9

# torchac wants a row of frequencies for each symbol: above so much memory it is left out.
TORCHAC_BYTES = 2 << 30


class LeftOutError(Exception):
    """Why a coder is not measured."""


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise LeftOutError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


def _compressai() -> tuple[Any, Any]:
    """compressai.ans and compressai._CXX without the package's own __init__, which wants
    torchvision, pandas and more that the coder has no use for."""
    spec = importlib.util.find_spec("compressai") if "compressai" not in sys.modules else None
    if spec is not None and spec.submodule_search_locations is not None:
        package = types.ModuleType("compressai")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["compressai"] = package
    return _import("compressai.ans"), _import("compressai._CXX")


class CompressaiTables:
    """Cumulative frequencies as CompressAI's GaussianConditional builds them."""

    def __init__(self, native: Any) -> None:
        spread = -statistics.NormalDist().inv_cdf(TAIL_MASS / 2)
        centers = [math.ceil(scale * spread) for scale in SCALES]
        self.rows = []
        for scale, center in zip(SCALES, centers, strict=True):
            inside = probabilities(float(scale), center)
            shares = [*inside.tolist(), max(0.0, 1.0 - float(inside.sum()))]
            self.rows.append(native.pmf_to_quantized_cdf(shares, PRECISION))
        self.lengths = np.array([len(row) for row in self.rows], np.int32)
        self.offsets = -np.array(centers, np.int32)
        self.padded = np.zeros((len(self.rows), int(self.lengths.max())), np.int32)
        for index, row in enumerate(self.rows):
            self.padded[index, : len(row)] = row


def compressai_from_numpy(sample: Sample) -> Job:
    """As CompressAI's own compress and decompress: arrays are turned to lists in each call."""
    ans, native = _compressai()
    tables = CompressaiTables(native)
    symbols, indexes = sample.symbols, sample.indexes

    def lists() -> tuple[Any, Any, Any]:
        return tables.padded.tolist(), tables.lengths.tolist(), tables.offsets.tolist()

    def encode() -> bytes:
        encoder = ans.RansEncoder()
        data: bytes = encoder.encode_with_indexes(symbols.tolist(), indexes.tolist(), *lists())
        return data

    def decode(data: bytes) -> NDArray[np.int16]:
        decoded = ans.RansDecoder().decode_with_indexes(data, indexes.tolist(), *lists())
        return np.array(decoded, np.int16)

    return Job("compressai.ans, from numpy", encode, decode, symbols)


def compressai_from_lists(sample: Sample) -> Job:
    """Its C++ alone, as far as Python can tell: lists ready, unpadded, and no array made."""
    ans, native = _compressai()
    tables = CompressaiTables(native)
    symbols, indexes = sample.symbols.tolist(), sample.indexes.tolist()
    lists = (tables.rows, tables.lengths.tolist(), tables.offsets.tolist())
    return Job(
        "compressai.ans, lists ready",
        lambda: ans.RansEncoder().encode_with_indexes(symbols, indexes, *lists),
        lambda data: ans.RansDecoder().decode_with_indexes(data, indexes, *lists),
        sample.symbols,
    )


def _limit_of(sample: Sample) -> int:
    return int(np.abs(sample.symbols.astype(np.int32)).max()) + 1


def constriction_gaussian(sample: Sample) -> Job:
    """One quantised Gaussian for each symbol, its scale given with it."""
    stream = _import("constriction").stream
    model_of, stack = stream.model, stream.stack
    limit = _limit_of(sample)
    family = model_of.QuantizedGaussian(-limit, limit)
    means = np.zeros(len(sample.symbols))

    def encode() -> bytes:
        coder = stack.AnsCoder()
        symbols = sample.symbols.astype(np.int32)
        coder.encode_reverse(symbols, family, means, SCALES[sample.indexes])
        data: bytes = coder.get_compressed().tobytes()
        return data

    def decode(data: bytes) -> Any:
        coder = stack.AnsCoder(np.frombuffer(data, np.uint32))
        return coder.decode(family, means, SCALES[sample.indexes])

    return Job("constriction, Gaussians", encode, decode, sample.symbols)


def constriction_sorted(sample: Sample) -> Job:
    """One categorical model for each scale, its symbols coded together after a sort."""
    stream = _import("constriction").stream
    model_of, stack = stream.model, stream.stack
    limit = _limit_of(sample)
    models = [
        model_of.Categorical(probabilities(float(scale), limit), perfect=False, lazy=False)
        for scale in SCALES
    ]

    def order() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        counts = np.bincount(sample.indexes, minlength=len(models))
        return np.argsort(sample.indexes, kind="stable"), counts

    def encode() -> bytes:
        coder = stack.AnsCoder()
        sequence, counts = order()
        symbols = sample.symbols[sequence].astype(np.int32) + limit
        pieces = np.split(symbols, np.cumsum(counts)[:-1])
        for model, piece in zip(reversed(models), reversed(pieces), strict=True):
            coder.encode_reverse(piece, model)
        data: bytes = coder.get_compressed().tobytes()
        return data

    def decode(data: bytes) -> Any:
        coder = stack.AnsCoder(np.frombuffer(data, np.uint32))
        sequence, counts = order()
        pieces = [coder.decode(model, int(n)) for model, n in zip(models, counts, strict=True) if n]
        values = np.empty(len(sequence), np.int16)
        values[sequence] = np.concatenate(pieces) - limit
        return values

    return Job("constriction, sorted by table", encode, decode, sample.symbols)


def _torchac() -> tuple[Any, Any]:
    """torch and torchac, which compiles itself as it is imported: without optimisation, were it
    left to itself, and with the compiler's command line on stdout."""
    extension = _import("torch.utils.cpp_extension")
    plain_load = extension.load

    def load(*arguments: Any, **options: Any) -> Any:
        return plain_load(*arguments, **{**options, "extra_cflags": ["-O3"], "verbose": False})

    extension.load = load
    try:
        torchac = _import("torchac")
    finally:
        extension.load = plain_load
    torch = _import("torch")
    torch.set_num_threads(1)
    return torch, torchac


def torchac_rows(sample: Sample, rows_ready: bool) -> Job:
    """Sixteen-bit cumulative frequencies of its own making, a row of them for each symbol."""
    limit = _limit_of(sample)
    width = 2 * limit + 2
    need = 2 * width * len(sample.symbols)
    if need > TORCHAC_BYTES:
        raise LeftOutError(f"its rows of frequencies would take {need / 2**30:.1f} GiB")
    torch, torchac = _torchac()
    inside = np.array([probabilities(float(scale), limit) for scale in SCALES])
    sums = np.concatenate([np.zeros((len(SCALES), 1)), np.cumsum(inside, 1)], 1).clip(0, 1)
    convert = torchac.torchac._convert_to_int_and_normalize
    tables = convert(torch.from_numpy(sums.astype(np.float32)), True)
    ready = tables[torch.from_numpy(sample.indexes.astype(np.int64))] if rows_ready else None

    def rows() -> Any:
        if ready is not None:
            return ready
        return tables[torch.from_numpy(sample.indexes.astype(np.int64))]

    def encode() -> bytes:
        symbols = torch.from_numpy(sample.symbols + np.int16(limit))
        data: bytes = torchac.encode_int16_normalized_cdf(rows(), symbols)
        return data

    def decode(data: bytes) -> Any:
        return torchac.decode_int16_normalized_cdf(rows(), data).numpy() - np.int16(limit)

    name = "torchac, rows ready" if rows_ready else "torchac, from numpy"
    return Job(name, encode, decode, sample.symbols)
