/* heads(...), symbols(...) and y_hat(...) for Python. */
#include "native_gaussians.h"

#include "native_arguments.h"

static int count_ok(Py_ssize_t count)
{
    if (count >= 0 && count <= (Py_ssize_t)1 << 40)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a count is outside 0..2^40");
    return 0;
}

static int fraction_ok(int fraction)
{
    if (fraction >= 0 && fraction <= C3D_MOST_FRACTION)
        return 1;
    PyErr_SetString(PyExc_ValueError, "no such fraction");
    return 0;
}

PyObject *native_heads(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *out, *table, *index, *mean;
    Py_ssize_t places, channels;
    if (!PyArg_ParseTuple(args, "OnnOOO", &out, &places, &channels, &table, &index, &mean) ||
        !sides_ok(channels, 1) || !count_ok(places))
        return NULL;
    const size_t n = (size_t)places * (size_t)channels;
    buffer_set set = {.count = 0};
    const int32_t *from = take(&set, out, n * 8, 0, "out");
    const uint8_t *by = from ? take(&set, table, C3D_SCALES, 0, "table") : NULL;
    uint8_t *i = by ? take(&set, index, n, 1, "index") : NULL;
    int16_t *m = i ? take(&set, mean, n * 2, 1, "mean") : NULL;
    if (m) {
        Py_BEGIN_ALLOW_THREADS
        c3d_heads(from, (size_t)places, (size_t)channels, by, i, m);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, m != NULL);
}

PyObject *native_symbols(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *y, *mean, *symbols;
    Py_ssize_t count;
    int fraction;
    if (!PyArg_ParseTuple(args, "OOniO", &y, &mean, &count, &fraction, &symbols) ||
        !count_ok(count) || !fraction_ok(fraction))
        return NULL;
    const size_t n = (size_t)count;
    buffer_set set = {.count = 0};
    const float *from = take(&set, y, n * 4, 0, "y");
    const int16_t *m = from ? take(&set, mean, n * 2, 0, "mean") : NULL;
    int16_t *to = m ? take(&set, symbols, n * 2, 1, "symbols") : NULL;
    if (to) {
        Py_BEGIN_ALLOW_THREADS
        c3d_symbols(from, m, n, fraction, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, to != NULL);
}

/* Returns whether all are in range. */
PyObject *native_y_hat(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *symbols, *mean, *y_hat;
    Py_ssize_t count;
    int fraction, inside = 0;
    if (!PyArg_ParseTuple(args, "OOniO", &symbols, &mean, &count, &fraction, &y_hat) ||
        !count_ok(count) || !fraction_ok(fraction))
        return NULL;
    const size_t n = (size_t)count;
    buffer_set set = {.count = 0};
    const int16_t *from = take(&set, symbols, n * 2, 0, "symbols");
    const int16_t *m = from ? take(&set, mean, n * 2, 0, "mean") : NULL;
    int16_t *to = m ? take(&set, y_hat, n * 2, 1, "y_hat") : NULL;
    if (to) {
        Py_BEGIN_ALLOW_THREADS
        inside = c3d_y_hat(from, m, n, fraction, to);
        Py_END_ALLOW_THREADS
    }
    release_all(&set);
    return to ? PyBool_FromLong(inside) : NULL;
}
