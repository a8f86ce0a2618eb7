/* What the sources of the binding share. Stable ABI of CPython 3.11. */
#ifndef C3D_ARITH_BINDING_H
#define C3D_ARITH_BINDING_H

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#include <Python.h>

#include "c3d_arith.h"

/* The state of one module object: there is one in each interpreter. */
struct arith_module {
    PyObject *error;       /* the class ArithError */
    PyObject *tables_type; /* the class Tables */
};

/* Raises ArithError for a status, with the number as its attribute. */
void arith_raise(const struct arith_module *state, c3d_arith_status status);

/* A new class Tables for the module, or null with an exception set. */
PyObject *arith_make_tables_type(PyObject *module);

/* The bank of a Tables object, owned by the object; null with TypeError set for any other. */
const c3d_arith_tables *arith_bank_of(const struct arith_module *state, PyObject *object);

#endif
