/* The functions of blocks of slices. */
#include "arith_binding.h"

static PyObject *join_arrays(const struct arith_module *state, const c3d_arith_slice *slices,
                             size_t count)
{
    /* The bound is the block's length, or 0 where joining fails, which then writes nothing. */
    size_t capacity = c3d_arith_slices_bound(slices, count);
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)capacity);
    if (result == NULL) {
        return NULL;
    }
    uint8_t *out = (uint8_t *)PyBytes_AsString(result);
    size_t written = 0;
    c3d_arith_status status;
    Py_BEGIN_ALLOW_THREADS
    status = c3d_arith_slices_join(slices, count, out, capacity, &written);
    Py_END_ALLOW_THREADS
    if (status != C3D_ARITH_OK) {
        arith_raise(state, status);
        Py_CLEAR(result);
    }
    return result;
}

static int open_slices(PyObject *items, struct arith_view *views, c3d_arith_slice *slices,
                       size_t count)
{
    for (size_t s = 0; s < count; s++) {
        PyObject *item = PyTuple_GetItem(items, (Py_ssize_t)s);
        if (!arith_view_open(&views[s], item, "a slice", ARITH_VIEW_BYTES)) {
            return 0;
        }
        slices[s].data = views[s].data;
        slices[s].length = views[s].count;
    }
    return 1;
}

/* `items` is a tuple, so that everything in it stays where it is. */
static PyObject *join_items(const struct arith_module *state, PyObject *items)
{
    size_t count = (size_t)PyTuple_Size(items);
    struct arith_view *views = PyMem_Calloc(count, sizeof(*views));
    c3d_arith_slice *slices = PyMem_Calloc(count, sizeof(*slices));
    PyObject *result = NULL;
    if (views == NULL || slices == NULL) {
        PyErr_NoMemory();
    } else if (open_slices(items, views, slices, count)) {
        result = join_arrays(state, slices, count);
    }
    if (views != NULL) {
        arith_views_close(views, count);
    }
    PyMem_Free(slices);
    PyMem_Free(views);
    return result;
}

PyDoc_STRVAR(join_slices_doc,
             "join_slices(slices)\n--\n\n"
             "Return 1 to 255 slices (bytes-like) as one block, with a checksum of each. Raises\n"
             "ArithError.");

static PyObject *join_slices(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"slices", NULL};
    PyObject *slices;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O:join_slices", names, &slices)) {
        return NULL;
    }
    PyObject *items = PySequence_Tuple(slices);
    if (items == NULL) {
        return NULL;
    }
    PyObject *result = join_items(PyModule_GetState(module), items);
    Py_DECREF(items);
    return result;
}

static PyObject *list_slices(const struct arith_view *data, const c3d_arith_slice *slices,
                             size_t count)
{
    PyObject *result = PyList_New((Py_ssize_t)count);
    for (size_t s = 0; s < count && result != NULL; s++) {
        Py_ssize_t offset = slices[s].data - (const uint8_t *)data->data;
        PyObject *pair = Py_BuildValue("(nn)", offset, (Py_ssize_t)slices[s].length);
        if (pair == NULL || PyList_SetItem(result, (Py_ssize_t)s, pair) != 0) {
            Py_CLEAR(result);
        }
    }
    return result;
}

PyDoc_STRVAR(split_slices_doc,
             "split_slices(data)\n--\n\n"
             "Return the (offset, length) in bytes of each slice of a block (bytes-like). Only\n"
             "the block's head is checked: check_slice does the rest. Raises ArithError.");

static PyObject *split_slices(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"data", NULL};
    PyObject *object;
    struct arith_view data = {0};
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O:split_slices", names, &object) ||
        !arith_view_open(&data, object, names[0], ARITH_VIEW_BYTES)) {
        return NULL;
    }
    c3d_arith_slice slices[C3D_ARITH_MAX_SLICES];
    size_t count = 0;
    PyObject *result = NULL;
    c3d_arith_status status = c3d_arith_slices_split(data.data, data.count, slices, &count);
    if (status == C3D_ARITH_OK) {
        result = list_slices(&data, slices, count);
    } else {
        arith_raise(PyModule_GetState(module), status);
    }
    arith_views_close(&data, 1);
    return result;
}

static c3d_arith_status check_view_slice(const struct arith_view *data, size_t position)
{
    c3d_arith_slice slices[C3D_ARITH_MAX_SLICES];
    size_t count = 0;
    c3d_arith_status status = c3d_arith_slices_split(data->data, data->count, slices, &count);
    return status == C3D_ARITH_OK ? c3d_arith_slices_check(data->data, slices, count, position)
                                  : status;
}

PyDoc_STRVAR(check_slice_doc,
             "check_slice(data, position)\n--\n\n"
             "Check that the slice at this position (from 0) of a block has the bytes that were\n"
             "written. Raises ArithError.");

static PyObject *check_slice(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"data", "position", NULL};
    PyObject *object;
    Py_ssize_t position;
    struct arith_view data = {0};
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "On:check_slice", names, &object,
                                     &position) ||
        !arith_view_open(&data, object, names[0], ARITH_VIEW_BYTES)) {
        return NULL;
    }
    c3d_arith_status status;
    Py_BEGIN_ALLOW_THREADS
    /* A negative position becomes one that no block has either. */
    status = check_view_slice(&data, (size_t)position);
    Py_END_ALLOW_THREADS
    arith_views_close(&data, 1);
    if (status != C3D_ARITH_OK) {
        arith_raise(PyModule_GetState(module), status);
        return NULL;
    }
    Py_RETURN_NONE;
}

PyMethodDef arith_slice_methods[] = {
    {"join_slices", ARITH_METHOD(join_slices), join_slices_doc},
    {"split_slices", ARITH_METHOD(split_slices), split_slices_doc},
    {"check_slice", ARITH_METHOD(check_slice), check_slice_doc},
    {NULL, NULL, 0, NULL},
};
