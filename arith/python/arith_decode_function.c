/* The function decode, and the arguments that it shares with Decoder.pull. */
#include "arith_binding.h"

int arith_target_open(struct arith_target *target, const struct arith_module *state,
                      PyObject *const objects[4], const struct arith_view *data)
{
    target->tables = arith_bank_of(state, objects[0]);
    return target->tables != NULL &&
           arith_view_open(&target->indexes, objects[1], "indexes", ARITH_VIEW_UINT8) &&
           arith_view_open(&target->out, objects[2], "out", ARITH_VIEW_INT16_OUT) &&
           arith_views_match(&target->indexes, &target->out) &&
           arith_means_open(&target->means, objects[3], &target->out) &&
           arith_views_apart(&target->out, data) &&
           arith_views_apart(&target->out, &target->indexes) &&
           arith_views_apart(&target->out, &target->means);
}

void arith_target_close(struct arith_target *target)
{
    arith_views_close(&target->indexes, 1);
    arith_views_close(&target->out, 1);
    arith_views_close(&target->means, 1);
}

static PyObject *decode_views(const struct arith_module *state, const struct arith_view *data,
                              const struct arith_target *target, uint32_t checksum)
{
    c3d_arith_status status;
    Py_BEGIN_ALLOW_THREADS
    status = c3d_arith_decode(target->tables, data->data, data->count, target->indexes.data,
                              target->means.data, target->out.data, target->out.count,
                              &checksum);
    Py_END_ALLOW_THREADS
    if (status != C3D_ARITH_OK) {
        arith_raise(state, status);
        return NULL;
    }
    return PyLong_FromUnsignedLong(checksum);
}

PyDoc_STRVAR(decode_doc,
             "decode(tables, data, indexes, out, means=None, checksum=0)\n--\n\n"
             "Fill out (int16, writable) with the values of a payload of one part.\n\n"
             "indexes (uint8) and means (int16, or None for zeros) are those of the encoding.\n"
             "Return the checksum of the values, CRC-32C, going on from checksum. Raises\n"
             "ArithError, and then the content of out is unspecified.");

static PyObject *decode(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"tables", "data", "indexes", "out", "means", "checksum", NULL};
    PyObject *objects[4] = {NULL};
    PyObject *bytes;
    uint32_t checksum = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOO|OO&:decode", names, &objects[0],
                                     &bytes, &objects[1], &objects[2], &objects[3],
                                     arith_crc_argument, &checksum)) {
        return NULL;
    }
    const struct arith_module *state = PyModule_GetState(module);
    struct arith_view data = {0};
    struct arith_target target = {0};
    PyObject *result = NULL;
    if (arith_view_open(&data, bytes, names[1], ARITH_VIEW_BYTES) &&
        arith_target_open(&target, state, objects, &data)) {
        result = decode_views(state, &data, &target, checksum);
    }
    arith_target_close(&target);
    arith_views_close(&data, 1);
    return result;
}

PyMethodDef arith_decode_methods[] = {
    {"decode", ARITH_METHOD(decode), decode_doc},
    {NULL, NULL, 0, NULL},
};
