/* What the sources of the binding share. Stable ABI of CPython 3.11. */
#ifndef C3D_ARITH_BINDING_H
#define C3D_ARITH_BINDING_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#include "arith_views.h"
#include "c3d_arith.h"

/* The state of one module object: there is one in each interpreter. */
struct arith_module {
    PyObject *error;        /* the class ArithError */
    PyObject *tables_type;  /* the class Tables */
    PyObject *decoder_type; /* the class Decoder */
};

/* A function with keywords as the table of methods wants it. */
#define ARITH_METHOD(function) \
    (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

/* Raises ArithError for a status, with the number as its attribute. */
void arith_raise(const struct arith_module *state, c3d_arith_status status);

/* New classes for the module, or null with an exception set. */
PyObject *arith_make_tables_type(PyObject *module);
PyObject *arith_make_decoder_type(PyObject *module);

/* The bank of a Tables object, owned by the object; null with TypeError set for any other. */
const c3d_arith_tables *arith_bank_of(const struct arith_module *state, PyObject *object);

/* Converter for "O&": a checksum, a uint32_t. */
int arith_crc_argument(PyObject *object, void *crc);

/* What a pull works on besides the payload; all zero is closed. */
struct arith_target {
    const c3d_arith_tables *tables;
    struct arith_view indexes;
    struct arith_view out;
    struct arith_view means; /* closed for none */
};

/* Opens and checks the arguments of a pull from `data`. Returns 0 with an exception set; the
 * caller closes the target in any case. */
int arith_target_open(struct arith_target *target, const struct arith_module *state,
                      PyObject *const objects[4], const struct arith_view *data);
void arith_target_close(struct arith_target *target);

/* The functions of the module, by source file. */
extern PyMethodDef arith_encode_methods[];
extern PyMethodDef arith_decode_methods[];
extern PyMethodDef arith_table_methods[];
extern PyMethodDef arith_slice_methods[];
extern PyMethodDef arith_crc_methods[];

#endif
