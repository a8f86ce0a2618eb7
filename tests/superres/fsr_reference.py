"""ffx_fsr1.h in scalars, line by line: what `superres/fsr.py` is compared with.

A transcription of FsrEasuCon, FsrEasuTapF, FsrEasuSetF, FsrEasuF, FsrRcasCon and FsrRcasF of AMD's
ffx_fsr1.h (v1.20210629) and of APrxLoRcpF1, APrxMedRcpF1 and APrxLoRsqF1 of ffx_a.h, in its names,
one output pixel at a time. Copyright (c) 2021 Advanced Micro Devices, Inc., MIT licence; the
notice is in full in `superres/fsr.py`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

F = np.float32
Image = NDArray[np.float32]


def bits(x: np.float32) -> int:
    return int(np.array(x, F).view(np.uint32))


def from_bits(value: int) -> np.float32:
    return np.array(value & 0xFFFFFFFF, np.uint32).view(F)[()]


def aprx_lo_rcp(a: np.float32) -> np.float32:
    return from_bits(0x7EF07EBB - bits(a))


def aprx_med_rcp(a: np.float32) -> np.float32:
    b = from_bits(0x7EF19FFF - bits(a))
    return b * (-b * a + F(2.0))


def aprx_lo_rsq(a: np.float32) -> np.float32:
    return from_bits(0x5F347D74 - (bits(a) >> 1))


def sat(a: np.float32) -> np.float32:
    return min(max(a, F(0.0)), F(1.0))


class Easu:
    """One input image and the constants of FsrEasuCon; (height, width, 3) float32."""

    def __init__(self, image: Image, out_h: int, out_w: int, view_h: float, view_w: float) -> None:
        self.image = image
        rcp_x, rcp_y = F(1.0) / F(out_w), F(1.0) / F(out_h)
        self.con0 = (
            F(view_w) * rcp_x,
            F(view_h) * rcp_y,
            F(0.5) * F(view_w) * rcp_x - F(0.5),
            F(0.5) * F(view_h) * rcp_y - F(0.5),
        )

    def load(self, x: int, y: int) -> list[np.float32]:
        """A texel with the sampler clamped to the edge."""
        height, width = self.image.shape[:2]
        return list(self.image[min(max(y, 0), height - 1), min(max(x, 0), width - 1)])

    @staticmethod
    def tap(acc: list, off: tuple, dir_: tuple, len_: tuple, lob, clp, c: list) -> None:
        vx = (off[0] * dir_[0]) + (off[1] * dir_[1])
        vy = (off[0] * (-dir_[1])) + (off[1] * dir_[0])
        vx *= len_[0]
        vy *= len_[1]
        d2 = vx * vx + vy * vy
        d2 = min(d2, clp)
        w_b = F(2.0 / 5.0) * d2 + F(-1.0)
        w_a = lob * d2 + F(-1.0)
        w_b *= w_b
        w_a *= w_a
        w_b = F(25.0 / 16.0) * w_b + F(-(25.0 / 16.0 - 1.0))
        w = w_b * w_a
        for k in range(3):
            acc[k] += c[k] * w
        acc[3] += w

    @staticmethod
    def set(state: list, w, l_a, l_b, l_c, l_d, l_e) -> None:
        dc = l_d - l_c
        cb = l_c - l_b
        len_x = max(abs(dc), abs(cb))
        len_x = aprx_lo_rcp(len_x)
        dir_x = l_d - l_b
        state[0] += dir_x * w
        len_x = sat(abs(dir_x) * len_x)
        len_x *= len_x
        state[2] += len_x * w
        ec = l_e - l_c
        ca = l_c - l_a
        len_y = max(abs(ec), abs(ca))
        len_y = aprx_lo_rcp(len_y)
        dir_y = l_e - l_a
        state[1] += dir_y * w
        len_y = sat(abs(dir_y) * len_y)
        len_y *= len_y
        state[2] += len_y * w

    def pixel(self, x: int, y: int) -> list[np.float32]:
        ppx = F(x) * self.con0[0] + self.con0[2]
        ppy = F(y) * self.con0[1] + self.con0[3]
        fx, fy = math.floor(ppx), math.floor(ppy)
        ppx, ppy = ppx - F(fx), ppy - F(fy)
        places = {
            **{"b": (0, -1), "c": (1, -1)},
            **{"e": (-1, 0), "f": (0, 0), "g": (1, 0), "h": (2, 0)},
            **{"i": (-1, 1), "j": (0, 1), "k": (1, 1), "l": (2, 1)},
            **{"n": (0, 2), "o": (1, 2)},
        }
        t = {name: self.load(fx + dx, fy + dy) for name, (dx, dy) in places.items()}
        lum = {n: c[2] * F(0.5) + (c[0] * F(0.5) + c[1]) for n, c in t.items()}
        one = F(1.0)
        state = [F(0.0), F(0.0), F(0.0)]
        self.set(state, (one - ppx) * (one - ppy), *(lum[n] for n in "befgj"))
        self.set(state, ppx * (one - ppy), *(lum[n] for n in "cfghk"))
        self.set(state, (one - ppx) * ppy, *(lum[n] for n in "fijkn"))
        self.set(state, ppx * ppy, *(lum[n] for n in "gjklo"))
        dir_x, dir_y, length = state
        dir_r = dir_x * dir_x + dir_y * dir_y
        zro = dir_r < F(1.0 / 32768.0)
        dir_r = one if zro else aprx_lo_rsq(dir_r)
        dir_x = one if zro else dir_x
        dir_x *= dir_r
        dir_y *= dir_r
        length = length * F(0.5)
        length *= length
        stretch = dir_x * dir_x + dir_y * dir_y
        stretch = stretch * aprx_lo_rcp(max(abs(dir_x), abs(dir_y)))
        len2 = (one + (stretch - one) * length, one + F(-0.5) * length)
        lob = F(0.5) + F((1.0 / 4.0 - 0.04) - 0.5) * length
        clp = aprx_lo_rcp(lob)
        acc = [F(0.0), F(0.0), F(0.0), F(0.0)]
        for n in "bcijfeklhgon":
            off = (F(places[n][0]) - ppx, F(places[n][1]) - ppy)
            self.tap(acc, off, (dir_x, dir_y), len2, lob, clp, t[n])
        rcp = one / acc[3]
        near = [t[n] for n in "fgjk"]
        low = [min(c[k] for c in near) for k in range(3)]
        high = [max(c[k] for c in near) for k in range(3)]
        return [min(high[k], max(low[k], acc[k] * rcp)) for k in range(3)]


def easu(image: Image, out_h: int, out_w: int, view_h: float, view_w: float) -> Image:
    run = Easu(image, out_h, out_w, view_h, view_w)
    return np.array([[run.pixel(x, y) for x in range(out_w)] for y in range(out_h)], F)


def _fmax(a: np.float32, b: np.float32) -> np.float32:
    """max of a GPU: what is no number loses."""
    return b if np.isnan(a) else a if np.isnan(b) else max(a, b)


def rcas(image: Image, stops: float) -> Image:
    con = F(2.0) ** F(-stops)
    limit = F(0.25 - (1.0 / 16.0))
    height, width = image.shape[:2]
    out = np.empty_like(image)
    with np.errstate(all="ignore"):
        for y in range(height):
            for x in range(width):
                out[y, x] = _rcas_pixel(image, x, y, con, limit)
    return out


def _rcas_pixel(image: Image, x: int, y: int, con, limit) -> list:
    height, width = image.shape[:2]

    def load(dx: int, dy: int) -> list:
        return list(image[min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1)])

    b, d, e, f, h = load(0, -1), load(-1, 0), load(0, 0), load(1, 0), load(0, 1)
    lobes = []
    for k in range(3):
        mn4 = min(b[k], d[k], f[k], h[k])
        mx4 = max(b[k], d[k], f[k], h[k])
        hit_min = min(mn4, e[k]) * (F(1.0) / (F(4.0) * mx4))
        hit_max = (F(1.0) - max(mx4, e[k])) * (F(1.0) / (F(4.0) * mn4 + F(-4.0)))
        lobes.append(_fmax(-hit_min, hit_max))
    lobe = max(-limit, min(max(lobes), F(0.0))) * con
    rcp = aprx_med_rcp(F(4.0) * lobe + F(1.0))
    return [(lobe * b[k] + lobe * d[k] + lobe * h[k] + lobe * f[k] + e[k]) * rcp for k in range(3)]
