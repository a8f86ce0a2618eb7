/* An encoder's part of a coding step, in one pass: table indexes, symbols, and what a decoder makes
 * of them. Compiled with -ffp-contract=off, as native_latents.c. */
#include <math.h>
#include <string.h>

#include "native_passes.h"

/* Latents that are looked at together: of most such runs every symbol is zero, which is known
 * without looking rounding points up. Even, so that the checkerboard begins alike in each. */
enum { RUN = 32 };

/* A float32 sum of two numbers below one may round up to one. */
#define MARGIN 1e-5f

/* One position's latents of this step: where they come from, and where they go. */
typedef struct {
    const float *y, *reciprocal;
    const uint8_t *mean, *fine;
    const int16_t *offset;
    const int32_t *step;
    int16_t *symbols;
    uint8_t *indexes, *v;
} latent_row;

typedef struct {
    int16_t symbols[RUN];
    uint8_t indexes[RUN], v[RUN];
    float r[RUN];
} coded_run;

static inline uint8_t table_index(int32_t fine)
{
    return (uint8_t)((fine < 0 ? 0 : fine > 255 ? 255 : fine) >> 2);
}

/* Ratios and table indexes; the largest magnitude of a ratio, as the bits of a float, whose order
 * is that of the numbers and which compilers find the maximum of in vectors. */
static inline uint32_t measure(const latent_row *row, size_t at, size_t count,
                               coded_run *restrict out)
{
    const float *restrict y = row->y + at, *restrict reciprocal = row->reciprocal + at;
    const uint8_t *restrict mean = row->mean + at, *restrict fine = row->fine + at;
    const int16_t *restrict offset = row->offset + at;
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        out->r[i] = (y[i] - (float)((int)mean[i] - 128)) * reciprocal[i];
        uint32_t bits;
        memcpy(&bits, &out->r[i], sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
        out->indexes[i] = table_index(fine[i] + offset[i]);
    }
    return largest;
}

static inline void round_run(const latent_row *row, size_t at, size_t count,
                             const float *restrict rounding, coded_run *restrict out)
{
    for (size_t i = 0; i < count; i++) {
        const float absolute = fabsf(out->r[i]);
        const float magnitude = absolute < 32000.0f ? absolute : 32000.0f;
        const int value = (int)(magnitude + rounding[out->indexes[i]]);
        out->symbols[i] = (int16_t)(out->r[i] < 0.0f ? -value : value);
        out->v[i] = c3d_v_of(c3d_fine_of(out->symbols[i], row->mean[at + i], row->step[at + i]));
    }
}

/* Every symbol zero: what a decoder makes of it is the mean. */
static inline void zero_run(const latent_row *row, size_t at, size_t count,
                            coded_run *restrict out)
{
    memset(out->symbols, 0, count * sizeof *out->symbols);
    memcpy(out->v, row->mean + at, count);
}

/* spacing: 1, or 2 where every second latent is coded, beginning with the first. */
static inline void put_run(const latent_row *row, size_t at, size_t count, const size_t spacing,
                           const coded_run *restrict run)
{
    int16_t *restrict symbols = row->symbols + at / spacing;
    uint8_t *restrict indexes = row->indexes + at / spacing, *restrict v = row->v + at;
    for (size_t i = 0; i < (count + spacing - 1) / spacing; i++) {
        symbols[i] = run->symbols[spacing * i];
        indexes[i] = run->indexes[spacing * i];
        v[spacing * i] = run->v[spacing * i];
    }
}

static inline void code_row(const latent_row *row, size_t count, const size_t spacing,
                            const float *rounding, uint32_t limit)
{
    coded_run run;
    for (size_t at = 0; at < count; at += RUN) {
        const size_t n = count - at < RUN ? count - at : RUN;
        if (measure(row, at, n, &run) < limit)
            zero_run(row, at, n, &run);
        else
            round_run(row, at, n, rounding, &run);
        put_run(row, at, n, spacing, &run);
    }
}

/* The bits of the float below which a magnitude is rounded to zero whatever its table. */
static uint32_t zero_limit(const float *rounding)
{
    float largest = 0.0f;
    for (size_t i = 0; i < C3D_TABLES; i++)
        largest = rounding[i] > largest ? rounding[i] : largest;
    const float limit = 1.0f - largest - MARGIN;
    uint32_t bits;
    memcpy(&bits, &limit, sizeof bits);
    return limit > 0.0f ? bits : 0;
}

C3D_CLONES
void c3d_quantize_step(const c3d_grid *grid, const float *y, const c3d_prior *prior,
                       const c3d_quantizer *q, const c3d_coded *out)
{
    const size_t spacing = grid->pattern < 2 ? 2 : 1, count = grid->count / spacing;
    const uint32_t limit = zero_limit(q->rounding);
    size_t coded = 0;
    for (size_t r = 0; r < grid->rows; r++) {
        for (size_t c = 0; c < grid->columns; c++, coded += count) {
            const size_t o = spacing == 2 ? (r + c + grid->pattern) & 1 : 0;
            const size_t first = grid->first + o, place = (r * grid->columns + c) * grid->channels;
            const size_t plane = (r * grid->stride + c) * grid->count + o;
            const latent_row row = {
                y + place + first,      q->reciprocal + first, prior->mean + plane,
                prior->index + plane,   q->offset + first,     q->step + first,
                out->symbols + coded,   out->indexes + coded,  out->v + place + first,
            };
            if (spacing == 1)
                code_row(&row, grid->count, 1, q->rounding, limit);
            else
                code_row(&row, grid->count - 1, 2, q->rounding, limit);
        }
    }
}
