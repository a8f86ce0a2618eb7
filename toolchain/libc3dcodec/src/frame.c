#include "frame.h"

#include <stdlib.h>
#include <string.h>

/* Sizes are products of a frame's positions, a bundle's channels and four bytes. */
_Static_assert(sizeof(size_t) >= 8, "sizes of arrays need 64 bits");

/* Hands out parts of a block, or only adds up, where there is none yet. */
typedef struct {
    uint8_t *base;
    size_t used;
} arena;

enum { LINE = 64 };

static void *take(arena *a, size_t size)
{
    void *taken = a->base ? a->base + a->used : NULL;
    a->used += (size + LINE - 1) / LINE * LINE;
    return taken;
}

c3d_geometry c3d_geometry_of(uint32_t width, uint32_t height)
{
    const size_t rows = (height + C3D_BLOCK - 1) / C3D_BLOCK;
    const size_t columns = (width + C3D_BLOCK - 1) / C3D_BLOCK;
    return (c3d_geometry){width, height, rows, columns, (rows + 3) / 4, (columns + 3) / 4};
}

size_t c3d_step_symbols(const c3d_model *m, const c3d_geometry *g, c3d_step step, size_t rows)
{
    const size_t base = m->bundle.base;
    return rows * g->columns * (step == C3D_OTHERS ? m->bundle.latents - base : base / 2);
}

static void lay_hyper(const c3d_model *m, c3d_frame *f, arena *a)
{
    const size_t places = f->geometry.hyper_rows * f->geometry.hyper_columns;
    f->z = take(a, places * m->bundle.hyper * sizeof *f->z);
    f->z_index = take(a, places * m->bundle.hyper);
    f->z_hat = take(a, places * (m->bundle.hyper + C3D_PLANES));
}

static void lay_latents(const c3d_model *m, c3d_frame *f, arena *a)
{
    const c3d_geometry *g = &f->geometry;
    const c3d_bundle *b = &m->bundle;
    const size_t places = g->rows * g->columns, padded = 16 * g->hyper_rows * g->hyper_columns;
    f->features_padded = take(a, padded * b->features);
    f->features = padded == places ? f->features_padded : take(a, places * b->features);
    f->v = take(a, places * b->latents);
    f->known = take(a, places * (2 * b->base + C3D_PLANES));
    for (int step = C3D_FIRST; step < C3D_STEPS; step++) {
        const size_t channels = step == C3D_OTHERS ? b->latents - b->base : b->base;
        const size_t coded = c3d_step_symbols(m, g, (c3d_step)step, g->rows);
        f->mean[step] = take(a, (step == C3D_FIRST ? padded : places) * channels);
        f->index[step] = take(a, (step == C3D_FIRST ? padded : places) * channels);
        f->symbols[step] = take(a, coded * sizeof(int16_t));
        f->table[step] = take(a, coded);
    }
}

static void lay_encoder(const c3d_model *m, c3d_frame *f, arena *a)
{
    const c3d_geometry *g = &f->geometry;
    const c3d_bundle *b = &m->bundle;
    const size_t places = g->rows * g->columns, hyper = g->hyper_rows * g->hyper_columns;
    f->pixels = take(a, g->width * g->height * 3);
    f->patches = take(a, places * C3D_BLOCK_BYTES);
    f->blocks = take(a, places * C3D_BLOCK_BYTES);
    f->linear_sum = take(a, places * b->latents * sizeof *f->linear_sum);
    f->head_sum = take(a, places * b->latents * sizeof *f->head_sum);
    f->y = take(a, places * b->latents * sizeof *f->y);
    f->activity = take(a, 16 * hyper * (b->base + b->latents + C3D_PLANES));
    f->z_out = take(a, hyper * b->hyper);
    if (c3d_model_has_overlay(m, g->width, g->height)) {
        f->used = take(a, places);
        f->lifted = take(a, g->width * g->height * 3);
        f->holes = take(a, g->width * g->height);
        f->cells = take(a, c3d_fill_bytes(g->height, g->width));
    }
}

static void lay_decoder(const c3d_model *m, c3d_frame *f, arena *a)
{
    const c3d_geometry *g = &f->geometry;
    const size_t places = g->rows * g->columns;
    f->fine = take(a, places * m->fine * sizeof *f->fine);
    f->seen = take(a, places * (m->bundle.latents + C3D_PLANES));
    f->spread = take(a, places * m->spread);
    f->pixels_sum = take(a, places * C3D_BLOCK_BYTES * sizeof *f->pixels_sum);
    f->correction = take(a, places * C3D_BLOCK_BYTES);
    f->picture = take(a, g->width * g->height * 3);
}

static void (*const LAY[C3D_GROUPS])(const c3d_model *, c3d_frame *, arena *) = {
    lay_hyper, lay_latents, lay_encoder, lay_decoder};

static c3d_status bind_latents(const c3d_model *m, c3d_frame *f, c3d_error *error)
{
    const c3d_geometry *g = &f->geometry;
    const c3d_bundle *b = &m->bundle;
    const size_t tall = 4 * g->hyper_rows, wide = 4 * g->hyper_columns;
    const size_t others = b->latents - b->base;
    const c3d_tensor z_hat = {f->z_hat, g->hyper_rows, g->hyper_columns, b->hyper + C3D_PLANES};
    const c3d_tensor hyper[3] = {{f->features_padded, tall, wide, b->features},
                                 {f->index[C3D_FIRST], tall, wide, b->base},
                                 {f->mean[C3D_FIRST], tall, wide, b->base}};
    const c3d_tensor seen[2] = {{f->features, g->rows, g->columns, b->features},
                                {f->known, g->rows, g->columns, 2 * b->base + C3D_PLANES}};
    const c3d_tensor second[2] = {{f->index[C3D_SECOND], g->rows, g->columns, b->base},
                                  {f->mean[C3D_SECOND], g->rows, g->columns, b->base}};
    const c3d_tensor last[2] = {{f->index[C3D_OTHERS], g->rows, g->columns, others},
                                {f->mean[C3D_OTHERS], g->rows, g->columns, others}};
    C3D_TRY(c3d_bind(&m->runtime, C3D_H_S, &z_hat, hyper, &f->bindings[C3D_H_S], error));
    C3D_TRY(c3d_bind(&m->runtime, C3D_G_CP, seen, second, &f->bindings[C3D_G_CP], error));
    return c3d_bind(&m->runtime, C3D_G_EP, seen, last, &f->bindings[C3D_G_EP], error);
}

static c3d_status bind_encoder(const c3d_model *m, c3d_frame *f, c3d_error *error)
{
    const c3d_geometry *g = &f->geometry;
    const c3d_bundle *b = &m->bundle;
    const c3d_tensor frame[2] = {{f->patches, 2 * g->rows, 2 * g->columns, C3D_BLOCK_BYTES / 4},
                                 {f->blocks, g->rows, g->columns, C3D_BLOCK_BYTES}};
    const c3d_tensor sums[2] = {{f->head_sum, g->rows, g->columns, b->latents},
                                {f->linear_sum, g->rows, g->columns, b->latents}};
    const c3d_tensor activity = {f->activity, 4 * g->hyper_rows, 4 * g->hyper_columns,
                                 b->base + b->latents + C3D_PLANES};
    const c3d_tensor z = {f->z_out, g->hyper_rows, g->hyper_columns, b->hyper};
    C3D_TRY(c3d_bind(&m->runtime, C3D_G_A, frame, sums, &f->bindings[C3D_G_A], error));
    return c3d_bind(&m->runtime, C3D_H_A, &activity, &z, &f->bindings[C3D_H_A], error);
}

static c3d_status bind_decoder(const c3d_model *m, c3d_frame *f, c3d_error *error)
{
    const c3d_geometry *g = &f->geometry;
    const c3d_tensor latents[2] = {{f->seen, g->rows, g->columns, m->bundle.latents + C3D_PLANES},
                                   {f->spread, g->rows, g->columns, m->spread}};
    const c3d_tensor sums[2] = {{f->correction, 2 * g->rows, 2 * g->columns, C3D_BLOCK_BYTES / 4},
                                {f->pixels_sum, g->rows, g->columns, C3D_BLOCK_BYTES}};
    return c3d_bind(&m->runtime, C3D_G_S, latents, sums, &f->bindings[C3D_G_S], error);
}

static void release(const c3d_model *m, c3d_frame *f, c3d_group group)
{
    static const c3d_group OWNER[C3D_GRAPHS] = {C3D_ENCODER, C3D_ENCODER, C3D_LATENTS,
                                                C3D_LATENTS, C3D_LATENTS, C3D_DECODER};
    for (int graph = 0; graph < C3D_GRAPHS; graph++)
        if (OWNER[graph] == group)
            c3d_unbind(&m->runtime, &f->bindings[graph]);
    free(f->groups[group].memory);
    f->groups[group].memory = NULL;
}

static int same(const c3d_geometry *a, const c3d_geometry *b)
{
    return a->width == b->width && a->height == b->height;
}

c3d_status c3d_frame_prepare(const c3d_model *m, c3d_frame *f, c3d_group group, c3d_error *error)
{
    arena a = {NULL, 0};
    c3d_status status = C3D_OK;
    if (f->groups[group].memory != NULL && same(&f->groups[group].geometry, &f->geometry))
        return C3D_OK;
    release(m, f, group);
    LAY[group](m, f, &a);
    a = (arena){aligned_alloc(LINE, a.used), 0};
    if (a.base == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for a frame of %zux%zu; free some",
                        f->geometry.width, f->geometry.height);
    f->groups[group].memory = a.base;
    LAY[group](m, f, &a);
    if (group == C3D_LATENTS)
        status = bind_latents(m, f, error);
    else if (group == C3D_ENCODER)
        status = bind_encoder(m, f, error);
    else if (group == C3D_DECODER)
        status = bind_decoder(m, f, error);
    /* The passes write the places of the frame only, and what lies around them is grey. */
    if (group == C3D_ENCODER)
        memset(f->activity, 128, 16 * f->geometry.hyper_rows * f->geometry.hyper_columns *
                                     (m->bundle.base + m->bundle.latents + C3D_PLANES));
    f->groups[group].geometry = status == C3D_OK ? f->geometry : (c3d_geometry){0};
    return status;
}

void c3d_frame_free(const c3d_model *m, c3d_frame *f)
{
    for (int group = 0; group < C3D_GROUPS; group++)
        release(m, f, (c3d_group)group);
}
