"""Which numbers a device multiplies fast."""

from __future__ import annotations

import torch


def usual_precision(device: str) -> str:
    """ "bfloat16" where the device has instructions for it, else "float32".

    On a processor without AVX-512 PyTorch takes a loop for each product of bfloat16: a step of
    `small` takes twelve times as long there as in float32 (docs/training.md).
    """
    if device != "cpu":
        return "bfloat16"
    fast = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return "bfloat16" if fast else "float32"
