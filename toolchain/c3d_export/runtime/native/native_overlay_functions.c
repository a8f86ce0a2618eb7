/* Overlays for Python. */
#include "native_arguments.h"
#include "native_overlay.h"

typedef struct {
    c3d_overlay overlay;
    buffer_set set;
} overlay_arguments;

/* The overlay of the five arguments that all functions begin with; 0 with an exception set. */
static int take_overlay(overlay_arguments *a, PyObject *place, PyObject *group, PyObject *pixels,
                        Py_ssize_t height, Py_ssize_t width, Py_ssize_t tiles, Py_ssize_t groups)
{
    a->set.count = 0;
    if (!sides_ok(height, width) || !sides_ok(tiles, groups))
        return 0;
    c3d_overlay *o = &a->overlay;
    *o = (c3d_overlay){.height = (size_t)height, .width = (size_t)width, .tiles = (size_t)tiles,
                       .groups = (size_t)groups};
    o->place = take(&a->set, place, o->tiles * 4, 0, "place");
    o->group = o->place ? take(&a->set, group, o->tiles * 2, 0, "group") : NULL;
    o->pixels = o->group ? take(&a->set, pixels, o->tiles * C3D_TILE_BYTES, 0, "pixels") : NULL;
    if (o->pixels && !c3d_overlay_fits(o)) {
        PyErr_SetString(PyExc_ValueError, "tiles lie outside the frame, or groups are in disorder");
        return 0;
    }
    return o->pixels != NULL;
}

PyObject *native_overlay_choose(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *place, *group, *pixels, *frame, *used, *flags;
    Py_ssize_t height, width, tiles, groups;
    unsigned int limit;
    overlay_arguments a = {.set = {.count = 0}};
    if (!PyArg_ParseTuple(args, "OOOnnnnOIOO", &place, &group, &pixels, &height, &width, &tiles,
                          &groups, &frame, &limit, &used, &flags))
        return NULL;
    const int taken = take_overlay(&a, place, group, pixels, height, width, tiles, groups);
    const c3d_overlay *o = &a.overlay;
    void *f = taken ? take(&a.set, frame, o->height * o->width * 3, 0, "frame") : NULL;
    const size_t grid = o->height / C3D_TILE * (o->width / C3D_TILE);
    void *u = f ? take(&a.set, used, grid, 1, "used") : NULL;
    void *to = u ? take(&a.set, flags, o->tiles, 1, "flags") : NULL;
    if (to) {
        Py_BEGIN_ALLOW_THREADS
        c3d_overlay_choose(o, f, limit, u, to);
        Py_END_ALLOW_THREADS
    }
    return finish(&a.set, to != NULL);
}

PyObject *native_overlay_lift(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *place, *group, *pixels, *flags, *frame, *holes, *cells;
    Py_ssize_t height, width, tiles, groups;
    overlay_arguments a = {.set = {.count = 0}};
    if (!PyArg_ParseTuple(args, "OOOnnnnOOOO", &place, &group, &pixels, &height, &width, &tiles,
                          &groups, &flags, &frame, &holes, &cells))
        return NULL;
    const int taken = take_overlay(&a, place, group, pixels, height, width, tiles, groups);
    const c3d_overlay *o = &a.overlay;
    void *g = taken ? take(&a.set, flags, o->tiles, 0, "flags") : NULL;
    void *f = g ? take(&a.set, frame, o->height * o->width * 3, 1, "frame") : NULL;
    void *h = f ? take(&a.set, holes, o->height * o->width, 1, "holes") : NULL;
    void *c = h ? take(&a.set, cells, c3d_fill_bytes(o->height, o->width), 1, "cells") : NULL;
    if (c) {
        Py_BEGIN_ALLOW_THREADS
        c3d_overlay_lift(o, g, f, h, c);
        Py_END_ALLOW_THREADS
    }
    return finish(&a.set, c != NULL);
}

PyObject *native_overlay_check(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *place, *group, *pixels, *frame, *lifted, *flags;
    Py_ssize_t height, width, tiles, groups;
    overlay_arguments a = {.set = {.count = 0}};
    if (!PyArg_ParseTuple(args, "OOOnnnnOOO", &place, &group, &pixels, &height, &width, &tiles,
                          &groups, &frame, &lifted, &flags))
        return NULL;
    const int taken = take_overlay(&a, place, group, pixels, height, width, tiles, groups);
    const c3d_overlay *o = &a.overlay;
    void *f = taken ? take(&a.set, frame, o->height * o->width * 3, 0, "frame") : NULL;
    void *l = f ? take(&a.set, lifted, o->height * o->width * 3, 0, "lifted") : NULL;
    void *g = l ? take(&a.set, flags, o->tiles, 1, "flags") : NULL;
    size_t cleared = 0;
    if (g) {
        Py_BEGIN_ALLOW_THREADS
        cleared = c3d_overlay_check(o, f, l, g);
        Py_END_ALLOW_THREADS
    }
    release_all(&a.set);
    return g ? PyLong_FromSize_t(cleared) : NULL;
}

PyObject *native_overlay_paste(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *place, *group, *pixels, *flags, *frame;
    Py_ssize_t height, width, tiles, groups;
    overlay_arguments a = {.set = {.count = 0}};
    if (!PyArg_ParseTuple(args, "OOOnnnnOO", &place, &group, &pixels, &height, &width, &tiles,
                          &groups, &flags, &frame))
        return NULL;
    const int taken = take_overlay(&a, place, group, pixels, height, width, tiles, groups);
    const c3d_overlay *o = &a.overlay;
    void *g = taken ? take(&a.set, flags, o->tiles, 0, "flags") : NULL;
    void *f = g ? take(&a.set, frame, o->height * o->width * 3, 1, "frame") : NULL;
    if (f) {
        Py_BEGIN_ALLOW_THREADS
        c3d_overlay_paste(o, g, f);
        Py_END_ALLOW_THREADS
    }
    return finish(&a.set, f != NULL);
}

PyObject *native_overlay_pack(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *place, *group, *pixels, *flags, *data;
    Py_ssize_t height, width, tiles, groups;
    overlay_arguments a = {.set = {.count = 0}};
    if (!PyArg_ParseTuple(args, "OOOnnnnOO", &place, &group, &pixels, &height, &width, &tiles,
                          &groups, &flags, &data))
        return NULL;
    const int taken = take_overlay(&a, place, group, pixels, height, width, tiles, groups);
    void *g = taken ? take(&a.set, flags, a.overlay.tiles, 0, "flags") : NULL;
    void *to = g ? take(&a.set, data, c3d_overlay_room(&a.overlay), 1, "data") : NULL;
    const size_t size = to ? c3d_overlay_pack(&a.overlay, g, to) : 0;
    release_all(&a.set);
    return to ? PyLong_FromSize_t(size) : NULL;
}

PyObject *native_overlay_unpack(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *place, *group, *pixels, *data, *flags;
    Py_ssize_t height, width, tiles, groups, size;
    overlay_arguments a = {.set = {.count = 0}};
    if (!PyArg_ParseTuple(args, "OOOnnnnOnO", &place, &group, &pixels, &height, &width, &tiles,
                          &groups, &data, &size, &flags))
        return NULL;
    const int taken = take_overlay(&a, place, group, pixels, height, width, tiles, groups);
    void *d = taken && size >= 0 ? take(&a.set, data, (size_t)size, 0, "data") : NULL;
    void *to = d ? take(&a.set, flags, a.overlay.tiles, 1, "flags") : NULL;
    const int whole = to && c3d_overlay_unpack(&a.overlay, d, (size_t)size, to);
    if (!whole && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "the bits are not those of an overlay");
    return finish(&a.set, whole);
}

PyObject *native_overlay_pixels(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *mask, *symbols, *pixels;
    Py_ssize_t tiles, count;
    if (!PyArg_ParseTuple(args, "OnOnO", &mask, &tiles, &symbols, &count, &pixels) ||
        !sides_ok(tiles, 1))
        return NULL;
    buffer_set set = {.count = 0};
    const size_t n = (size_t)tiles;
    int whole = 0;
    void *m = count >= 0 ? take(&set, mask, n * C3D_TILE_PIXELS / 8, 0, "mask") : NULL;
    void *s = m ? take(&set, symbols, (size_t)count * 2, 0, "symbols") : NULL;
    void *p = s ? take(&set, pixels, n * C3D_TILE_BYTES, 1, "pixels") : NULL;
    if (p)
        whole = c3d_overlay_pixels(m, n, s, (size_t)count, p);
    if (!whole && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "the symbols are not those of the mask");
    return finish(&set, whole);
}

PyObject *native_fill_bytes(PyObject *self, PyObject *args)
{
    (void)self;
    Py_ssize_t height, width;
    if (!PyArg_ParseTuple(args, "nn", &height, &width) || !sides_ok(height, width))
        return NULL;
    return PyLong_FromSize_t(c3d_fill_bytes((size_t)height, (size_t)width));
}

PyObject *native_fill(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *frame, *holes, *cells;
    Py_ssize_t height, width;
    if (!PyArg_ParseTuple(args, "OOnnO", &frame, &holes, &height, &width, &cells) ||
        !sides_ok(height, width))
        return NULL;
    buffer_set set = {.count = 0};
    const size_t h = (size_t)height, w = (size_t)width;
    void *f = take(&set, frame, h * w * 3, 1, "frame");
    void *o = f ? take(&set, holes, h * w, 0, "holes") : NULL;
    void *c = o ? take(&set, cells, c3d_fill_bytes(h, w), 1, "cells") : NULL;
    if (c) {
        Py_BEGIN_ALLOW_THREADS
        c3d_fill(f, o, h, w, c);
        Py_END_ALLOW_THREADS
    }
    return finish(&set, c != NULL);
}
