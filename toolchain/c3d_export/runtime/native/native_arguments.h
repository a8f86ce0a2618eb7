/* Arguments of the functions for Python: buffers in and out, every size checked against the grid
 * before the GIL is released, so that a wrong shape is a ValueError and never a stray write. */
#ifndef C3D_NATIVE_ARGUMENTS_H
#define C3D_NATIVE_ARGUMENTS_H

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

static inline void release_all(buffer_set *set)
{
    while (set->count > 0)
        PyBuffer_Release(&set->views[--set->count]);
}

/* Takes the next buffer of exactly `size` bytes; NULL with an exception set otherwise. */
static inline void *take(buffer_set *set, PyObject *object, size_t size, int writable, const char *name)
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

/* Sides are bounded far above the codec's own limit, so that products fit in size_t. */
static inline int sides_ok(Py_ssize_t a, Py_ssize_t b)
{
    if (a >= 1 && b >= 1 && a <= 1 << 16 && b <= 1 << 16)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a side is outside 1..65536");
    return 0;
}

static inline PyObject *finish(buffer_set *set, int done)
{
    release_all(set);
    if (!done)
        return NULL;
    Py_RETURN_NONE;
}

PyObject *native_unshuffle(PyObject *self, PyObject *args);
PyObject *native_shuffle(PyObject *self, PyObject *args);
PyObject *native_spread(PyObject *self, PyObject *args);
PyObject *native_latents(PyObject *self, PyObject *args);
PyObject *native_activity(PyObject *self, PyObject *args);
PyObject *native_indexes(PyObject *self, PyObject *args);
PyObject *native_quantize(PyObject *self, PyObject *args);
PyObject *native_dequantize(PyObject *self, PyObject *args);
PyObject *native_overlay_choose(PyObject *self, PyObject *args);
PyObject *native_overlay_lift(PyObject *self, PyObject *args);
PyObject *native_overlay_check(PyObject *self, PyObject *args);
PyObject *native_overlay_paste(PyObject *self, PyObject *args);
PyObject *native_overlay_pack(PyObject *self, PyObject *args);
PyObject *native_overlay_unpack(PyObject *self, PyObject *args);
PyObject *native_overlay_pixels(PyObject *self, PyObject *args);
PyObject *native_fill(PyObject *self, PyObject *args);
PyObject *native_fill_bytes(PyObject *self, PyObject *args);
PyObject *native_convolve(PyObject *self, PyObject *args);
PyObject *native_winograd(PyObject *self, PyObject *args);
PyObject *native_convolution_kernel(PyObject *self, PyObject *args);
PyObject *native_square(PyObject *self, PyObject *args);
PyObject *native_normalise(PyObject *self, PyObject *args);
PyObject *native_heads(PyObject *self, PyObject *args);
PyObject *native_symbols(PyObject *self, PyObject *args);
PyObject *native_y_hat(PyObject *self, PyObject *args);

#endif
