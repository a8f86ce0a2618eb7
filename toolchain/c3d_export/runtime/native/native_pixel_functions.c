/* Frames to the networks' tensors, and the networks' outputs to frames. */
#include "native_arguments.h"

static size_t blocks_along(size_t pixels) { return (pixels + C3D_BLOCK - 1) / C3D_BLOCK; }

PyObject *native_unshuffle(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *frame, *patches, *blocks;
    Py_ssize_t height, width;
    if (!PyArg_ParseTuple(args, "OnnOO", &frame, &height, &width, &patches, &blocks) ||
        !sides_ok(height, width))
        return NULL;
    const size_t size = blocks_along((size_t)height) * blocks_along((size_t)width) * 768;
    buffer_set set = {.count = 0};
    void *f = take(&set, frame, (size_t)height * (size_t)width * 3, 0, "frame");
    void *p = f ? take(&set, patches, size, 1, "patches") : NULL;
    void *b = p ? take(&set, blocks, size, 1, "blocks") : NULL;
    if (b) {
        Py_BEGIN_ALLOW_THREADS
        c3d_unshuffle(f, (size_t)height, (size_t)width, p, b);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, b != NULL);
}

PyObject *native_shuffle(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *sums, *scale, *bias, *correction, *frame;
    Py_ssize_t height, width;
    if (!PyArg_ParseTuple(args, "OOOOOnn", &sums, &scale, &bias, &correction, &frame, &height,
                          &width) ||
        !sides_ok(height, width))
        return NULL;
    c3d_picture p = {.height = (size_t)height, .width = (size_t)width};
    const size_t size = blocks_along(p.height) * blocks_along(p.width) * C3D_BLOCK_BYTES;
    const size_t row = 4 * C3D_BLOCK_BYTES;
    buffer_set set = {.count = 0};
    p.sums = take(&set, sums, 4 * size, 0, "sums");
    p.scale = p.sums ? take(&set, scale, row, 0, "scale") : NULL;
    p.bias = p.scale ? take(&set, bias, row, 0, "bias") : NULL;
    p.correction = p.bias ? take(&set, correction, size, 0, "correction") : NULL;
    void *f = p.correction ? take(&set, frame, p.height * p.width * 3, 1, "frame") : NULL;
    if (f) {
        Py_BEGIN_ALLOW_THREADS
        c3d_shuffle(&p, f);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, f != NULL);
}

/* Channels that the runs add; 0 with an exception set where a run leaves the fine latents. */
static size_t channels_of(const c3d_run *runs, size_t count, Py_ssize_t fine_channels)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        const c3d_run run = runs[i];
        if (run.first < 0 || run.count < 1 || run.first > fine_channels - run.count ||
            run.offset < 0 || run.offset >= C3D_FINE_ONE) {
            PyErr_SetString(PyExc_ValueError, "a run is outside the fine latents");
            return 0;
        }
        total += (size_t)run.count;
    }
    return total;
}

PyObject *native_spread(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *v, *fine, *planes, *runs, *seen, *spread;
    Py_ssize_t rows, columns, channels, fine_channels, count;
    if (!PyArg_ParseTuple(args, "OOOnnnnOnOO", &v, &fine, &planes, &rows, &columns, &channels,
                          &fine_channels, &runs, &count, &seen, &spread) ||
        !sides_ok(rows, columns) || !sides_ok(channels, fine_channels) || !sides_ok(count, 1))
        return NULL;
    const size_t n = (size_t)rows * (size_t)columns, k = (size_t)channels;
    buffer_set set = {.count = 0};
    void *from = take(&set, v, n * k, 0, "v");
    void *f = from ? take(&set, fine, n * (size_t)fine_channels * 2, 0, "fine") : NULL;
    void *p = f ? take(&set, planes, C3D_PLANES, 0, "planes") : NULL;
    const c3d_run *r = p ? take(&set, runs, (size_t)count * sizeof *r, 0, "runs") : NULL;
    const size_t more = r ? channels_of(r, (size_t)count, fine_channels) : 0;
    void *s = more ? take(&set, seen, n * (k + C3D_PLANES), 1, "seen") : NULL;
    void *to = s ? take(&set, spread, n * (k + more), 1, "spread") : NULL;
    if (to) {
        Py_BEGIN_ALLOW_THREADS
        c3d_spread(from, f, p, n, k, (size_t)fine_channels, r, (size_t)count, s, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, to != NULL);
}
