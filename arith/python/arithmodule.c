/*
 * The binding c3d_export._arith: arguments in, statuses out as ArithError, the interpreter
 * free to run during the coding. Stable ABI of CPython 3.11, buffers by the buffer protocol,
 * all state in the module.
 */
#include "arith_binding.h"
#include "arith_views.h"

void arith_raise(const struct arith_module *state, c3d_arith_status status)
{
    PyObject *error = PyObject_CallFunction(state->error, "s", c3d_arith_status_text(status));
    PyObject *number = PyLong_FromLong((long)status);
    if (error != NULL && number != NULL &&
        PyObject_SetAttrString(error, "status", number) == 0) {
        PyErr_SetObject(state->error, error);
    }
    Py_XDECREF(number);
    Py_XDECREF(error);
}

/* The worst case is six bytes a symbol, so the payload is copied out of a buffer of that size,
 * most of which is never touched. */
static PyObject *encode_views(const struct arith_module *state, const c3d_arith_tables *bank,
                              const struct arith_view *symbols,
                              const struct arith_view *indexes)
{
    size_t capacity = c3d_arith_bound(symbols->count);
    uint8_t *buffer = PyMem_Malloc(capacity);
    if (buffer == NULL) {
        return PyErr_NoMemory();
    }
    size_t written = 0;
    c3d_arith_status status;
    Py_BEGIN_ALLOW_THREADS
    status = c3d_arith_encode(bank, symbols->data, indexes->data, symbols->count, buffer,
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
             "encode(tables, symbols, indexes)\n--\n\n"
             "Return the payload of symbols (int16), each coded with the table that its index\n"
             "(uint8) names. Raises ArithError.");

static PyObject *encode(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"tables", "symbols", "indexes", NULL};
    PyObject *objects[3];
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO:encode", names, &objects[0],
                                     &objects[1], &objects[2])) {
        return NULL;
    }
    const struct arith_module *state = PyModule_GetState(module);
    const c3d_arith_tables *bank = arith_bank_of(state, objects[0]);
    if (bank == NULL) {
        return NULL;
    }
    struct arith_view views[2] = {{0}};
    PyObject *result = NULL;
    if (arith_view_open(&views[0], objects[1], names[1], ARITH_VIEW_INT16) &&
        arith_view_open(&views[1], objects[2], names[2], ARITH_VIEW_UINT8) &&
        arith_views_match(&views[0], &views[1])) {
        result = encode_views(state, bank, &views[0], &views[1]);
    }
    arith_views_close(views, 2);
    return result;
}

static PyObject *decode_views(const struct arith_module *state, const c3d_arith_tables *bank,
                              const struct arith_view *data, const struct arith_view *indexes,
                              const struct arith_view *out)
{
    c3d_arith_status status;
    Py_BEGIN_ALLOW_THREADS
    status = c3d_arith_decode(bank, data->data, data->count, indexes->data, out->data,
                              out->count);
    Py_END_ALLOW_THREADS
    if (status != C3D_ARITH_OK) {
        arith_raise(state, status);
        return NULL;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(decode_doc,
             "decode(tables, data, indexes, out)\n--\n\n"
             "Fill out (int16, writable) with the symbols of the payload data; out and indexes\n"
             "(uint8) have one entry per symbol. Raises ArithError, and then the content of out\n"
             "is unspecified.");

static PyObject *decode(PyObject *module, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"tables", "data", "indexes", "out", NULL};
    PyObject *objects[4];
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOO:decode", names, &objects[0],
                                     &objects[1], &objects[2], &objects[3])) {
        return NULL;
    }
    const struct arith_module *state = PyModule_GetState(module);
    const c3d_arith_tables *bank = arith_bank_of(state, objects[0]);
    if (bank == NULL) {
        return NULL;
    }
    struct arith_view views[3] = {{0}};
    PyObject *result = NULL;
    if (arith_view_open(&views[0], objects[1], names[1], ARITH_VIEW_BYTES) &&
        arith_view_open(&views[1], objects[2], names[2], ARITH_VIEW_UINT8) &&
        arith_view_open(&views[2], objects[3], names[3], ARITH_VIEW_INT16_OUT) &&
        arith_views_match(&views[1], &views[2]) && arith_views_apart(&views[2], &views[0]) &&
        arith_views_apart(&views[2], &views[1])) {
        result = decode_views(state, bank, &views[0], &views[1], &views[2]);
    }
    arith_views_close(views, 3);
    return result;
}

PyDoc_STRVAR(crc32c_doc,
             "crc32c(data, crc=0)\n--\n\n"
             "Return the CRC-32C (Castagnoli) of data, going on from the checksum crc of the\n"
             "bytes before it.");

static PyObject *crc32c(PyObject *Py_UNUSED(module), PyObject *args, PyObject *keywords)
{
    static char *names[] = {"data", "crc", NULL};
    PyObject *object;
    long long crc = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|L:crc32c", names, &object, &crc)) {
        return NULL;
    }
    if (crc < 0 || crc > 0xFFFFFFFFLL) {
        PyErr_SetString(PyExc_ValueError, "crc must be an unsigned number of 32 bits");
        return NULL;
    }
    struct arith_view view = {0};
    if (!arith_view_open(&view, object, names[0], ARITH_VIEW_ANY)) {
        return NULL;
    }
    uint32_t result;
    Py_BEGIN_ALLOW_THREADS
    result = c3d_arith_crc32c((uint32_t)crc, view.data, view.count);
    Py_END_ALLOW_THREADS
    arith_views_close(&view, 1);
    return PyLong_FromUnsignedLong(result);
}

static PyMethodDef methods[] = {
    {"encode", (PyCFunction)(void (*)(void))encode, METH_VARARGS | METH_KEYWORDS, encode_doc},
    {"decode", (PyCFunction)(void (*)(void))decode, METH_VARARGS | METH_KEYWORDS, decode_doc},
    {"crc32c", (PyCFunction)(void (*)(void))crc32c, METH_VARARGS | METH_KEYWORDS, crc32c_doc},
    {NULL, NULL, 0, NULL},
};

static const struct {
    const char *name;
    long value;
} constants[] = {
    {"OK", C3D_ARITH_OK},
    {"ERR_ARGUMENT", C3D_ARITH_ERR_ARGUMENT},
    {"ERR_LENGTH", C3D_ARITH_ERR_LENGTH},
    {"ERR_INDEX", C3D_ARITH_ERR_INDEX},
    {"ERR_CAPACITY", C3D_ARITH_ERR_CAPACITY},
    {"ERR_TRUNCATED", C3D_ARITH_ERR_TRUNCATED},
    {"ERR_TRAILING", C3D_ARITH_ERR_TRAILING},
    {"ERR_STATE", C3D_ARITH_ERR_STATE},
    {"ERR_ESCAPE", C3D_ARITH_ERR_ESCAPE},
    {"ERR_TABLES_COUNT", C3D_ARITH_ERR_TABLES_COUNT},
    {"ERR_TABLES_SIZE", C3D_ARITH_ERR_TABLES_SIZE},
    {"ERR_TABLES_RANGE", C3D_ARITH_ERR_TABLES_RANGE},
    {"ERR_TABLES_LENGTH", C3D_ARITH_ERR_TABLES_LENGTH},
    {"ERR_TABLES_ZERO", C3D_ARITH_ERR_TABLES_ZERO},
    {"ERR_TABLES_SUM", C3D_ARITH_ERR_TABLES_SUM},
    {"ERR_MEMORY", C3D_ARITH_ERR_MEMORY},
};

static int add_constants(PyObject *module)
{
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
        if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value) != 0) {
            return -1;
        }
    }
    return 0;
}

/* An instance made by hand has status 0, so that the attribute is always there. */
static PyObject *make_error_type(void)
{
    PyObject *attributes = Py_BuildValue("{s:i}", "status", 0);
    if (attributes == NULL) {
        return NULL;
    }
    PyObject *type = PyErr_NewExceptionWithDoc(
        "c3d_export._arith.ArithError",
        "Wrong tables or a payload that cannot be coded; status is one of the ERR_ constants.",
        PyExc_ValueError, attributes);
    Py_DECREF(attributes);
    return type;
}

static int module_exec(PyObject *module)
{
    struct arith_module *state = PyModule_GetState(module);
    state->error = make_error_type();
    state->tables_type = arith_make_tables_type(module);
    if (state->error == NULL || state->tables_type == NULL ||
        PyModule_AddObjectRef(module, "ArithError", state->error) != 0 ||
        PyModule_AddObjectRef(module, "Tables", state->tables_type) != 0) {
        return -1;
    }
    return add_constants(module);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct arith_module *state = PyModule_GetState(module);
    Py_VISIT(state->error);
    Py_VISIT(state->tables_type);
    return 0;
}

static int module_clear(PyObject *module)
{
    struct arith_module *state = PyModule_GetState(module);
    Py_CLEAR(state->error);
    Py_CLEAR(state->tables_type);
    return 0;
}

static void module_free(void *module)
{
    (void)module_clear((PyObject *)module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)module_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "c3d_export._arith",
    .m_doc = PyDoc_STR("The rANS entropy coder and the CRC-32C of the streams."),
    .m_size = sizeof(struct arith_module),
    .m_methods = methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__arith(void)
{
    return PyModuleDef_Init(&definition);
}
