/* The functions build_table and kernel_available. */
#include "arith_binding.h"

static PyObject *build_views(const struct arith_module *state, c3d_arith_shape *shape,
                             const struct arith_view *weights, const struct arith_view *out)
{
    size_t entries = (size_t)shape->below + shape->above + 2;
    if (weights->count != entries) {
        PyErr_Format(PyExc_ValueError, "weights must hold below + above + 2 = %zu numbers, not %zu",
                     entries, weights->count);
        return NULL;
    }
    c3d_arith_status status = c3d_arith_table_build(weights->data, shape, out->data);
    if (status != C3D_ARITH_OK) {
        arith_raise(state, status);
        return NULL;
    }
    return PyLong_FromLong(shape->bits);
}

/* The numbers of a shape have sixteen bits. */
static int shape_of(const int numbers[3], char *const names[3], c3d_arith_shape *shape)
{
    for (int i = 0; i < 3; i++) {
        if (numbers[i] < 0 || numbers[i] > UINT16_MAX) {
            PyErr_Format(PyExc_ValueError, "%s must be in 0..65535", names[i]);
            return 0;
        }
    }
    shape->bits = 0;
    shape->fold = (uint16_t)numbers[0];
    shape->below = (uint16_t)numbers[1];
    shape->above = (uint16_t)numbers[2];
    return 1;
}

PyDoc_STRVAR(build_table_doc,
             "build_table(weights, fold, below, above, out)\n--\n\n"
             "Turn counts of symbols into the frequencies of a table and return its bits.\n\n"
             "weights (uint32) holds below + above + 2 counts: of zeros, of the groups of 2^fold\n"
             "values in ascending order, of escapes; not all are zero. out (uint32, writable)\n"
             "takes as many frequencies. The same on every host. Raises ArithError, and then the\n"
             "content of out is unspecified.");

static PyObject *build_table(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"weights", "fold", "below", "above", "out", NULL};
    PyObject *objects[2];
    int numbers[3];
    c3d_arith_shape shape;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OiiiO:build_table", names, &objects[0],
                                     &numbers[0], &numbers[1], &numbers[2], &objects[1]) ||
        !shape_of(numbers, names + 1, &shape)) {
        return NULL;
    }
    struct arith_view views[2] = {{0}};
    PyObject *result = NULL;
    if (arith_view_open(&views[0], objects[0], names[0], ARITH_VIEW_UINT32) &&
        arith_view_open(&views[1], objects[1], names[4], ARITH_VIEW_UINT32_OUT) &&
        arith_views_match(&views[0], &views[1]) && arith_views_apart(&views[1], &views[0])) {
        /* The interpreter waits: nobody changes the weights between their check and their use. */
        result = build_views(PyModule_GetState(module), &shape, &views[0], &views[1]);
    }
    arith_views_close(views, 2);
    return result;
}

PyDoc_STRVAR(kernel_available_doc,
             "kernel_available(kernel)\n--\n\n"
             "Whether this processor and build have a kernel, one of the KERNEL_ constants.");

static PyObject *kernel_available(PyObject *Py_UNUSED(module), PyObject *args,
                                  PyObject *keywords)
{
    static char *names[] = {"kernel", NULL};
    int kernel;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "i:kernel_available", names, &kernel)) {
        return NULL;
    }
    return PyBool_FromLong(c3d_arith_kernel_available((c3d_arith_kernel)kernel));
}

PyMethodDef arith_table_methods[] = {
    {"build_table", ARITH_METHOD(build_table), build_table_doc},
    {"kernel_available", ARITH_METHOD(kernel_available), kernel_available_doc},
    {NULL, NULL, 0, NULL},
};
