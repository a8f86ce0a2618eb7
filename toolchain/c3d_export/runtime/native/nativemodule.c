/* c3d_export._native: the passes of native_passes.h for Python. */
#include "native_arguments.h"

static PyMethodDef methods[] = {
    {"unshuffle", native_unshuffle, METH_VARARGS,
     "unshuffle(frame, height, width, patches, blocks)"},
    {"shuffle", native_shuffle, METH_VARARGS,
     "shuffle(sums, scale, bias, correction, frame, height, width)"},
    {"spread", native_spread, METH_VARARGS,
     "spread(v, fine, planes, rows, columns, channels, fine_channels, runs, count, seen, "
     "spread)"},
    {"latents", native_latents, METH_VARARGS,
     "latents(linear, head, scale0, bias0, scale1, bias1, factor, rows, columns, channels, base, "
     "padded_rows, padded_columns, y, activity)"},
    {"activity", native_activity, METH_VARARGS,
     "activity(v, factor, rows, columns, channels, base, out)"},
    {"indexes", native_indexes, METH_VARARGS, "indexes(grid, index, offset, out)"},
    {"quantize", native_quantize, METH_VARARGS,
     "quantize(grid, y, mean, index, offset, reciprocal, rounding, step, symbols, indexes, v)"},
    {"dequantize", native_dequantize, METH_VARARGS,
     "dequantize(grid, symbols, mean, step, v, fine, fine_channels)"},
    {"overlay_choose", native_overlay_choose, METH_VARARGS,
     "overlay_choose(place, group, pixels, height, width, tiles, groups, frame, limit, used, "
     "flags)"},
    {"overlay_lift", native_overlay_lift, METH_VARARGS,
     "overlay_lift(place, group, pixels, height, width, tiles, groups, flags, frame, holes, "
     "cells)"},
    {"overlay_check", native_overlay_check, METH_VARARGS,
     "overlay_check(place, group, pixels, height, width, tiles, groups, frame, lifted, flags)"},
    {"overlay_paste", native_overlay_paste, METH_VARARGS,
     "overlay_paste(place, group, pixels, height, width, tiles, groups, flags, frame)"},
    {"overlay_pack", native_overlay_pack, METH_VARARGS,
     "overlay_pack(place, group, pixels, height, width, tiles, groups, flags, data)"},
    {"overlay_unpack", native_overlay_unpack, METH_VARARGS,
     "overlay_unpack(place, group, pixels, height, width, tiles, groups, data, size, flags)"},
    {"overlay_pixels", native_overlay_pixels, METH_VARARGS,
     "overlay_pixels(mask, tiles, symbols, count, pixels)"},
    {"fill", native_fill, METH_VARARGS, "fill(frame, holes, height, width, cells)"},
    {"fill_bytes", native_fill_bytes, METH_VARARGS, "fill_bytes(height, width)"},
    {"convolve", native_convolve, METH_VARARGS,
     "convolve(x, (runs, length, outputs), weight, (bias, scale, negative, low, high), (rows, "
     "columns, x_first, x_row, x_column, x_run, out_first, out_row, out_column), kernel, out)"},
    {"winograd", native_winograd, METH_VARARGS,
     "winograd(as convolve, (rows, columns)): runs and (rows, columns) are the products of a tile"},
    {"square", native_square, METH_VARARGS, "square(x, count, shift, kernel, out)"},
    {"normalise", native_normalise, METH_VARARGS,
     "normalise(x, norm, (places, channels), (scale, low, high), (first, step), kernel, out)"},
    {"convolution_kernel", native_convolution_kernel, METH_VARARGS, "convolution_kernel(most)"},
    {"heads", native_heads, METH_VARARGS, "heads(out, places, channels, table, index, mean)"},
    {"symbols", native_symbols, METH_VARARGS, "symbols(y, mean, count, fraction, symbols)"},
    {"y_hat", native_y_hat, METH_VARARGS, "y_hat(symbols, mean, count, fraction, y_hat)"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "c3d_export._native",
    .m_doc = "Passes between the networks and the entropy coder.", .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module); }
