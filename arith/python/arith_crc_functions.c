/* The functions crc32c and checksum. */
#include "arith_binding.h"

int arith_crc_argument(PyObject *object, void *crc)
{
    long long number = PyLong_AsLongLong(object);
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) {
            return 0;
        }
        PyErr_Clear();
        number = -1;
    }
    if (number < 0 || number > 0xFFFFFFFFLL) {
        PyErr_SetString(PyExc_ValueError, "a checksum must be an unsigned number of 32 bits");
        return 0;
    }
    *(uint32_t *)crc = (uint32_t)number;
    return 1;
}

PyDoc_STRVAR(crc32c_doc,
             "crc32c(data, crc=0)\n--\n\n"
             "Return the CRC-32C (Castagnoli) of the bytes of data, an array of any kind, going\n"
             "on from the checksum crc of the bytes before it.");

static PyObject *crc32c(PyObject *Py_UNUSED(module), PyObject *args, PyObject *keywords)
{
    static char *names[] = {"data", "crc", NULL};
    PyObject *object;
    uint32_t crc = 0;
    struct arith_view view = {0};
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O&:crc32c", names, &object,
                                     arith_crc_argument, &crc) ||
        !arith_view_open(&view, object, names[0], ARITH_VIEW_ANY)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    crc = c3d_arith_crc32c(crc, view.data, view.count);
    Py_END_ALLOW_THREADS
    arith_views_close(&view, 1);
    return PyLong_FromUnsignedLong(crc);
}

PyDoc_STRVAR(checksum_doc,
             "checksum(values, crc=0)\n--\n\n"
             "Return the CRC-32C of values (int16), each as two bytes, the low one first\n"
             "whatever the host's byte order, going on from the checksum crc of those before.");

static PyObject *checksum(PyObject *Py_UNUSED(module), PyObject *args, PyObject *keywords)
{
    static char *names[] = {"values", "crc", NULL};
    PyObject *object;
    uint32_t crc = 0;
    struct arith_view view = {0};
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O&:checksum", names, &object,
                                     arith_crc_argument, &crc) ||
        !arith_view_open(&view, object, names[0], ARITH_VIEW_INT16)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    crc = c3d_arith_checksum(crc, view.data, view.count);
    Py_END_ALLOW_THREADS
    arith_views_close(&view, 1);
    return PyLong_FromUnsignedLong(crc);
}

PyMethodDef arith_crc_methods[] = {
    {"crc32c", ARITH_METHOD(crc32c), crc32c_doc},
    {"checksum", ARITH_METHOD(checksum), checksum_doc},
    {NULL, NULL, 0, NULL},
};
