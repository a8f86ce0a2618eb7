"""What runs on every host: opens the codec, encodes, decodes, tells digests.

    python -S -P probe.py JOB.json >RESULT.json

It needs numpy, onnxruntime, Pillow and the package's host side only. A job has `bundle` (a file),
`flavours`, `threads`, `encode` (a list of {frame, array, qualities}; array: .npy, uint8 (H, W, 3)),
`decode` (SHA-256 of streams), `store` (the folder of streams and pixels, named by their SHA-256)
and, for the negative controls, `graphs` (whether to tell the raw outputs of every graph) and
`layers` (a list of {model, input, output}: an ONNX file, what goes in, where its output goes).
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from c3d_export import _arith
from c3d_export.core.errors import C3DError
from c3d_export.runtime.bundle import read_bundle
from c3d_export.runtime.codec import Codec, open_codec
from c3d_export.runtime.known import compute_known_answers
from c3d_export.runtime.sessions import SessionOptions

Job = dict[str, Any]
Rows = list[dict[str, Any]]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def host_facts() -> dict[str, Any]:
    """Versions, and what this processor, real or played, can do as numpy sees it."""
    core = getattr(np, "_core", None) or np.core
    features: dict[str, bool] = core._multiarray_umath.__cpu_features__
    kernels = {"AVX-512": _arith.KERNEL_AVX512, "AVX2": _arith.KERNEL_AVX2}
    kernel = next((n for n, k in kernels.items() if _arith.kernel_available(k)), "portable")
    return {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
        "features": sorted(name for name, has in features.items() if has),
        "coder": kernel,
    }


def keep(store: Path, data: bytes) -> str:
    """The SHA-256 of data; the first host that has it writes the file of this name."""
    name = hashlib.sha256(data).hexdigest()
    path = store / name
    if not path.exists():
        temporary = path.with_suffix(".new")
        temporary.write_bytes(data)
        temporary.replace(path)
    return name


def encode(codec: Codec, job: Job, flavour: str) -> Iterator[dict[str, Any]]:
    for item in job["encode"]:
        frame = np.load(item["array"])
        for quality in item["qualities"]:
            started = time.monotonic()
            stream = codec.encode(frame, quality)
            seconds = time.monotonic() - started
            yield {
                "frame": item["frame"],
                "quality": quality,
                "flavour": flavour,
                "stream": keep(Path(job["store"]), stream),
                "bytes": len(stream),
                "seconds": round(seconds, 3),
            }


def decode(codec: Codec, job: Job, flavour: str) -> Iterator[dict[str, Any]]:
    store = Path(job["store"])
    for name in job["decode"]:
        started = time.monotonic()
        row: dict[str, Any] = {"stream": name, "flavour": flavour}
        try:
            frame = codec.decode((store / name).read_bytes())
            row |= {"pixels": keep(store, frame.tobytes()), "values": frame.size}
        except C3DError as error:
            row |= {"error": type(error).__name__, "message": str(error)}
        yield row | {"seconds": round(time.monotonic() - started, 3)}


def open_flavour(job: Job, flavour: str) -> tuple[Codec | None, dict[str, Any]]:
    """The codec after its known answers; None and the reason where this host is refused."""
    started = time.monotonic()
    codec, error = None, ""
    try:
        codec = open_codec(job["bundle"], flavour=flavour, threads=job["threads"])
    except C3DError as reason:
        error = f"{type(reason).__name__}: {reason}"
    seconds = round(time.monotonic() - started, 3)
    return codec, {"flavour": flavour, "error": error, "seconds": seconds}


def graph_answers(job: Job, flavour: str) -> Rows:
    """Checksums of every output of every graph on noise, without any refusal."""
    codec = Codec(read_bundle(job["bundle"]), SessionOptions("cpu", flavour, job["threads"]))
    rows = [row for row in compute_known_answers(codec) if "graph" in row]
    return [row | {"flavour": flavour} for row in rows]


def run_layer(layer: dict[str, str]) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(layer["model"], options, ["CPUExecutionProvider"])
    x: NDArray[Any] = np.load(layer["input"])
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    np.save(layer["output"], y)


def main() -> int:
    job: Job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    result: dict[str, Any] = {"host": host_facts()}
    opened: Rows = []
    encoded: Rows = []
    decoded: Rows = []
    answers: Rows = []
    for layer in job.get("layers", []):
        run_layer(layer)
    for flavour in job["flavours"]:
        if job.get("graphs"):
            answers += graph_answers(job, flavour)
        codec, row = open_flavour(job, flavour)
        opened.append(row)
        say(f"{flavour}: known answers {'differ' if row['error'] else 'hold'}, {row['seconds']} s")
        if codec is not None:
            encoded += encode(codec, job, flavour)
            decoded += decode(codec, job, flavour)
            say(f"{flavour}: {len(job['encode'])} frames and {len(job['decode'])} streams")
    result |= {"opened": opened, "encoded": encoded, "decoded": decoded, "answers": answers}
    json.dump(result, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
