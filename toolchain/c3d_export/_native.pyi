"""Passes between the networks and the entropy coder (C extension); sizes are checked."""

from typing import Any, TypeAlias

import numpy.typing as npt
from typing_extensions import Buffer

Array: TypeAlias = Buffer | npt.NDArray[Any]
Grid: TypeAlias = tuple[int, int, int, int, int, int, int, int]

def unshuffle(frame: Array, height: int, width: int, patches: Array, blocks: Array) -> None: ...
def shuffle(
    sums: Array,
    scale: Array,
    bias: Array,
    correction: Array,
    frame: Array,
    height: int,
    width: int,
) -> None: ...
def spread(
    v: Array,
    fine: Array,
    planes: Array,
    rows: int,
    columns: int,
    channels: int,
    fine_channels: int,
    runs: Array,
    count: int,
    seen: Array,
    spread: Array,
) -> None: ...
def latents(
    linear: Array,
    head: Array,
    scale0: Array,
    bias0: Array,
    scale1: Array,
    bias1: Array,
    factor: Array,
    rows: int,
    columns: int,
    channels: int,
    base: int,
    padded_rows: int,
    padded_columns: int,
    y: Array,
    activity: Array,
) -> None: ...
def activity(
    v: Array, factor: Array, rows: int, columns: int, channels: int, base: int, out: Array
) -> None: ...
def indexes(grid: Grid, index: Array, offset: Array, out: Array) -> None: ...
def quantize(
    grid: Grid,
    y: Array,
    mean: Array,
    index: Array,
    offset: Array,
    reciprocal: Array,
    rounding: Array,
    step: Array,
    symbols: Array,
    indexes: Array,
    v: Array,
) -> None: ...
def dequantize(
    grid: Grid,
    symbols: Array,
    mean: Array,
    step: Array,
    v: Array,
    fine: Array,
    fine_channels: int,
) -> None: ...
def overlay_choose(
    place: Array,
    group: Array,
    pixels: Array,
    height: int,
    width: int,
    tiles: int,
    groups: int,
    frame: Array,
    limit: int,
    used: Array,
    flags: Array,
) -> None: ...
def overlay_lift(
    place: Array,
    group: Array,
    pixels: Array,
    height: int,
    width: int,
    tiles: int,
    groups: int,
    flags: Array,
    frame: Array,
    holes: Array,
    cells: Array,
) -> None: ...
def overlay_check(
    place: Array,
    group: Array,
    pixels: Array,
    height: int,
    width: int,
    tiles: int,
    groups: int,
    frame: Array,
    lifted: Array,
    flags: Array,
) -> int: ...
def overlay_paste(
    place: Array,
    group: Array,
    pixels: Array,
    height: int,
    width: int,
    tiles: int,
    groups: int,
    flags: Array,
    frame: Array,
) -> None: ...
def overlay_pack(
    place: Array,
    group: Array,
    pixels: Array,
    height: int,
    width: int,
    tiles: int,
    groups: int,
    flags: Array,
    data: Array,
) -> int: ...
def overlay_unpack(
    place: Array,
    group: Array,
    pixels: Array,
    height: int,
    width: int,
    tiles: int,
    groups: int,
    data: Array,
    size: int,
    flags: Array,
) -> None: ...
def overlay_pixels(mask: Array, tiles: int, symbols: Array, count: int, pixels: Array) -> None: ...
def fill(frame: Array, holes: Array, height: int, width: int, cells: Array) -> None: ...
def fill_bytes(height: int, width: int) -> int: ...
def convolve(
    x: Array,
    sizes: tuple[int, int, int],
    weight: Array,
    parts: tuple[Array, Array, Array, Array, Array],
    places: tuple[int, int, int, int, int, int, int, int, int],
    kernel: int,
    out: Array,
) -> None: ...
def winograd(
    x: Array,
    sizes: tuple[int, int, int],
    weight: Array,
    parts: tuple[Array, Array, Array, Array, Array],
    places: tuple[int, int, int, int, int, int, int, int, int],
    kernel: int,
    out: Array,
    products: tuple[int, int],
) -> None: ...
def square(x: Array, count: int, shift: int, kernel: int, out: Array) -> None: ...
def normalise(
    x: Array,
    norm: Array,
    sizes: tuple[int, int],
    parts: tuple[Array, Array, Array],
    place: tuple[int, int],
    kernel: int,
    out: Array,
) -> None: ...
def convolution_kernel(most: int) -> int: ...
def heads(
    out: Array, places: int, channels: int, table: Array, index: Array, mean: Array
) -> None: ...
def symbols(y: Array, mean: Array, count: int, fraction: int, symbols: Array) -> None: ...
def y_hat(symbols: Array, mean: Array, count: int, fraction: int, y_hat: Array) -> bool: ...
