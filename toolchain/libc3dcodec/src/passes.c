#include "passes.h"

#include <string.h>

/* Places of the latents' grid in a band: a thread takes some 50 microseconds to begin. */
enum { LEAST = 1000 };

typedef struct {
    const c3d_pass *pass;
    c3d_band_work work;
    size_t edges[C3D_MOST_THREADS + 1];
} bands;

static void run_band(void *context, size_t i)
{
    const bands *b = context;
    b->work(b->pass, b->edges[i], b->edges[i + 1]);
}

static size_t least_of(size_t a, size_t b) { return a < b ? a : b; }

/* All bands but the last have an even number of rows, so that the checkerboard of the base latents
 * begins alike in each. */
void c3d_pass_run(c3d_pool *pool, const c3d_pass *pass, c3d_band_work work)
{
    const c3d_geometry *g = &pass->frame->geometry;
    bands b = {pass, work, {0}};
    size_t count = least_of(g->rows * g->columns / LEAST, g->rows / 2);
    count = least_of(count, c3d_pool_threads(pool));
    count = count > 0 ? count : 1;
    for (size_t i = 0; i < count; i++)
        b.edges[i] = g->rows * i / count / 2 * 2;
    b.edges[count] = g->rows;
    c3d_pool_run(pool, run_band, &b, count);
}

static const uint8_t *planes(const c3d_pass *p)
{
    return c3d_model_row(p->model, C3D_PLANE, p->row, 1);
}

static const int32_t *factor(const c3d_pass *p)
{
    return p->model->factor + p->row * p->model->bundle.latents;
}

/* Writes the planes of the rate point behind the `channels` of each of `places`. */
static void put_planes(const c3d_pass *p, uint8_t *to, size_t places, size_t channels)
{
    const uint8_t *from = planes(p);
    for (size_t i = 0; i < places; i++)
        memcpy(to + i * (channels + C3D_PLANES) + channels, from, C3D_PLANES);
}

/* Rows of pixels from row `begin` of the latents on. */
static size_t pixel_rows(const c3d_geometry *g, size_t begin, size_t end)
{
    return least_of(end * C3D_BLOCK, g->height) - begin * C3D_BLOCK;
}

void c3d_pass_unshuffle(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_geometry *g = &p->frame->geometry;
    const size_t to = begin * g->columns * C3D_BLOCK_BYTES;
    c3d_unshuffle(p->pixels + begin * C3D_BLOCK * g->width * 3, pixel_rows(g, begin, end),
                  g->width, p->frame->patches + to, p->frame->blocks + to);
}

void c3d_pass_latents(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_geometry *g = &p->frame->geometry;
    const c3d_bundle *b = &p->model->bundle;
    const size_t wide = 4 * g->hyper_columns, channels = b->base + b->latents;
    const size_t from = begin * g->columns * b->latents;
    const float *const scales[2] = {b->arrays[C3D_LINEAR_SCALE].data,
                                    b->arrays[C3D_HEAD_SCALE].data};
    const float *const biases[2] = {b->arrays[C3D_LINEAR_BIAS].data,
                                    b->arrays[C3D_HEAD_BIAS].data};
    uint8_t *to = p->frame->activity + begin * wide * (channels + C3D_PLANES);
    const c3d_activities out = {b->base, C3D_RAW, wide, factor(p), to};
    put_planes(p, to, (end - begin) * wide, channels);
    c3d_latents(p->frame->linear_sum + from, p->frame->head_sum + from, scales, biases,
                end - begin, g->columns, b->latents, &out, p->frame->y + from);
}

void c3d_pass_padding(const c3d_pass *p)
{
    const c3d_geometry *g = &p->frame->geometry;
    const size_t wide = 4 * g->hyper_columns;
    const size_t channels = p->model->bundle.base + p->model->bundle.latents;
    put_planes(p, p->frame->activity + g->rows * wide * (channels + C3D_PLANES),
               (4 * g->hyper_rows - g->rows) * wide, channels);
}

void c3d_pass_features(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_geometry *g = &p->frame->geometry;
    const size_t width = g->columns * p->model->bundle.features;
    const size_t wide = 4 * g->hyper_columns * p->model->bundle.features;
    if (p->frame->features == p->frame->features_padded)
        return;
    for (size_t row = begin; row < end; row++)
        memcpy(p->frame->features + row * width, p->frame->features_padded + row * wide, width);
}

void c3d_pass_known(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_geometry *g = &p->frame->geometry;
    const size_t base = p->model->bundle.base, latents = p->model->bundle.latents;
    uint8_t *to = p->frame->known + begin * g->columns * (2 * base + C3D_PLANES);
    const c3d_activities out = {base, C3D_RAW, g->columns, factor(p), to};
    put_planes(p, to, (end - begin) * g->columns, 2 * base);
    c3d_activity(p->frame->v + begin * g->columns * latents, end - begin, g->columns, latents,
                 &out);
}

static c3d_grid grid_of(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_geometry *g = &p->frame->geometry;
    const size_t base = p->model->bundle.base, latents = p->model->bundle.latents;
    const int others = p->step == C3D_OTHERS;
    return (c3d_grid){end - begin,
                      g->columns,
                      latents,
                      p->step == C3D_FIRST ? 4 * g->hyper_columns : g->columns,
                      others ? base : 0,
                      others ? latents - base : base,
                      (unsigned)p->step};
}

/* Where the band begins in the coding order, and in mean and index. */
static size_t coded_at(const c3d_pass *p, size_t begin)
{
    return c3d_step_symbols(p->model, &p->frame->geometry, p->step, begin);
}

static size_t prior_at(const c3d_grid *grid, size_t begin)
{
    return begin * grid->stride * grid->count;
}

void c3d_pass_indexes(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_grid grid = grid_of(p, begin, end);
    c3d_indexes(&grid, p->frame->index[p->step] + prior_at(&grid, begin),
                c3d_model_row(p->model, C3D_OFFSET, p->row, sizeof(int16_t)),
                p->frame->table[p->step] + coded_at(p, begin));
}

void c3d_pass_quantize(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_grid grid = grid_of(p, begin, end);
    const c3d_model *m = p->model;
    const size_t at = coded_at(p, begin), prior = prior_at(&grid, begin);
    const size_t from = begin * grid.columns * grid.channels;
    const c3d_prior predicted = {p->frame->mean[p->step] + prior, p->frame->index[p->step] + prior};
    const c3d_quantizer q = {c3d_model_row(m, C3D_OFFSET, p->row, sizeof(int16_t)),
                             c3d_model_row(m, C3D_STEP, p->row, sizeof(int32_t)),
                             m->reciprocal + p->row * m->bundle.latents,
                             m->bundle.arrays[C3D_ROUNDING].data};
    const c3d_coded out = {p->frame->symbols[p->step] + at, p->frame->table[p->step] + at,
                           p->frame->v + from};
    c3d_quantize_step(&grid, p->frame->y + from, &predicted, &q, &out);
}

void c3d_pass_dequantize(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_grid grid = grid_of(p, begin, end);
    const size_t places = begin * grid.columns;
    c3d_dequantize(&grid, p->frame->symbols[p->step] + coded_at(p, begin),
                   p->frame->mean[p->step] + prior_at(&grid, begin),
                   c3d_model_row(p->model, C3D_STEP, p->row, sizeof(int32_t)),
                   p->frame->v + places * grid.channels, p->frame->fine + places * p->model->fine,
                   p->model->fine);
}

void c3d_pass_spread(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_model *m = p->model;
    const size_t columns = p->frame->geometry.columns, at = begin * columns;
    c3d_spread(p->frame->v + at * m->bundle.latents, p->frame->fine + at * m->fine, planes(p),
               (end - begin) * columns, m->bundle.latents, m->fine, m->runs, m->run_count,
               p->frame->seen + at * (m->bundle.latents + C3D_PLANES),
               p->frame->spread + at * m->spread);
}

void c3d_pass_shuffle(const c3d_pass *p, size_t begin, size_t end)
{
    const c3d_geometry *g = &p->frame->geometry;
    const size_t from = begin * g->columns * C3D_BLOCK_BYTES;
    const c3d_picture picture = {p->frame->pixels_sum + from,
                                 p->model->bundle.arrays[C3D_PIXELS_SCALE].data,
                                 p->model->bundle.arrays[C3D_PIXELS_BIAS].data,
                                 p->frame->correction + from,
                                 pixel_rows(g, begin, end),
                                 g->width};
    c3d_shuffle(&picture, p->picture + begin * C3D_BLOCK * g->width * 3);
}

static size_t hyper_places(const c3d_pass *p)
{
    return p->frame->geometry.hyper_rows * p->frame->geometry.hyper_columns;
}

void c3d_pass_z_hat(const c3d_pass *p)
{
    const size_t hyper = p->model->bundle.hyper, places = hyper_places(p);
    put_planes(p, p->frame->z_hat, places, hyper);
    for (size_t i = 0; i < places; i++)
        for (size_t k = 0; k < hyper; k++)
            p->frame->z_hat[i * (hyper + C3D_PLANES) + k] =
                (uint8_t)(p->frame->z[i * hyper + k] + 128);
}

void c3d_pass_z(const c3d_pass *p)
{
    const size_t count = hyper_places(p) * p->model->bundle.hyper;
    for (size_t i = 0; i < count; i++)
        p->frame->z[i] = (int16_t)(p->frame->z_out[i] - 128);
}

void c3d_pass_z_index(const c3d_pass *p)
{
    const size_t hyper = p->model->bundle.hyper;
    const uint8_t *row = c3d_model_row(p->model, C3D_Z_INDEX, p->row, 1);
    for (size_t i = 0; i < hyper_places(p); i++)
        memcpy(p->frame->z_index + i * hyper, row, hyper);
}
