/* Arrays in numpy's format 1.0, in the one way in which numpy writes their headers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "limits.h"
#include "native_overlay.h"

static const struct {
    const char *name, *type;
    size_t rank, bytes;
} FORMS[C3D_ARRAYS] = {
    {"step", "<i4", 2, 4},            {"offset", "<i2", 2, 2},
    {"planes", "|u1", 2, 1},          {"z_index", "|u1", 2, 1},
    {"rounding", "<f4", 1, 4},        {"linear_scale", "<f4", 1, 4},
    {"linear_bias", "<f4", 1, 4},     {"head_scale", "<f4", 1, 4},
    {"head_bias", "<f4", 1, 4},       {"pixels_scale", "<f4", 1, 4},
    {"pixels_bias", "<i4", 1, 4},     {"frequencies", "<u4", 1, 4},
    {"shapes", "<u2", 2, 2},          {"overlay_frame", "<u2", 2, 2},
    {"overlay_place", "<u2", 2, 2},   {"overlay_group", "<u2", 1, 2},
    {"overlay_mask", "|u1", 2, 1},    {"overlay_table", "|u1", 2, 1},
    {"overlay_payload", "|u1", 1, 1}, {"overlay_limit", "<u2", 1, 2},
};
enum { PREFIX_BYTES = 10, MOST_DIGITS = 9, MOST_HEADER = 96 };

/* The shape, from its head; 0 for what numpy does not write. */
static int read_shape(const uint8_t *at, const uint8_t *end, size_t rank, size_t dims[2])
{
    dims[1] = 1;
    for (size_t i = 0; i < rank; i++) {
        size_t digits = 0;
        for (dims[i] = 0; at < end && *at >= '0' && *at <= '9' && digits < MOST_DIGITS; digits++)
            dims[i] = dims[i] * 10 + (size_t)(*at++ - '0');
        if (digits == 0 || dims[i] == 0)
            return 0;
        if (i + 1 < rank) {
            if (end - at < 2 || memcmp(at, ", ", 2) != 0)
                return 0;
            at += 2;
        }
    }
    return 1;
}

/* Whether the bytes are those of a header with this shape: its text, spaces, a line feed. */
static int is_header(const char *start, const uint8_t *text, size_t size, size_t rank,
                     const size_t dims[2])
{
    char wanted[MOST_HEADER];
    int length;
    if (rank == 1)
        length = snprintf(wanted, sizeof wanted, "%s%zu,), }", start, dims[0]);
    else
        length = snprintf(wanted, sizeof wanted, "%s%zu, %zu), }", start, dims[0], dims[1]);
    if (length < 0 || (size_t)length >= size || memcmp(text, wanted, (size_t)length) != 0)
        return 0;
    for (size_t i = (size_t)length; i + 1 < size; i++)
        if (text[i] != ' ')
            return 0;
    return text[size - 1] == '\n';
}

/* Where the elements are, or null where this is not an array of the form. */
static const uint8_t *find_elements(const c3d_member *member, c3d_array_name name, size_t dims[2])
{
    char start[MOST_HEADER];
    const size_t rank = FORMS[name].rank;
    if (member == NULL || member->size < PREFIX_BYTES ||
        memcmp(member->data, "\x93NUMPY\1\0", 8) != 0)
        return NULL;
    const size_t size = member->data[8] | (size_t)member->data[9] << 8;
    const uint8_t *text = member->data + PREFIX_BYTES, *end = text + size;
    const int length = snprintf(start, sizeof start,
                                "{'descr': '%s', 'fortran_order': False, 'shape': (",
                                FORMS[name].type);
    if (length < 0 || member->size - PREFIX_BYTES < size || size < (size_t)length ||
        memcmp(text, start, (size_t)length) != 0 ||
        !read_shape(text + length, end, rank, dims) || !is_header(start, text, size, rank, dims))
        return NULL;
    const size_t left = member->size - PREFIX_BYTES - size;
    const int fits = dims[0] <= left && dims[1] <= left &&
                     (uint64_t)dims[0] * dims[1] * FORMS[name].bytes == left;
    return fits ? end : NULL;
}

static const c3d_member *find_array(const c3d_archive *archive, c3d_array_name name)
{
    char path[48];
    (void)snprintf(path, sizeof path, "arrays/%s.npy", FORMS[name].name);
    return c3d_archive_find(archive, path);
}

static c3d_status read_array(const c3d_archive *archive, c3d_array_name name, c3d_array *array,
                             c3d_error *error)
{
    size_t dims[2];
    const uint8_t *from = find_elements(find_array(archive, name), name, dims);
    if (from == NULL)
        return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER,
                        "array %s is missing, damaged, or of a wrong type", FORMS[name].name);
    const size_t size = dims[0] * dims[1] * FORMS[name].bytes;
    *array = (c3d_array){malloc(size), dims[0], dims[1]};
    if (array->data == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for the bundle's arrays; free some");
    memcpy(array->data, from, size);
    return C3D_OK;
}

c3d_status c3d_arrays_read(const c3d_archive *archive, c3d_array *arrays, c3d_error *error)
{
    int found = 0;
    for (int i = C3D_OVERLAY_FRAME; i < C3D_ARRAYS; i++)
        found |= find_array(archive, (c3d_array_name)i) != NULL;
    const int count = found ? C3D_ARRAYS : C3D_OVERLAY_FRAME;
    for (int i = 0; i < count; i++)
        C3D_TRY(read_array(archive, (c3d_array_name)i, &arrays[i], error));
    return C3D_OK;
}

static c3d_status check_shape(const c3d_bundle *b, c3d_array_name name, size_t rows,
                              size_t columns, c3d_error *error)
{
    const c3d_array *a = &b->arrays[name];
    if (a->rows == rows && a->columns == columns)
        return C3D_OK;
    return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER, "array %s has shape (%zu, %zu)",
                    FORMS[name].name, a->rows, a->columns);
}

static c3d_status check_shapes(const c3d_bundle *b, c3d_error *error)
{
    const size_t q = b->qualities, m = b->latents;
    C3D_TRY(check_shape(b, C3D_STEP, q, m, error));
    C3D_TRY(check_shape(b, C3D_OFFSET, q, m, error));
    C3D_TRY(check_shape(b, C3D_PLANE, q, b->planes, error));
    C3D_TRY(check_shape(b, C3D_Z_INDEX, q, b->hyper, error));
    for (int name = C3D_LINEAR_SCALE; name <= C3D_HEAD_BIAS; name++)
        C3D_TRY(check_shape(b, (c3d_array_name)name, m, 1, error));
    C3D_TRY(check_shape(b, C3D_PIXELS_SCALE, C3D_BLOCK_BYTES, 1, error));
    C3D_TRY(check_shape(b, C3D_PIXELS_BIAS, C3D_BLOCK_BYTES, 1, error));
    C3D_TRY(check_shape(b, C3D_ROUNDING, C3D_TABLES, 1, error));
    return check_shape(b, C3D_SHAPES, C3D_TABLES, 4, error);
}

static int within(const c3d_array *a, int32_t least, int32_t most)
{
    const int32_t *values = a->data;
    for (size_t i = 0; i < a->rows * a->columns; i++)
        if (values[i] < least || values[i] > most)
            return 0;
    return 1;
}

/* Whether all floats are numbers in the range. */
static int between(const c3d_array *a, float least, float most)
{
    const float *values = a->data;
    for (size_t i = 0; i < a->rows; i++)
        if (!isfinite(values[i]) || values[i] < least || values[i] > most)
            return 0;
    return 1;
}

static int indexes_fit(const c3d_array *a)
{
    const uint8_t *values = a->data;
    for (size_t i = 0; i < a->rows * a->columns; i++)
        if (values[i] >= C3D_TABLES)
            return 0;
    return 1;
}

static c3d_status check_overlay_shapes(const c3d_bundle *b, size_t tiles, c3d_error *error)
{
    C3D_TRY(check_shape(b, C3D_OVERLAY_FRAME, 1, 2, error));
    C3D_TRY(check_shape(b, C3D_OVERLAY_PLACE, tiles, 2, error));
    C3D_TRY(check_shape(b, C3D_OVERLAY_GROUP, tiles, 1, error));
    C3D_TRY(check_shape(b, C3D_OVERLAY_MASK, tiles, C3D_TILE_PIXELS / 8, error));
    C3D_TRY(check_shape(b, C3D_OVERLAY_TABLE, tiles, 4, error));
    return check_shape(b, C3D_OVERLAY_LIMIT, b->qualities, 1, error);
}

/* All but what only the tiles' pixels show (model_overlay.c). */
static c3d_status check_overlay(const c3d_bundle *b, c3d_error *error)
{
    const size_t tiles = b->arrays[C3D_OVERLAY_PLACE].rows;
    const uint16_t *sides = b->arrays[C3D_OVERLAY_FRAME].data;
    if (sides == NULL)
        return C3D_OK;
    C3D_TRY(check_overlay_shapes(b, tiles, error));
    if (tiles > UINT16_MAX || sides[0] < C3D_TILE || sides[1] < C3D_TILE ||
        !c3d_size_fits(sides[1], sides[0]) || !indexes_fit(&b->arrays[C3D_OVERLAY_TABLE]))
        return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER,
                        "sides, tiles or table indexes of the overlay are out of range");
    return C3D_OK;
}

c3d_status c3d_arrays_check(const c3d_bundle *b, c3d_error *error)
{
    const c3d_status status = C3D_ERR_BUNDLE_MEMBER;
    const int32_t most_bias = (1 << 24) - 1; /* with it a float32 still holds every sum */
    C3D_TRY(check_shapes(b, error));
    if (b->base < 2 || b->base >= b->latents || b->base % 2 != 0 || b->latents % 2 != 0)
        return c3d_fail(error, status, "the numbers of latents are out of range");
    if (b->qualities > 255 || !within(&b->arrays[C3D_STEP], 1, 65535))
        return c3d_fail(error, status,
                        "quantiser steps or the number of rate points are out of range");
    for (int name = C3D_LINEAR_SCALE; name <= C3D_HEAD_BIAS; name++)
        if (!between(&b->arrays[name], -HUGE_VALF, HUGE_VALF))
            return c3d_fail(error, status, "an array of the bundle holds what is no number");
    if (!between(&b->arrays[C3D_ROUNDING], 0.0f, 1.0f) || !indexes_fit(&b->arrays[C3D_Z_INDEX]))
        return c3d_fail(error, status, "rounding points or table indexes are out of range");
    if (!within(&b->arrays[C3D_PIXELS_BIAS], -most_bias, most_bias) ||
        !between(&b->arrays[C3D_PIXELS_SCALE], -0.5f, 0.5f))
        return c3d_fail(error, status, "biases or scales of the pixels are out of range");
    return check_overlay(b, error);
}
