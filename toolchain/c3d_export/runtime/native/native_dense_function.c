/* dense(...) for Python. */
#include "native_dense.h"

#include "native_arguments.h"

static int is_sane(const c3d_dense_layer *layer)
{
    for (size_t o = 0; o < c3d_dense_padded(layer->outputs); o++) {
        const float low = layer->low[o], high = layer->high[o];
        /* Written so that what is no number fails. */
        if (!(low >= -65535.0f && low <= high && high <= 65535.0f)) {
            PyErr_SetString(PyExc_ValueError, "a range of outputs is wrong");
            return 0;
        }
    }
    return 1;
}

PyObject *native_dense(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *x, *weight, *parts[5], *out;
    Py_ssize_t places, inputs, outputs;
    int most;
    if (!PyArg_ParseTuple(args, "OnnnO(OOOOO)iO", &x, &places, &inputs, &outputs, &weight,
                          &parts[0], &parts[1], &parts[2], &parts[3], &parts[4], &most, &out) ||
        !sides_ok(places, inputs) || !sides_ok(outputs, 1))
        return NULL;
    if (inputs % 2 || most < C3D_DENSE_PORTABLE || most > C3D_DENSE_AVX512) {
        PyErr_SetString(PyExc_ValueError, "an odd number of inputs, or no such kernel");
        return NULL;
    }
    static const char *const names[] = {"bias", "scale", "negative", "low", "high"};
    const size_t n = (size_t)places, k = (size_t)inputs, o = (size_t)outputs;
    const size_t padded = c3d_dense_padded(o);
    buffer_set set = {.count = 0};
    const int16_t *from = take(&set, x, n * k * 2, 0, "x");
    const int16_t *w = from ? take(&set, weight, k * padded * 2, 0, "weight") : NULL;
    const void *at[5] = {NULL};
    int ok = w != NULL;
    for (int i = 0; ok && i < 5; i++) {
        at[i] = take(&set, parts[i], padded * 4, 0, names[i]);
        ok = at[i] != NULL;
    }
    int32_t *to = ok ? take(&set, out, n * o * 4, 1, "out") : NULL;
    ok = to != NULL;
    if (ok) {
        const c3d_dense_layer layer = {k, o, w, at[0], at[1], at[2], at[3], at[4]};
        ok = is_sane(&layer);
        if (ok) {
            Py_BEGIN_ALLOW_THREADS
            c3d_dense(&layer, c3d_dense_best((c3d_dense_kernel)most), from, n, to);
            Py_END_ALLOW_THREADS
        }
    }
    return finish(&set, ok);
}
