/* Latents between the networks and the entropy coder. */
#include "native_arguments.h"

static int factors_ok(const int32_t *factor, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (factor[i] < 1 || factor[i] > 1 << 23) {
            PyErr_SetString(PyExc_ValueError, "an activity factor is outside 1..2^23");
            return 0;
        }
    return 1;
}

static int base_ok(Py_ssize_t base, Py_ssize_t channels)
{
    if (base >= 1 && base <= channels)
        return 1;
    PyErr_SetString(PyExc_ValueError, "the base has no channel, or more than there are");
    return 0;
}

PyObject *native_latents(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *linear, *head, *scale[2], *bias[2], *factor, *y, *activity;
    Py_ssize_t rows, columns, channels, base, padded_rows, padded_columns;
    if (!PyArg_ParseTuple(args, "OOOOOOOnnnnnnOO", &linear, &head, &scale[0], &bias[0], &scale[1],
                          &bias[1], &factor, &rows, &columns, &channels, &base, &padded_rows,
                          &padded_columns, &y, &activity) ||
        !sides_ok(padded_rows, padded_columns) || !sides_ok(rows, columns) ||
        !sides_ok(channels, 1) || !base_ok(base, channels))
        return NULL;
    if (padded_rows < rows || padded_columns < columns) {
        PyErr_SetString(PyExc_ValueError, "the padded grid is smaller than the grid");
        return NULL;
    }
    const size_t k = (size_t)channels, n = (size_t)rows * (size_t)columns * k * 4;
    const size_t wide = (size_t)base + k + C3D_PLANES;
    buffer_set set = {.count = 0};
    const float *scales[2] = {NULL, NULL}, *biases[2] = {NULL, NULL};
    void *l = take(&set, linear, n, 0, "linear");
    void *h = l ? take(&set, head, n, 0, "head") : NULL;
    int ok = h != NULL;
    for (int i = 0; ok && i < 2; i++) {
        scales[i] = take(&set, scale[i], k * 4, 0, "scale");
        biases[i] = scales[i] ? take(&set, bias[i], k * 4, 0, "bias") : NULL;
        ok = biases[i] != NULL;
    }
    const int32_t *f = ok ? take(&set, factor, k * 4, 0, "factor") : NULL;
    void *to = f ? take(&set, y, n, 1, "y") : NULL;
    void *a = to ? take(&set, activity, (size_t)padded_rows * (size_t)padded_columns * wide, 1,
                        "activity")
                 : NULL;
    ok = a && factors_ok(f, k);
    if (ok) {
        const c3d_activities out = {(size_t)base, C3D_RAW, (size_t)padded_columns, f, a};
        Py_BEGIN_ALLOW_THREADS
        c3d_latents(l, h, scales, biases, (size_t)rows, (size_t)columns, k, &out, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, ok);
}

PyObject *native_activity(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *v, *factor, *activity;
    Py_ssize_t rows, columns, channels, base;
    if (!PyArg_ParseTuple(args, "OOnnnnO", &v, &factor, &rows, &columns, &channels, &base,
                          &activity) ||
        !sides_ok(rows, columns) || !sides_ok(channels, 1) || !base_ok(base, channels))
        return NULL;
    const size_t n = (size_t)rows * (size_t)columns, b = (size_t)base;
    buffer_set set = {.count = 0};
    void *from = take(&set, v, n * (size_t)channels, 0, "v");
    const int32_t *f = from ? take(&set, factor, (size_t)channels * 4, 0, "factor") : NULL;
    void *a = f ? take(&set, activity, n * (2 * b + C3D_PLANES), 1, "activity") : NULL;
    const int ok = a && factors_ok(f, b);
    if (ok) {
        const c3d_activities out = {b, C3D_RAW, (size_t)columns, f, a};
        Py_BEGIN_ALLOW_THREADS
        c3d_activity(from, (size_t)rows, (size_t)columns, (size_t)channels, &out);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, ok);
}

/* Sizes of the buffers that belong to a coding step. */
typedef struct {
    c3d_grid grid;
    size_t coded, plane, latents; /* elements of the step; bytes of mean; elements of y */
} step_sizes;

static int step_of(PyObject *tuple, step_sizes *out)
{
    Py_ssize_t rows, columns, channels, grid_rows, stride, first, count;
    int pattern;
    if (!PyArg_ParseTuple(tuple, "nnnnnnni;grid is (rows, columns, channels, grid rows, stride, "
                                 "first, count, pattern)",
                          &rows, &columns, &channels, &grid_rows, &stride, &first, &count,
                          &pattern) ||
        !sides_ok(rows, columns) || !sides_ok(grid_rows, stride) || !sides_ok(channels, count))
        return 0;
    if (stride < columns || grid_rows < rows || first < 0 || first > channels - count ||
        pattern < 0 || pattern > 2 || (pattern < 2 && count % 2)) {
        PyErr_SetString(PyExc_ValueError, "the grid or the range of channels is wrong");
        return 0;
    }
    out->grid = (c3d_grid){(size_t)rows,  (size_t)columns, (size_t)channels, (size_t)stride,
                           (size_t)first, (size_t)count,   (unsigned)pattern};
    out->coded = (size_t)rows * (size_t)columns * (size_t)count / (pattern < 2 ? 2 : 1);
    out->plane = (size_t)grid_rows * (size_t)stride * (size_t)count;
    out->latents = (size_t)rows * (size_t)columns * (size_t)channels;
    return 1;
}

PyObject *native_indexes(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *grid, *fine, *offset, *out;
    step_sizes s;
    if (!PyArg_ParseTuple(args, "O!OOO", &PyTuple_Type, &grid, &fine, &offset, &out) ||
        !step_of(grid, &s))
        return NULL;
    buffer_set set = {.count = 0};
    void *f = take(&set, fine, s.plane, 0, "index");
    void *o = f ? take(&set, offset, s.grid.channels * 2, 0, "offset") : NULL;
    void *to = o ? take(&set, out, s.coded, 1, "out") : NULL;
    if (to) {
        Py_BEGIN_ALLOW_THREADS
        c3d_indexes(&s.grid, f, o, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, to != NULL);
}

PyObject *native_quantize(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *grid, *given[7], *made[3];
    step_sizes s;
    if (!PyArg_ParseTuple(args, "O!OOOOOOOOOO", &PyTuple_Type, &grid, &given[0], &given[1],
                          &given[2], &given[3], &given[4], &given[5], &given[6], &made[0],
                          &made[1], &made[2]) ||
        !step_of(grid, &s))
        return NULL;
    static const char *const names[] = {"y",        "mean", "index", "offset", "reciprocal",
                                        "rounding", "step", "symbols", "indexes", "v"};
    const size_t k = s.grid.channels;
    const size_t sizes[] = {s.latents * 4, s.plane, s.plane,     k * 2,   k * 4,
                            C3D_TABLES * 4, k * 4,  s.coded * 2, s.coded, s.latents};
    buffer_set set = {.count = 0};
    void *at[10] = {NULL};
    int ok = 1;
    for (int i = 0; ok && i < 10; i++) {
        at[i] = take(&set, i < 7 ? given[i] : made[i - 7], sizes[i], i >= 7, names[i]);
        ok = at[i] != NULL;
    }
    if (ok) {
        const c3d_prior prior = {at[1], at[2]};
        const c3d_quantizer quantizer = {at[3], at[6], at[4], at[5]};
        const c3d_coded out = {at[7], at[8], at[9]};
        Py_BEGIN_ALLOW_THREADS
        c3d_quantize_step(&s.grid, at[0], &prior, &quantizer, &out);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, ok);
}

PyObject *native_dequantize(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *grid, *symbols, *mean, *step, *v, *fine;
    Py_ssize_t fine_channels;
    step_sizes s;
    if (!PyArg_ParseTuple(args, "O!OOOOOn", &PyTuple_Type, &grid, &symbols, &mean, &step, &v,
                          &fine, &fine_channels) ||
        !step_of(grid, &s))
        return NULL;
    if (fine_channels < 0 || (size_t)fine_channels > s.grid.channels) {
        PyErr_SetString(PyExc_ValueError, "there are more fine latents than latents");
        return NULL;
    }
    const size_t positions = s.grid.rows * s.grid.columns;
    buffer_set set = {.count = 0};
    void *from = take(&set, symbols, s.coded * 2, 0, "symbols");
    void *m = from ? take(&set, mean, s.plane, 0, "mean") : NULL;
    void *t = m ? take(&set, step, s.grid.channels * 4, 0, "step") : NULL;
    void *to = t ? take(&set, v, s.latents, 1, "v") : NULL;
    void *f = to ? take(&set, fine, positions * (size_t)fine_channels * 2, 1, "fine") : NULL;
    if (f) {
        Py_BEGIN_ALLOW_THREADS
        c3d_dequantize(&s.grid, from, m, t, to, f, (size_t)fine_channels);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, f != NULL);
}
