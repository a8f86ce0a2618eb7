/* The class Tables: a bank as an immutable Python object. */
#include "arith_binding.h"

struct tables_object {
    PyObject_HEAD
    c3d_arith_tables *bank;
};

/* An array of shapes is an array of four times as many numbers. */
_Static_assert(sizeof(c3d_arith_shape) == 4 * sizeof(uint16_t), "a shape has no padding");

const c3d_arith_tables *arith_bank_of(const struct arith_module *state, PyObject *object)
{
    /* The true type, since isinstance believes a forged __class__; it has no subclasses. */
    if (Py_TYPE(object) != (PyTypeObject *)state->tables_type) {
        PyErr_SetString(PyExc_TypeError, "tables must be a Tables object");
        return NULL;
    }
    return ((struct tables_object *)object)->bank;
}

static PyObject *make_tables(PyTypeObject *type, const struct arith_view *frequencies,
                             const struct arith_view *shapes, int kernel)
{
    const struct arith_module *state = PyType_GetModuleState(type);
    if (state == NULL) {
        return NULL;
    }
    if (shapes->count % 4 != 0) {
        PyErr_Format(PyExc_ValueError, "shapes must hold four numbers for each table, not %zu",
                     shapes->count);
        return NULL;
    }
    c3d_arith_tables *bank = NULL;
    c3d_arith_status status =
        c3d_arith_tables_create(frequencies->data, frequencies->count, shapes->data,
                                shapes->count / 4, (c3d_arith_kernel)kernel, &bank);
    if (status != C3D_ARITH_OK) {
        arith_raise(state, status);
        return NULL;
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct tables_object *self = (struct tables_object *)allocate(type, 0);
    if (self == NULL) {
        c3d_arith_tables_destroy(bank);
        return NULL;
    }
    self->bank = bank;
    return (PyObject *)self;
}

static PyObject *tables_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"frequencies", "shapes", "kernel", NULL};
    PyObject *objects[2];
    int kernel = C3D_ARITH_KERNEL_AUTO;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OO|i:Tables", names, &objects[0],
                                     &objects[1], &kernel)) {
        return NULL;
    }
    struct arith_view views[2] = {{0}};
    PyObject *result = NULL;
    if (arith_view_open(&views[0], objects[0], names[0], ARITH_VIEW_UINT32) &&
        arith_view_open(&views[1], objects[1], names[1], ARITH_VIEW_UINT16)) {
        result = make_tables(type, &views[0], &views[1], kernel);
    }
    arith_views_close(views, 2);
    return result;
}

static void tables_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    c3d_arith_tables_destroy(((struct tables_object *)self)->bank);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *tables_count(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(c3d_arith_tables_count(((struct tables_object *)self)->bank));
}

static PyObject *tables_kernel(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromLong(
        (long)c3d_arith_tables_kernel(((struct tables_object *)self)->bank));
}

static PyObject *tables_nbytes(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t(c3d_arith_tables_bytes(((struct tables_object *)self)->bank));
}

static PyGetSetDef tables_attributes[] = {
    {"count", tables_count, NULL, PyDoc_STR("The number of tables."), NULL},
    {"kernel", tables_kernel, NULL,
     PyDoc_STR("The kernel in use, one of the KERNEL_ constants but never KERNEL_AUTO."), NULL},
    {"nbytes", tables_nbytes, NULL, PyDoc_STR("The memory that the bank takes, in bytes."),
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(tables_doc,
             "Tables(frequencies, shapes, kernel=KERNEL_AUTO)\n--\n\n"
             "An immutable bank of 1 to 256 frequency tables, to be shared by threads.\n\n"
             "shapes (uint16): four numbers for each table: bits (11..16), fold (0..5), and how\n"
             "many groups of 2^fold values it covers below and above zero (0..511 each).\n"
             "frequencies (uint32): table after table, the zero's, those of the groups in\n"
             "ascending order, the escape's. zero + (groups + escape) * 2^fold is 2^bits, and\n"
             "groups + escape at most 2047. Both are copied. Raises ArithError.");

static PyType_Slot tables_slots[] = {
    {Py_tp_doc, (void *)tables_doc},
    {Py_tp_new, (void *)tables_new},
    {Py_tp_dealloc, (void *)tables_dealloc},
    {Py_tp_getset, (void *)tables_attributes},
    {0, NULL},
};

static PyType_Spec tables_spec = {
    .name = "c3d_export._arith.Tables",
    .basicsize = sizeof(struct tables_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = tables_slots,
};

PyObject *arith_make_tables_type(PyObject *module)
{
    return PyType_FromModuleAndSpec(module, &tables_spec, NULL);
}
