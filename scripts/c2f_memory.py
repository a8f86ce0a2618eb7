"""Peak memory and processor time of a coarse-to-fine network in PyTorch, encoding or decoding.

python scripts/c2f_memory.py                                   # c2f-small at 1080p
python scripts/c2f_memory.py --model c2f-xsmall --size 720p

Each way runs in a process of its own, without gradients, with random weights: networks alone, no
entropy coder. Seconds are of the processor, all threads together.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

from c3d_export.core.sizes import parse_size
from c3d_export.models.c2f import MODELS


def encode_or_decode(way: str, name: str, width: int, height: int, threads: int) -> None:
    import torch

    from c3d_export.models.c2f.frames import from_network, to_network

    torch.set_num_threads(threads)
    model = MODELS[name]().eval()
    before = _peak()
    with torch.inference_mode():
        x = to_network(torch.zeros(1, 3, height, width))
        if way == "encode":
            begin = time.process_time()
            model.side(model.analyse(x))
        else:
            latents = model.analyse(torch.zeros(1, 3, 64, 64))
            sizes = [x.shape[2] // 16, x.shape[3] // 16]
            latents = type(latents)(
                *(z if z is None else torch.zeros(1, z.shape[1], *(s >> i for s in sizes))
                  for i, z in enumerate((latents.z3, latents.z2, latents.z1)))
            )  # fmt: skip
            del x
            begin = time.process_time()
            from_network(model.synthesise(latents), height, width)
    seconds = time.process_time() - begin
    print(f"{way} {name} {width}x{height}: {_peak():.0f} MB ({before:.0f} before), {seconds:.2f} s")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="c2f-small", choices=list(MODELS))
    parser.add_argument("--size", default="1080p")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--way", choices=["encode", "decode"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way is not None:
        width, height = parse_size(options.size)
        encode_or_decode(options.way, options.model, width, height, options.threads)
        return
    for way in ("encode", "decode"):
        subprocess.run([sys.executable, *sys.argv, "--way", way], check=True)


if __name__ == "__main__":
    main()
