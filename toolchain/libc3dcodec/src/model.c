#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "pool.h"

/* Numbers of c3d_export.runtime.copies and .activity. */
static const struct {
    size_t end;
    int32_t count, offsets[4];
} COPIES[2] = {{16, 4, {26, 77, 179, 230}}, {96, 2, {43, 213, 0, 0}}};
enum { ACTIVITY_FACTOR = 65536 * 32, STEP_ONE = 256, MOST_FACTOR = 1 << 23 };

static void lay_out_copies(c3d_model *m)
{
    size_t first = 0;
    m->spread = m->bundle.latents;
    for (size_t i = 0; i < 2; i++) {
        const size_t end = COPIES[i].end < m->bundle.latents ? COPIES[i].end : m->bundle.latents;
        for (int32_t k = 0; k < COPIES[i].count && end > first; k++) {
            m->runs[m->run_count++] =
                (c3d_run){(int32_t)first, (int32_t)(end - first), COPIES[i].offsets[k]};
            m->spread += end - first;
        }
        first = end;
    }
    m->fine = first;
}

static c3d_status derive(c3d_model *m, c3d_error *error)
{
    const size_t count = m->bundle.qualities * m->bundle.latents;
    const int32_t *steps = m->bundle.arrays[C3D_STEP].data;
    m->reciprocal = malloc(count * sizeof *m->reciprocal);
    m->factor = malloc(count * sizeof *m->factor);
    if (m->reciprocal == NULL || m->factor == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for quantiser steps; free some");
    for (size_t i = 0; i < count; i++) {
        /* Half of float64's quotient: the same float32 on every IEEE host. */
        m->reciprocal[i] = (float)(256.0 / (double)steps[i]);
        const int64_t factor = (int64_t)ACTIVITY_FACTOR * STEP_ONE / steps[i];
        m->factor[i] = (int32_t)(factor < 1 ? 1 : factor > MOST_FACTOR ? MOST_FACTOR : factor);
    }
    return C3D_OK;
}

c3d_status c3d_model_read(const uint8_t *data, size_t size, const c3d_options *options,
                          c3d_model *m, c3d_error *error)
{
    memset(m, 0, sizeof *m);
    m->threads = c3d_pool_choose(options->threads);
    C3D_TRY(c3d_bundle_read(data, size, options->flavour, &m->bundle, error));
    lay_out_copies(m);
    return derive(m, error);
}

c3d_status c3d_model_start(const c3d_options *options, c3d_model *m, c3d_error *error)
{
    const c3d_array *frequencies = &m->bundle.arrays[C3D_FREQUENCIES];
    const uint16_t *from = m->bundle.arrays[C3D_SHAPES].data;
    c3d_arith_shape shapes[C3D_TABLES];
    C3D_TRY(c3d_runtime_open(options, &m->bundle, &m->runtime, error));
    c3d_bundle_free_graphs(&m->bundle);
    for (size_t i = 0; i < C3D_TABLES; i++, from += 4)
        shapes[i] = (c3d_arith_shape){from[0], from[1], from[2], from[3]};
    const c3d_arith_status made =
        c3d_arith_tables_create(frequencies->data, frequencies->rows, shapes, C3D_TABLES,
                                C3D_ARITH_KERNEL_AUTO, &m->tables);
    if (made == C3D_ARITH_ERR_MEMORY)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for frequency tables; free some");
    if (made != C3D_ARITH_OK)
        return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER,
                        "the bundle's frequency tables are wrong: %s",
                        c3d_arith_status_text(made));
    /* A bundle of ours has both; passes and networks rely on them from here on. */
    if (m->bundle.features == 0 || m->bundle.planes != C3D_PLANES)
        return c3d_fail(error, C3D_ERR_BUNDLE_FORMAT,
                        "the bundle's graphs do not run: its spec has no fitting features or"
                        " planes; get it again from its maker");
    return c3d_model_start_overlay(m, error);
}

void c3d_model_free(c3d_model *m)
{
    c3d_arith_tables_destroy(m->tables);
    c3d_runtime_close(&m->runtime);
    c3d_bundle_free(&m->bundle);
    free(m->reciprocal);
    free(m->factor);
    free(m->tile_pixels);
}

const void *c3d_model_row(const c3d_model *m, c3d_array_name name, size_t row,
                          size_t element_bytes)
{
    const c3d_array *array = &m->bundle.arrays[name];
    return (const char *)array->data + row * array->columns * element_bytes;
}
