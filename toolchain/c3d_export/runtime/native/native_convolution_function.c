/* convolve(...), winograd(...) and convolution_kernel(most) for Python. */
#include "native_winograd.h"

#include "native_arguments.h"

#include <stdlib.h>

typedef struct {
    Py_ssize_t rows, columns, x_first, x_row, x_column, x_run, out_first, out_row, out_column;
} positions;

/* Far above what a frame of the codec's limit needs, so that sums of products fit into size_t. */
static int counts_ok(const positions *at, Py_ssize_t runs, Py_ssize_t length, Py_ssize_t outputs)
{
    const Py_ssize_t counts[] = {at->rows, at->columns, runs, length, outputs};
    const Py_ssize_t steps[] = {at->x_first, at->x_row,     at->x_column,  at->x_run,
                                at->out_first, at->out_row, at->out_column};
    for (int i = 0; i < 5; i++)
        if (counts[i] < 1 || counts[i] > 1 << 20)
            return 0;
    for (int i = 0; i < 7; i++)
        if (steps[i] < 0 || steps[i] > (Py_ssize_t)1 << 40)
            return 0;
    return runs * length <= 1 << 20 && length % 2 == 0;
}

/* Written so that what is no number fails. limits: of the type of the outputs. */
static int ranges_ok(const float *low, const float *high, size_t count, float least, float most)
{
    for (size_t o = 0; o < count; o++)
        if (!(low[o] >= least && low[o] <= high[o] && high[o] <= most))
            return 0;
    return 1;
}

/* A buffer of int16, or int32 where wide is not NULL, with at least `count` numbers. */
static void *take_numbers(buffer_set *set, PyObject *object, size_t count, int *wide, const char *name)
{
    Py_buffer *view = &set->views[set->count];
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | (wide ? PyBUF_WRITABLE : 0)) < 0)
        return NULL;
    set->count++;
    const size_t size = (size_t)view->itemsize;
    if (!(size == 2 || (size == 4 && wide)) || (size_t)view->len / size < count) {
        PyErr_Format(PyExc_ValueError, "%s has %zd bytes in items of %zu, %zu items expected", name,
                     view->len, size, count);
        return NULL;
    }
    if (wide)
        *wide = size == 4;
    return view->buf;
}

/* The numbers up to the last one that is touched. */
static size_t span(Py_ssize_t first, const positions *at, Py_ssize_t row, Py_ssize_t column)
{
    return (size_t)first + (size_t)(at->rows - 1) * (size_t)row +
           (size_t)(at->columns - 1) * (size_t)column;
}

static int take_layer(buffer_set *set, c3d_convolution_layer *layer, PyObject *weight,
                      PyObject *const parts[5])
{
    static const char *const names[] = {"bias", "scale", "negative", "low", "high"};
    const size_t padded = c3d_convolution_padded(layer->outputs);
    const void *at[5] = {NULL};
    layer->weight = take(set, weight, layer->runs * layer->length * padded * 2, 0, "weight");
    int ok = layer->weight != NULL;
    for (int i = 0; ok && i < 5; i++) {
        at[i] = take(set, parts[i], padded * 4, 0, names[i]);
        ok = at[i] != NULL;
    }
    layer->bias = at[0];
    layer->scale = at[1];
    layer->negative = at[2];
    layer->low = at[3];
    layer->high = at[4];
    return ok;
}

/* The numbers up to the last one that is read. */
static size_t span_seen(const c3d_convolution_layer *layer, const c3d_winograd_shape *shape,
                        const positions *at)
{
    if (!shape)
        return span(at->x_first, at, at->x_row, at->x_column) +
               (layer->runs - 1) * (size_t)at->x_run + layer->length;
    const size_t row = ((size_t)at->rows + 1) / 2 * 2 + shape->rows - 3;
    const size_t column = ((size_t)at->columns + 1) / 2 * 2 + shape->columns - 3;
    return (size_t)at->x_first + row * (size_t)at->x_row + column * (size_t)at->x_column +
           layer->length;
}

static int compute(const c3d_convolution_layer *layer, const c3d_winograd_shape *shape,
                   const positions *at, int most, const int16_t *x, int16_t *narrow, int32_t *wide)
{
    const c3d_convolution_kernel kernel = c3d_convolution_best((c3d_convolution_kernel)most);
    const c3d_convolution_grid grid = {
        (size_t)at->rows,  (size_t)at->columns, (size_t)at->x_row,     (size_t)at->x_column,
        (size_t)at->x_run, (size_t)at->out_row, (size_t)at->out_column};
    if (!shape) {
        c3d_convolve(layer, kernel, &grid, x, narrow, wide);
        return 1;
    }
    int16_t *scratch = malloc(c3d_winograd_scratch(shape, layer->length));
    if (!scratch)
        return 0;
    c3d_winograd(layer, shape, kernel, &grid, x, narrow, wide, scratch);
    free(scratch);
    return 1;
}

static int run(c3d_convolution_layer *layer, const c3d_winograd_shape *shape,
               PyObject *const objects[3], PyObject *const parts[5], const positions *at, int most,
               buffer_set *set)
{
    const size_t outputs = layer->outputs;
    const size_t made = span(at->out_first, at, at->out_row, at->out_column) + outputs;
    int wide = 0;
    const int16_t *x = take_numbers(set, objects[0], span_seen(layer, shape, at), NULL, "x");
    void *out = x && take_layer(set, layer, objects[1], parts)
                    ? take_numbers(set, objects[2], made, &wide, "out")
                    : NULL;
    if (!out)
        return 0;
    if (!ranges_ok(layer->low, layer->high, c3d_convolution_padded(outputs),
                   wide ? -65535.0f : -32768.0f, wide ? 65535.0f : 32767.0f)) {
        PyErr_SetString(PyExc_ValueError, "a range of outputs is wrong");
        return 0;
    }
    int16_t *narrow = wide ? NULL : (int16_t *)out + at->out_first;
    int32_t *whole = wide ? (int32_t *)out + at->out_first : NULL;
    int done;
    Py_BEGIN_ALLOW_THREADS
    done = compute(layer, shape, at, most, x + at->x_first, narrow, whole);
    Py_END_ALLOW_THREADS
    if (!done)
        PyErr_NoMemory();
    return done;
}

/* shape: NULL for convolve. */
static PyObject *parse_and_run(PyObject *args, c3d_winograd_shape *shape)
{
    PyObject *objects[3], *parts[5]; /* x, weight, out */
    Py_ssize_t runs, length, outputs;
    positions at;
    int most, rows = 0, columns = 0;
    if (!PyArg_ParseTuple(args, "O(nnn)O(OOOOO)(nnnnnnnnn)iO|(ii)", &objects[0], &runs, &length,
                          &outputs, &objects[1], &parts[0], &parts[1], &parts[2], &parts[3],
                          &parts[4], &at.rows, &at.columns, &at.x_first, &at.x_row, &at.x_column,
                          &at.x_run, &at.out_first, &at.out_row, &at.out_column, &most,
                          &objects[2], &rows, &columns))
        return NULL;
    int ok = counts_ok(&at, runs, length, outputs) && most >= C3D_CONVOLUTION_PORTABLE &&
             most <= C3D_CONVOLUTION_VNNI && (shape || (!rows && !columns));
    if (shape) {
        *shape = (c3d_winograd_shape){(size_t)rows, (size_t)columns};
        ok = ok && (rows == 3 || rows == 4) && (columns == 3 || columns == 4) &&
             runs == rows * columns && at.x_column == length;
    }
    if (!ok) {
        PyErr_SetString(PyExc_ValueError, "a size or step is out of range, or no such kernel");
        return NULL;
    }
    c3d_convolution_layer layer = {.runs = (size_t)runs, .length = (size_t)length,
                                   .outputs = (size_t)outputs};
    buffer_set set = {.count = 0};
    return finish(&set, run(&layer, shape, objects, parts, &at, most, &set));
}

PyObject *native_convolve(PyObject *self, PyObject *args)
{
    (void)self;
    return parse_and_run(args, NULL);
}

PyObject *native_winograd(PyObject *self, PyObject *args)
{
    (void)self;
    c3d_winograd_shape shape;
    return parse_and_run(args, &shape);
}

/* The kernel that this processor takes where `most` is allowed. */
PyObject *native_convolution_kernel(PyObject *self, PyObject *args)
{
    (void)self;
    int most;
    if (!PyArg_ParseTuple(args, "i", &most))
        return NULL;
    if (most < C3D_CONVOLUTION_PORTABLE || most > C3D_CONVOLUTION_VNNI) {
        PyErr_SetString(PyExc_ValueError, "no such kernel");
        return NULL;
    }
    return PyLong_FromLong(c3d_convolution_best((c3d_convolution_kernel)most));
}
