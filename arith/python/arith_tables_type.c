/* The class Tables: a bank as an immutable Python object. */
#include "arith_binding.h"
#include "arith_views.h"

struct tables_object {
    PyObject_HEAD
    c3d_arith_tables *bank;
};

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
                             const struct arith_view *minimums, const struct arith_view *sizes)
{
    const struct arith_module *state = PyType_GetModuleState(type);
    if (state == NULL || !arith_views_match(minimums, sizes)) {
        return NULL;
    }
    c3d_arith_tables *bank = NULL;
    c3d_arith_status status =
        c3d_arith_tables_create(frequencies->data, frequencies->count, minimums->data,
                                sizes->data, sizes->count, &bank);
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
    static char *names[] = {"frequencies", "minimums", "sizes", NULL};
    PyObject *objects[3];
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO:Tables", names, &objects[0],
                                     &objects[1], &objects[2])) {
        return NULL;
    }
    struct arith_view views[3] = {{0}};
    PyObject *result = NULL;
    if (arith_view_open(&views[0], objects[0], names[0], ARITH_VIEW_UINT32) &&
        arith_view_open(&views[1], objects[1], names[1], ARITH_VIEW_INT16) &&
        arith_view_open(&views[2], objects[2], names[2], ARITH_VIEW_UINT16)) {
        result = make_tables(type, &views[0], &views[1], &views[2]);
    }
    arith_views_close(views, 3);
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

static PyGetSetDef tables_attributes[] = {
    {"count", tables_count, NULL, PyDoc_STR("The number of tables."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(tables_doc,
             "Tables(frequencies, minimums, sizes)\n--\n\n"
             "An immutable bank of frequency tables.\n\n"
             "frequencies (uint32): table after table, one for each covered symbol and then the\n"
             "escape's, each table summing to 4096. minimums (int16): each table's first symbol.\n"
             "sizes (uint16): how many symbols each covers. Raises ArithError.");

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
