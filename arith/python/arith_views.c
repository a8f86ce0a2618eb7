/* Checked views of Python buffers. */
#include "arith_views.h"

#include <stdint.h>
#include <string.h>

struct kind {
    const char *codes; /* of the struct module; null for any */
    Py_ssize_t size;   /* 0 for any */
    int writable;
    const char *text;
};

/* Both I and L can be an unsigned number of 32 bits; the size decides. */
static const struct kind kinds[] = {
    [ARITH_VIEW_UINT32] = {"IL", 4, 0, "uint32"},
    [ARITH_VIEW_UINT32_OUT] = {"IL", 4, 1, "uint32"},
    [ARITH_VIEW_INT16] = {"h", 2, 0, "int16"},
    [ARITH_VIEW_INT16_OUT] = {"h", 2, 1, "int16"},
    [ARITH_VIEW_UINT16] = {"H", 2, 0, "uint16"},
    [ARITH_VIEW_UINT8] = {"B", 1, 0, "uint8"},
    [ARITH_VIEW_BYTES] = {NULL, 1, 0, "bytes"},
    [ARITH_VIEW_ANY] = {NULL, 0, 0, "bytes"},
};

static int is_native_order(char mark)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return mark == '=' || mark == '@' || mark == (first == 1 ? '<' : '>');
}

static int format_fits(const Py_buffer *buffer, const struct kind *kind)
{
    if (kind->size != 0 && buffer->itemsize != kind->size) {
        return 0;
    }
    if (kind->codes == NULL) {
        return 1;
    }
    const char *format = buffer->format == NULL ? "B" : buffer->format;
    format += is_native_order(*format) ? 1 : 0;
    return *format != '\0' && strchr(kind->codes, *format) != NULL && format[1] == '\0';
}

static int check_view(const Py_buffer *buffer, const char *name, enum arith_view_kind kind)
{
    if (!format_fits(buffer, &kinds[kind])) {
        PyErr_Format(PyExc_TypeError, "%s must hold %s in native byte order, not format '%s'",
                     name, kinds[kind].text, buffer->format == NULL ? "B" : buffer->format);
        return 0;
    }
    if (!PyBuffer_IsContiguous(buffer, 'C')) {
        PyErr_Format(PyExc_ValueError, "%s must be C-contiguous", name);
        return 0;
    }
    if (kinds[kind].size > 1 && (uintptr_t)buffer->buf % (uintptr_t)kinds[kind].size != 0) {
        PyErr_Format(PyExc_ValueError, "%s must be aligned to its elements", name);
        return 0;
    }
    if (kinds[kind].writable && buffer->readonly) {
        PyErr_Format(PyExc_ValueError, "%s must be writable", name);
        return 0;
    }
    return 1;
}

int arith_view_open(struct arith_view *view, PyObject *object, const char *name,
                    enum arith_view_kind kind)
{
    if (!PyObject_CheckBuffer(object)) {
        PyErr_Format(PyExc_TypeError, "%s must support the buffer protocol", name);
        return 0;
    }
    /* The loosest request: what is wrong with the buffer is then ours to say. */
    if (PyObject_GetBuffer(object, &view->buffer, PyBUF_FULL_RO) != 0) {
        view->buffer.obj = NULL;
        return 0;
    }
    if (!check_view(&view->buffer, name, kind)) {
        PyBuffer_Release(&view->buffer);
        return 0;
    }
    view->name = name;
    view->data = view->buffer.buf;
    view->count = (size_t)(kind == ARITH_VIEW_ANY ? view->buffer.len
                                                  : view->buffer.len / view->buffer.itemsize);
    return 1;
}

int arith_means_open(struct arith_view *view, PyObject *object, const struct arith_view *like)
{
    if (object == NULL || object == Py_None) {
        return 1;
    }
    return arith_view_open(view, object, "means", ARITH_VIEW_INT16) &&
           arith_views_match(like, view);
}

void arith_views_close(struct arith_view *views, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        PyBuffer_Release(&views[i].buffer); /* does nothing where it is not open */
    }
}

int arith_views_match(const struct arith_view *a, const struct arith_view *b)
{
    if (a->count != b->count) {
        PyErr_Format(PyExc_ValueError, "%s and %s must have the same length, not %zu and %zu",
                     a->name, b->name, a->count, b->count);
    }
    return a->count == b->count;
}

int arith_views_apart(const struct arith_view *a, const struct arith_view *b)
{
    uintptr_t a_start = (uintptr_t)a->data;
    uintptr_t b_start = (uintptr_t)b->data;
    int apart = a->buffer.len == 0 || b->buffer.len == 0 ||
                a_start + (uintptr_t)a->buffer.len <= b_start ||
                b_start + (uintptr_t)b->buffer.len <= a_start;
    if (!apart) {
        PyErr_Format(PyExc_ValueError, "%s and %s must not share memory", a->name, b->name);
    }
    return apart;
}
