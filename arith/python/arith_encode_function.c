/* The function encode. */
#include "arith_binding.h"

enum { VIEWS = 3 }; /* of a part: values, indexes, means */

/* The arguments of encode: the parts, and the views that they point into. */
struct encoding {
    c3d_arith_part *parts;
    struct arith_view *views;
    size_t count;
    unsigned lanes;
};

static int open_part(const struct arith_module *state, PyObject *item,
                     struct arith_view *views, c3d_arith_part *part)
{
    Py_ssize_t size = PyTuple_Check(item) ? PyTuple_Size(item) : 0;
    if (size != 3 && size != 4) {
        PyErr_SetString(PyExc_TypeError,
                        "a part must be a tuple (tables, values, indexes[, means])");
        return 0;
    }
    part->tables = arith_bank_of(state, PyTuple_GetItem(item, 0));
    if (part->tables == NULL ||
        !arith_view_open(&views[0], PyTuple_GetItem(item, 1), "values", ARITH_VIEW_INT16) ||
        !arith_view_open(&views[1], PyTuple_GetItem(item, 2), "indexes", ARITH_VIEW_UINT8) ||
        !arith_views_match(&views[0], &views[1]) ||
        !arith_means_open(&views[2], size == 4 ? PyTuple_GetItem(item, 3) : NULL, &views[0])) {
        return 0;
    }
    part->values = views[0].data;
    part->indexes = views[1].data;
    part->means = views[2].data;
    part->n = views[0].count;
    return 1;
}

/* `items` is a tuple of tuples, so that everything in it stays where it is. */
static int open_parts(const struct arith_module *state, PyObject *items,
                      struct encoding *encoding)
{
    encoding->count = (size_t)PyTuple_Size(items);
    encoding->parts = PyMem_Calloc(encoding->count, sizeof(*encoding->parts));
    encoding->views = PyMem_Calloc(encoding->count, VIEWS * sizeof(*encoding->views));
    if (encoding->parts == NULL || encoding->views == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    for (size_t p = 0; p < encoding->count; p++) {
        if (!open_part(state, PyTuple_GetItem(items, (Py_ssize_t)p), encoding->views + VIEWS * p,
                       &encoding->parts[p])) {
            return 0;
        }
    }
    return 1;
}

static void close_parts(struct encoding *encoding)
{
    if (encoding->views != NULL) {
        arith_views_close(encoding->views, VIEWS * encoding->count);
    }
    PyMem_Free(encoding->views);
    PyMem_Free(encoding->parts);
}

/* The most bytes that the parts can take; 0 for too many values, which the coder refuses. */
static size_t bound_of(const struct encoding *encoding)
{
    size_t total = 0;
    for (size_t p = 0; p < encoding->count; p++) {
        if (encoding->parts[p].n > C3D_ARITH_MAX_VALUES - total) {
            return 0;
        }
        total += encoding->parts[p].n;
    }
    return c3d_arith_bound(total);
}

/* The worst case is four bytes a value, so the payload is copied out of a buffer of that size,
 * most of which is never touched. */
static PyObject *encode_parts(const struct arith_module *state, const struct encoding *encoding)
{
    size_t capacity = bound_of(encoding);
    uint8_t *buffer = PyMem_Malloc(capacity);
    if (buffer == NULL) {
        return PyErr_NoMemory();
    }
    size_t written = 0;
    c3d_arith_status status;
    Py_BEGIN_ALLOW_THREADS
    status = c3d_arith_encode(encoding->parts, encoding->count, encoding->lanes, buffer,
                              capacity, &written);
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    if (status == C3D_ARITH_OK) {
        result = PyBytes_FromStringAndSize((const char *)buffer, (Py_ssize_t)written);
    } else {
        arith_raise(state, status);
    }
    PyMem_Free(buffer);
    return result;
}

PyDoc_STRVAR(encode_doc,
             "encode(parts, lanes=0)\n--\n\n"
             "Return the values of all parts as one payload, b'' for none.\n\n"
             "A part is a tuple (tables, values, indexes) or (tables, values, indexes, means):\n"
             "values (int16), each coded as its difference from means (int16, or None for\n"
             "zeros) modulo 2^16, with the table of the bank that indexes (uint8) names. lanes\n"
             "is a power of two up to 64, or 0 to choose by the size. Raises ArithError.");

static PyObject *encode(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"parts", "lanes", NULL};
    PyObject *parts;
    int lanes = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|i:encode", names, &parts, &lanes)) {
        return NULL;
    }
    PyObject *items = PySequence_Tuple(parts);
    if (items == NULL) {
        return NULL;
    }
    const struct arith_module *state = PyModule_GetState(module);
    /* A negative number becomes one that is no number of lanes either. */
    struct encoding encoding = {.lanes = (unsigned)lanes};
    PyObject *result = NULL;
    if (open_parts(state, items, &encoding)) {
        result = encode_parts(state, &encoding);
    }
    close_parts(&encoding);
    Py_DECREF(items);
    return result;
}

PyMethodDef arith_encode_methods[] = {
    {"encode", ARITH_METHOD(encode), encode_doc},
    {NULL, NULL, 0, NULL},
};
