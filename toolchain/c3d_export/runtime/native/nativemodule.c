/* c3d_export._native: the passes of native_passes.h for Python.
 *
 * Buffers in and out; every size is checked against the grid before the GIL is released, so a
 * wrong shape is a ValueError and never a stray write. */
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "native_passes.h"

enum { MAX_BUFFERS = 10 };

typedef struct {
    Py_buffer views[MAX_BUFFERS];
    int count;
} buffer_set;

static void release_all(buffer_set *set)
{
    while (set->count > 0)
        PyBuffer_Release(&set->views[--set->count]);
}

/* Takes the next buffer of exactly `size` bytes; NULL with an exception set otherwise. */
static void *take(buffer_set *set, PyObject *object, size_t size, int writable, const char *name)
{
    Py_buffer *view = &set->views[set->count];
    const int flags = PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0)
        return NULL;
    set->count++;
    if ((size_t)view->len != size) {
        PyErr_Format(PyExc_ValueError, "%s has %zd bytes, %zu expected", name, view->len, size);
        return NULL;
    }
    return view->buf;
}

static size_t blocks_along(size_t pixels) { return (pixels + C3D_BLOCK - 1) / C3D_BLOCK; }

/* Sides are bounded far above the codec's own limit, so that products fit in size_t. */
static int sides_ok(Py_ssize_t a, Py_ssize_t b)
{
    if (a >= 1 && b >= 1 && a <= 1 << 16 && b <= 1 << 16)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a side is outside 1..65536");
    return 0;
}

static PyObject *finish(buffer_set *set, int done)
{
    release_all(set);
    if (!done)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *native_unshuffle(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *frame, *patches, *blocks;
    Py_ssize_t height, width;
    if (!PyArg_ParseTuple(args, "OnnOO", &frame, &height, &width, &patches, &blocks) ||
        !sides_ok(height, width))
        return NULL;
    const size_t size = blocks_along((size_t)height) * blocks_along((size_t)width) * 768;
    buffer_set set = {.count = 0};
    void *f = take(&set, frame, (size_t)height * (size_t)width * 3, 0, "frame");
    void *p = f ? take(&set, patches, size, 1, "patches") : NULL;
    void *b = p ? take(&set, blocks, size, 1, "blocks") : NULL;
    if (b) {
        Py_BEGIN_ALLOW_THREADS
        c3d_unshuffle(f, (size_t)height, (size_t)width, p, b);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, b != NULL);
}

static PyObject *native_shuffle(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *base, *detail, *correction, *frame;
    Py_ssize_t height, width;
    if (!PyArg_ParseTuple(args, "OOOOnn", &base, &detail, &correction, &frame, &height, &width) ||
        !sides_ok(height, width))
        return NULL;
    const size_t size = blocks_along((size_t)height) * blocks_along((size_t)width) * 768;
    buffer_set set = {.count = 0};
    void *b = take(&set, base, size, 0, "base");
    void *d = b ? take(&set, detail, size, 0, "detail") : NULL;
    void *c = d ? take(&set, correction, size, 0, "correction") : NULL;
    void *f = c ? take(&set, frame, (size_t)height * (size_t)width * 3, 1, "frame") : NULL;
    if (f) {
        Py_BEGIN_ALLOW_THREADS
        c3d_shuffle(b, d, c, f, (size_t)height, (size_t)width);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, f != NULL);
}

static int factors_ok(const int32_t *factor, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (factor[i] < 1 || factor[i] > 1 << 23) {
            PyErr_SetString(PyExc_ValueError, "an activity factor is outside 1..2^23");
            return 0;
        }
    return 1;
}

static int base_ok(Py_ssize_t base, Py_ssize_t channels)
{
    if (base >= 1 && base <= channels)
        return 1;
    PyErr_SetString(PyExc_ValueError, "the base has no channel, or more than there are");
    return 0;
}

static PyObject *native_latents(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *linear, *head, *scale[2], *bias[2], *factor, *y, *activity;
    Py_ssize_t rows, columns, channels, base, padded_rows, padded_columns;
    if (!PyArg_ParseTuple(args, "OOOOOOOnnnnnnOO", &linear, &head, &scale[0], &bias[0], &scale[1],
                          &bias[1], &factor, &rows, &columns, &channels, &base, &padded_rows,
                          &padded_columns, &y, &activity) ||
        !sides_ok(padded_rows, padded_columns) || !sides_ok(rows, columns) ||
        !sides_ok(channels, 1) || !base_ok(base, channels))
        return NULL;
    if (padded_rows < rows || padded_columns < columns) {
        PyErr_SetString(PyExc_ValueError, "the padded grid is smaller than the grid");
        return NULL;
    }
    const size_t k = (size_t)channels, n = (size_t)rows * (size_t)columns * k * 4;
    const size_t wide = (size_t)base + k + C3D_PLANES;
    buffer_set set = {.count = 0};
    const float *scales[2] = {NULL, NULL}, *biases[2] = {NULL, NULL};
    void *l = take(&set, linear, n, 0, "linear");
    void *h = l ? take(&set, head, n, 0, "head") : NULL;
    int ok = h != NULL;
    for (int i = 0; ok && i < 2; i++) {
        scales[i] = take(&set, scale[i], k * 4, 0, "scale");
        biases[i] = scales[i] ? take(&set, bias[i], k * 4, 0, "bias") : NULL;
        ok = biases[i] != NULL;
    }
    const int32_t *f = ok ? take(&set, factor, k * 4, 0, "factor") : NULL;
    void *to = f ? take(&set, y, n, 1, "y") : NULL;
    void *a = to ? take(&set, activity, (size_t)padded_rows * (size_t)padded_columns * wide, 1,
                        "activity")
                 : NULL;
    ok = a && factors_ok(f, k);
    if (ok) {
        const c3d_activities out = {(size_t)base, C3D_RAW, (size_t)padded_columns, f, a};
        Py_BEGIN_ALLOW_THREADS
        c3d_latents(l, h, scales, biases, (size_t)rows, (size_t)columns, k, &out, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, ok);
}

static PyObject *native_activity(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *v, *factor, *activity;
    Py_ssize_t rows, columns, channels, base;
    if (!PyArg_ParseTuple(args, "OOnnnnO", &v, &factor, &rows, &columns, &channels, &base,
                          &activity) ||
        !sides_ok(rows, columns) || !sides_ok(channels, 1) || !base_ok(base, channels))
        return NULL;
    const size_t n = (size_t)rows * (size_t)columns, b = (size_t)base;
    buffer_set set = {.count = 0};
    void *from = take(&set, v, n * ((size_t)channels + C3D_PLANES), 0, "v");
    const int32_t *f = from ? take(&set, factor, (size_t)channels * 4, 0, "factor") : NULL;
    void *a = f ? take(&set, activity, n * (2 * b + C3D_PLANES), 1, "activity") : NULL;
    const int ok = a && factors_ok(f, b);
    if (ok) {
        const c3d_activities out = {b, C3D_RAW, (size_t)columns, f, a};
        Py_BEGIN_ALLOW_THREADS
        c3d_activity(from, (size_t)rows, (size_t)columns, (size_t)channels, &out);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, ok);
}

/* Sizes of the buffers that belong to a coding step. */
typedef struct {
    c3d_grid grid;
    size_t coded, plane, latents; /* elements of the step; bytes of mean; elements of y */
} step_sizes;

static int step_of(PyObject *tuple, step_sizes *out)
{
    Py_ssize_t rows, columns, channels, grid_rows, stride, first, count;
    int pattern;
    if (!PyArg_ParseTuple(tuple, "nnnnnnni;grid is (rows, columns, channels, grid rows, stride, "
                                 "first, count, pattern)",
                          &rows, &columns, &channels, &grid_rows, &stride, &first, &count,
                          &pattern) ||
        !sides_ok(rows, columns) || !sides_ok(grid_rows, stride) || !sides_ok(channels, count))
        return 0;
    if (stride < columns || grid_rows < rows || first < 0 || first > channels - count ||
        pattern < 0 || pattern > 2 || (pattern < 2 && count % 2)) {
        PyErr_SetString(PyExc_ValueError, "the grid or the range of channels is wrong");
        return 0;
    }
    out->grid = (c3d_grid){(size_t)rows,  (size_t)columns, (size_t)channels, (size_t)stride,
                           (size_t)first, (size_t)count,   (unsigned)pattern};
    out->coded = (size_t)rows * (size_t)columns * (size_t)count / (pattern < 2 ? 2 : 1);
    out->plane = (size_t)grid_rows * (size_t)stride * (size_t)count;
    out->latents = (size_t)rows * (size_t)columns * (size_t)channels;
    return 1;
}

static PyObject *native_indexes(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *grid, *fine, *offset, *out;
    step_sizes s;
    if (!PyArg_ParseTuple(args, "O!OOO", &PyTuple_Type, &grid, &fine, &offset, &out) ||
        !step_of(grid, &s))
        return NULL;
    buffer_set set = {.count = 0};
    void *f = take(&set, fine, s.plane, 0, "index");
    void *o = f ? take(&set, offset, s.grid.channels * 2, 0, "offset") : NULL;
    void *to = o ? take(&set, out, s.coded, 1, "out") : NULL;
    if (to) {
        Py_BEGIN_ALLOW_THREADS
        c3d_indexes(&s.grid, f, o, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, to != NULL);
}

static int indexes_ok(const uint8_t *indexes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (indexes[i] >= C3D_TABLES) {
            PyErr_SetString(PyExc_ValueError, "a table index is outside 0..63");
            return 0;
        }
    return 1;
}

static PyObject *native_quantize(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *grid, *y, *mean, *indexes, *reciprocal, *rounding, *symbols;
    step_sizes s;
    if (!PyArg_ParseTuple(args, "O!OOOOOO", &PyTuple_Type, &grid, &y, &mean, &indexes,
                          &reciprocal, &rounding, &symbols) ||
        !step_of(grid, &s))
        return NULL;
    buffer_set set = {.count = 0};
    void *from = take(&set, y, s.latents * 4, 0, "y");
    void *m = from ? take(&set, mean, s.plane, 0, "mean") : NULL;
    void *i = m ? take(&set, indexes, s.coded, 0, "indexes") : NULL;
    void *r = i ? take(&set, reciprocal, s.grid.channels * 4, 0, "reciprocal") : NULL;
    void *t = r ? take(&set, rounding, C3D_TABLES * 4, 0, "rounding") : NULL;
    void *to = t ? take(&set, symbols, s.coded * 2, 1, "symbols") : NULL;
    const int ok = to && indexes_ok(i, s.coded);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        c3d_quantize(&s.grid, from, m, i, r, t, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, ok);
}

static PyObject *native_dequantize(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *grid, *symbols, *mean, *step, *v;
    step_sizes s;
    if (!PyArg_ParseTuple(args, "O!OOOO", &PyTuple_Type, &grid, &symbols, &mean, &step, &v) ||
        !step_of(grid, &s))
        return NULL;
    const size_t size = s.grid.rows * s.grid.columns * (s.grid.channels + C3D_PLANES);
    buffer_set set = {.count = 0};
    void *from = take(&set, symbols, s.coded * 2, 0, "symbols");
    void *m = from ? take(&set, mean, s.plane, 0, "mean") : NULL;
    void *t = m ? take(&set, step, s.grid.channels * 4, 0, "step") : NULL;
    void *to = t ? take(&set, v, size, 1, "v") : NULL;
    if (to) {
        Py_BEGIN_ALLOW_THREADS
        c3d_dequantize(&s.grid, from, m, t, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, to != NULL);
}

static PyMethodDef methods[] = {
    {"unshuffle", native_unshuffle, METH_VARARGS,
     "unshuffle(frame, height, width, patches, blocks)"},
    {"shuffle", native_shuffle, METH_VARARGS,
     "shuffle(base, detail, correction, frame, height, width)"},
    {"latents", native_latents, METH_VARARGS,
     "latents(linear, head, scale0, bias0, scale1, bias1, factor, rows, columns, channels, base, "
     "padded_rows, padded_columns, y, activity)"},
    {"activity", native_activity, METH_VARARGS,
     "activity(v, factor, rows, columns, channels, base, out)"},
    {"indexes", native_indexes, METH_VARARGS, "indexes(grid, index, offset, out)"},
    {"quantize", native_quantize, METH_VARARGS,
     "quantize(grid, y, mean, indexes, reciprocal, rounding, symbols)"},
    {"dequantize", native_dequantize, METH_VARARGS, "dequantize(grid, symbols, mean, step, v)"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "c3d_export._native",
    .m_doc = "Passes between the networks and the entropy coder.", .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module); }
