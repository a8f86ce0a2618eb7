/*
 * The binding c3d_export._arith: arguments in, statuses out as ArithError, the interpreter
 * free to run during the coding. Stable ABI of CPython 3.11, buffers by the buffer protocol,
 * all state in the module.
 */
#include "arith_binding.h"

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
    {"ERR_TABLES_UNITS", C3D_ARITH_ERR_TABLES_UNITS},
    {"ERR_LANES", C3D_ARITH_ERR_LANES},
    {"ERR_KERNEL", C3D_ARITH_ERR_KERNEL},
    {"ERR_VERSION", C3D_ARITH_ERR_VERSION},
    {"ERR_SLICES", C3D_ARITH_ERR_SLICES},
    {"ERR_CHECKSUM", C3D_ARITH_ERR_CHECKSUM},
    {"KERNEL_AUTO", C3D_ARITH_KERNEL_AUTO},
    {"KERNEL_PORTABLE", C3D_ARITH_KERNEL_PORTABLE},
    {"KERNEL_AVX2", C3D_ARITH_KERNEL_AVX2},
    {"KERNEL_AVX512", C3D_ARITH_KERNEL_AVX512},
    {"MAX_TABLES", C3D_ARITH_MAX_TABLES},
    {"MIN_BITS", C3D_ARITH_MIN_BITS},
    {"MAX_BITS", C3D_ARITH_MAX_BITS},
    {"MAX_FOLD", C3D_ARITH_MAX_FOLD},
    {"MAX_GROUPS", C3D_ARITH_MAX_GROUPS},
    {"MAX_UNITS", C3D_ARITH_MAX_UNITS},
    {"MAX_LANES", C3D_ARITH_MAX_LANES},
    {"MAX_SLICES", C3D_ARITH_MAX_SLICES},
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

static int add_functions(PyObject *module)
{
    PyMethodDef *const methods[] = {
        arith_encode_methods, arith_decode_methods, arith_table_methods,
        arith_slice_methods,  arith_crc_methods,
    };
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (PyModule_AddFunctions(module, methods[i]) != 0) {
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
    state->decoder_type = arith_make_decoder_type(module);
    if (state->error == NULL || state->tables_type == NULL || state->decoder_type == NULL ||
        PyModule_AddObjectRef(module, "ArithError", state->error) != 0 ||
        PyModule_AddObjectRef(module, "Tables", state->tables_type) != 0 ||
        PyModule_AddObjectRef(module, "Decoder", state->decoder_type) != 0 ||
        add_functions(module) != 0) {
        return -1;
    }
    return add_constants(module);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct arith_module *state = PyModule_GetState(module);
    Py_VISIT(state->error);
    Py_VISIT(state->tables_type);
    Py_VISIT(state->decoder_type);
    return 0;
}

static int module_clear(PyObject *module)
{
    struct arith_module *state = PyModule_GetState(module);
    Py_CLEAR(state->error);
    Py_CLEAR(state->tables_type);
    Py_CLEAR(state->decoder_type);
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
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__arith(void)
{
    return PyModuleDef_Init(&definition);
}
