/* Checked views of Python buffers: element type, contiguity, alignment, writability. */
#ifndef C3D_ARITH_VIEWS_H
#define C3D_ARITH_VIEWS_H

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

enum arith_view_kind {
    ARITH_VIEW_UINT32,
    ARITH_VIEW_UINT32_OUT, /* must be writable */
    ARITH_VIEW_INT16,
    ARITH_VIEW_INT16_OUT, /* must be writable */
    ARITH_VIEW_UINT16,
    ARITH_VIEW_UINT8,
    ARITH_VIEW_BYTES, /* any format of one byte */
    ARITH_VIEW_ANY    /* any format, counted in bytes */
};

/* All zero is a closed view. */
struct arith_view {
    void *data;
    size_t count;
    const char *name;
    Py_buffer buffer;
};

/* Opens a view of `object`, an argument called `name`; any number of dimensions is allowed.
 * Returns 0 with TypeError (no buffer, wrong elements) or ValueError (not contiguous, not
 * aligned, not writable) set, and the view closed. */
int arith_view_open(struct arith_view *view, PyObject *object, const char *name,
                    enum arith_view_kind kind);

/* Opens the optional argument `means` of int16, as many as the open view `like` has. None and
 * null leave the view closed. Returns 0 with an exception set; the caller closes the view. */
int arith_means_open(struct arith_view *view, PyObject *object, const struct arith_view *like);

/* Closes the open ones of `count` views. */
void arith_views_close(struct arith_view *views, size_t count);

/* Returns 0 with ValueError set where two views have different numbers of elements. */
int arith_views_match(const struct arith_view *a, const struct arith_view *b);

/* Returns 0 with ValueError set where two views share memory. */
int arith_views_apart(const struct arith_view *a, const struct arith_view *b);

#endif
