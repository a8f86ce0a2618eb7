/* square(...) and normalise(...) for Python. */
#include "native_gdn.h"

#include "native_arguments.h"

static int kernel_ok(int most)
{
    if (most >= C3D_CONVOLUTION_PORTABLE && most <= C3D_CONVOLUTION_VNNI)
        return 1;
    PyErr_SetString(PyExc_ValueError, "no such kernel");
    return 0;
}

PyObject *native_square(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *x, *out;
    Py_ssize_t count;
    int shift, most;
    if (!PyArg_ParseTuple(args, "OniiO", &x, &count, &shift, &most, &out) || !kernel_ok(most))
        return NULL;
    if (count < 1 || count > (Py_ssize_t)1 << 40 || shift < 1 || shift > 30) {
        PyErr_SetString(PyExc_ValueError, "no numbers, or no such shift");
        return NULL;
    }
    buffer_set set = {.count = 0};
    const size_t size = (size_t)count * 2;
    const int16_t *from = take(&set, x, size, 0, "x");
    int16_t *to = from ? take(&set, out, size, 1, "out") : NULL;
    if (to) {
        Py_BEGIN_ALLOW_THREADS
        c3d_square(c3d_convolution_best((c3d_convolution_kernel)most), from, (size_t)count, shift, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, to != NULL);
}

/* Written so that what is no number fails. */
static int ranges_ok(const float *scale, const float *low, const float *high, size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        if (!(scale[c] >= 0.0f && scale[c] <= 1e30f && low[c] >= -32768.0f && low[c] <= high[c] &&
              high[c] <= 32767.0f)) {
            PyErr_SetString(PyExc_ValueError, "a scale or a range of outputs is wrong");
            return 0;
        }
    return 1;
}

PyObject *native_normalise(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *x, *norm, *scale, *low, *high, *out;
    Py_ssize_t places, channels, first, step;
    int most;
    if (!PyArg_ParseTuple(args, "OO(nn)(OOO)(nn)iO", &x, &norm, &places, &channels, &scale, &low,
                          &high, &first, &step, &most, &out) ||
        !kernel_ok(most))
        return NULL;
    if (places < 1 || places > (Py_ssize_t)1 << 30 || channels < 1 || channels > 1 << 16 || step > 1 << 20 ||
        first < 0 || first > step - channels) {
        PyErr_SetString(PyExc_ValueError, "a size is out of range");
        return NULL;
    }
    buffer_set set = {.count = 0};
    const size_t n = (size_t)places, c = (size_t)channels;
    const int16_t *from = take(&set, x, n * c * 2, 0, "x");
    const int32_t *by = from ? take(&set, norm, n * c * 4, 0, "norm") : NULL;
    const float *factor = by ? take(&set, scale, c * 4, 0, "scale") : NULL;
    const float *least = factor ? take(&set, low, c * 4, 0, "low") : NULL;
    const float *largest = least ? take(&set, high, c * 4, 0, "high") : NULL;
    int16_t *to = largest ? take(&set, out, n * (size_t)step * 2, 1, "out") : NULL;
    const int ok = to && ranges_ok(factor, least, largest, c);
    if (ok) {
        Py_BEGIN_ALLOW_THREADS
        c3d_normalise(c3d_convolution_best((c3d_convolution_kernel)most), from, by, n, c, factor,
                      least, largest, to + first, (size_t)step);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, ok);
}
