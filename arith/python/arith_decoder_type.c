/*
 * The class Decoder: a payload that is decoded part by part. It keeps a view of the payload
 * open, so that the bytes stay, and its decoder never moves. One thread at a time may use it:
 * the interpreter's lock guards `busy`, and whoever finds it set is refused rather than made to
 * wait, since parts in an order that threads decide have no meaning.
 */
#include "arith_binding.h"

struct decoder_object {
    PyObject_HEAD
    int busy;
    struct arith_view data;
    c3d_arith_decoder decoder;
};

static PyObject *decoder_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"data", NULL};
    PyObject *bytes;
    const struct arith_module *state = PyType_GetModuleState(type);
    if (state == NULL ||
        !PyArg_ParseTupleAndKeywords(args, keywords, "O:Decoder", names, &bytes)) {
        return NULL;
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct decoder_object *self = (struct decoder_object *)allocate(type, 0);
    if (self == NULL) {
        return NULL;
    }
    if (!arith_view_open(&self->data, bytes, names[0], ARITH_VIEW_BYTES)) {
        Py_DECREF(self);
        return NULL;
    }
    c3d_arith_status status =
        c3d_arith_decoder_init(&self->decoder, self->data.data, self->data.count);
    if (status != C3D_ARITH_OK) {
        arith_raise(state, status);
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int decoder_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(((struct decoder_object *)object)->data.buffer.obj);
    return 0;
}

/* What still finds the object then, a finaliser, has a payload without bytes. */
static int decoder_clear(PyObject *object)
{
    struct decoder_object *self = (struct decoder_object *)object;
    (void)c3d_arith_decoder_init(&self->decoder, NULL, 0);
    arith_views_close(&self->data, 1);
    return 0;
}

static void decoder_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)decoder_clear(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static int refuse_busy(const struct decoder_object *self)
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "the decoder is in use by another thread");
    }
    return self->busy;
}

static PyObject *pull_views(const struct arith_module *state, struct decoder_object *self,
                            const struct arith_target *target, uint32_t checksum)
{
    if (refuse_busy(self)) {
        return NULL;
    }
    c3d_arith_status status;
    self->busy = 1;
    Py_BEGIN_ALLOW_THREADS
    status = c3d_arith_decoder_pull(&self->decoder, target->tables, target->indexes.data,
                                    target->means.data, target->out.data, target->out.count,
                                    &checksum);
    Py_END_ALLOW_THREADS
    self->busy = 0;
    if (status != C3D_ARITH_OK) {
        arith_raise(state, status);
        return NULL;
    }
    return PyLong_FromUnsignedLong(checksum);
}

PyDoc_STRVAR(pull_doc,
             "pull(tables, indexes, out, means=None, checksum=0)\n--\n\n"
             "Fill out (int16, writable) with the values of the next part, a whole one.\n\n"
             "tables, indexes (uint8) and means (int16, or None for zeros) are those of its\n"
             "encoding. Return the checksum of the values, CRC-32C, going on from checksum.\n"
             "Raises ArithError; the content of out is then unspecified, and every later call\n"
             "raises the same. Raises RuntimeError while another thread uses the decoder.");

static PyObject *pull(PyObject *object, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"tables", "indexes", "out", "means", "checksum", NULL};
    PyObject *objects[4] = {NULL};
    uint32_t checksum = 0;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOO|OO&:pull", names, &objects[0],
                                     &objects[1], &objects[2], &objects[3], arith_crc_argument,
                                     &checksum)) {
        return NULL;
    }
    struct decoder_object *self = (struct decoder_object *)object;
    const struct arith_module *state = PyType_GetModuleState(Py_TYPE(object));
    struct arith_target target = {0};
    PyObject *result = NULL;
    if (state != NULL && arith_target_open(&target, state, objects, &self->data)) {
        result = pull_views(state, self, &target, checksum);
    }
    arith_target_close(&target);
    return result;
}

PyDoc_STRVAR(finish_doc,
             "finish()\n--\n\n"
             "Check that the payload ends where its last value did. Raises ArithError, or\n"
             "RuntimeError while another thread uses the decoder.");

static PyObject *finish(PyObject *object, PyObject *Py_UNUSED(args))
{
    struct decoder_object *self = (struct decoder_object *)object;
    const struct arith_module *state = PyType_GetModuleState(Py_TYPE(object));
    if (state == NULL || refuse_busy(self)) {
        return NULL;
    }
    c3d_arith_status status = c3d_arith_decoder_finish(&self->decoder);
    if (status != C3D_ARITH_OK) {
        arith_raise(state, status);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *decoder_lanes(PyObject *self, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLong(
        c3d_arith_decoder_lanes(&((struct decoder_object *)self)->decoder));
}

static PyMethodDef decoder_methods[] = {
    {"pull", ARITH_METHOD(pull), pull_doc},
    {"finish", finish, METH_NOARGS, finish_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef decoder_attributes[] = {
    {"lanes", decoder_lanes, NULL,
     PyDoc_STR("The payload's number of lanes, 0 for an empty payload."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(decoder_doc,
             "Decoder(data)\n--\n\n"
             "A payload (bytes-like) that is decoded part by part, in the order of the encoding.\n\n"
             "It keeps a view of data, which must not change until the end. Raises ArithError.");

static PyType_Slot decoder_slots[] = {
    {Py_tp_doc, (void *)decoder_doc},
    {Py_tp_new, (void *)decoder_new},
    {Py_tp_dealloc, (void *)decoder_dealloc},
    {Py_tp_traverse, (void *)decoder_traverse},
    {Py_tp_clear, (void *)decoder_clear},
    {Py_tp_methods, (void *)decoder_methods},
    {Py_tp_getset, (void *)decoder_attributes},
    {0, NULL},
};

static PyType_Spec decoder_spec = {
    .name = "c3d_export._arith.Decoder",
    .basicsize = sizeof(struct decoder_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = decoder_slots,
};

PyObject *arith_make_decoder_type(PyObject *module)
{
    return PyType_FromModuleAndSpec(module, &decoder_spec, NULL);
}
