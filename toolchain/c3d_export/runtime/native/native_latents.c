/* What the networks see of latents, table indexes, and latents from symbols. Compiled with
 * -ffp-contract=off: float32 products and sums are rounded one by one, as in the PyTorch reference,
 * on every CPU. */
#include <math.h>
#include <string.h>

#include "native_passes.h"

static inline uint8_t clip_byte(int32_t value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Adding 1.5 * 2^23 leaves no fraction bits, so the addition itself rounds half to even; unlike
 * rintf() it needs no call on a baseline CPU and vectorises (4 times faster for a whole pass). */
static inline uint8_t round_byte(float value)
{
    const float clipped = value < -128.0f ? -128.0f : value > 127.0f ? 127.0f : value;
    const float shifted = clipped + 12582912.0f;
    return (uint8_t)((int)(shifted - 12582912.0f) + 128);
}

/* One position; the restrict qualifiers are what lets a compiler vectorise it. */
static inline void add_sums(const int32_t *restrict linear, const int32_t *restrict head,
                     const float *const scales[2], const float *const biases[2], size_t channels,
                     float *restrict y)
{
    const float *restrict s0 = scales[0], *restrict s1 = scales[1];
    const float *restrict b0 = biases[0], *restrict b1 = biases[1];
    for (size_t k = 0; k < channels; k++)
        y[k] = ((float)linear[k] * s0[k] + b0[k]) + ((float)head[k] * s1[k] + b1[k]);
}

/* Magnitude in 32nds of a quantiser step, exact up to 64, an eighth as steep up to 512. */
static inline uint8_t companded(int32_t v, int32_t factor)
{
    const int32_t size = ((v < 0 ? -v : v) * factor + 32768) >> 16;
    const int32_t low = size < 64 ? size : 64;
    return (uint8_t)(low + (((size < 512 ? size : 512) - low) >> 3));
}

/* The activities of one position from v + 128. */
static inline void put_activities(const uint8_t *restrict v, size_t count, const c3d_activities *out,
                           uint8_t *restrict to)
{
    const int32_t *restrict factor = out->factor;
    const size_t raw = out->raw < out->base ? out->raw : out->base;
    memcpy(to, v, raw);
    for (size_t k = raw; k < out->base; k++) {
        const int size = companded((int)v[k] - 128, factor[k]);
        to[k] = (uint8_t)(128 + (v[k] < 128 ? -size : size));
    }
    to += out->base;
    for (size_t k = 0; k < count; k++)
        to[k] = (uint8_t)(128 + companded((int)v[k] - 128, factor[k]));
}

enum { CHUNK = 64 };

/* As `put_activities`, from y; by chunks, so that rounded values stay in registers and cache. */
static inline void put_rounded(const float *restrict y, size_t count, const c3d_activities *out,
                        uint8_t *restrict to)
{
    for (size_t k = 0; k < count; k += CHUNK) {
        const size_t n = count - k < CHUNK ? count - k : CHUNK;
        const size_t left = out->base > k ? out->base - k : 0;
        uint8_t v[CHUNK], with_sign[2 * CHUNK];
        c3d_activities part = *out;
        part.base = left < n ? left : n;
        part.factor += k;
        part.raw = out->raw > k ? out->raw - k : 0;
        for (size_t i = 0; i < n; i++)
            v[i] = round_byte(y[k + i]);
        put_activities(v, n, &part, with_sign);
        for (size_t i = 0; i < part.base; i++)
            to[k + i] = with_sign[i];
        for (size_t i = 0; i < n; i++)
            to[out->base + k + i] = with_sign[part.base + i];
    }
}

C3D_CLONES
void c3d_latents(const int32_t *linear, const int32_t *head, const float *const scales[2],
                 const float *const biases[2], size_t rows, size_t columns, size_t channels,
                 const c3d_activities *out, float *y)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            const size_t at = (r * columns + c) * channels;
            const size_t to = (r * out->columns + c) * (out->base + channels + C3D_PLANES);
            add_sums(linear + at, head + at, scales, biases, channels, y + at);
            put_rounded(y + at, channels, out, out->to + to);
        }
    }
}

C3D_CLONES
void c3d_activity(const uint8_t *v, size_t rows, size_t columns, size_t channels,
                  const c3d_activities *out)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            put_activities(v + (r * columns + c) * channels, out->base, out,
                           out->to + (r * out->columns + c) * (2 * out->base + C3D_PLANES));
}

/* First channel of this coding step's range that is coded at a position. */
static inline size_t offset_at(const c3d_grid *grid, size_t row, size_t column)
{
    return grid->pattern < 2 ? (row + column + grid->pattern) & 1 : 0;
}

static inline size_t spacing(const c3d_grid *grid) { return grid->pattern < 2 ? 2 : 1; }

/* The rows of a step are inlined with a constant spacing: with 1 they vectorise. */
static inline void index_row(const uint8_t *restrict fine, const int16_t *restrict offset,
                             size_t count, const size_t step, uint8_t *restrict out)
{
    for (size_t k = 0; k < count; k++)
        out[k] = clip_byte(fine[step * k] + offset[step * k]) >> 2;
}

C3D_CLONES
void c3d_indexes(const c3d_grid *grid, const uint8_t *fine, const int16_t *offset, uint8_t *out)
{
    const size_t step = spacing(grid), count = grid->count / step;
    for (size_t r = 0; r < grid->rows; r++) {
        for (size_t c = 0; c < grid->columns; c++, out += count) {
            const size_t o = offset_at(grid, r, c);
            const uint8_t *from = fine + (r * grid->stride + c) * grid->count + o;
            const int16_t *moved = offset + grid->first + o;
            if (step == 1)
                index_row(from, moved, count, 1, out);
            else
                index_row(from, moved, count, 2, out);
        }
    }
}

static inline void dequantize_row(const int16_t *restrict symbols, const uint8_t *restrict mean,
                                  const int32_t *restrict steps, size_t count, const size_t step,
                                  uint8_t *restrict v)
{
    for (size_t k = 0; k < count; k++)
        v[step * k] = c3d_v_of(c3d_fine_of(symbols[k], mean[step * k], steps[step * k]));
}

static inline void fine_row(const int16_t *restrict symbols, const uint8_t *restrict mean,
                            const int32_t *restrict steps, size_t count, const size_t step,
                            int16_t *restrict fine)
{
    for (size_t k = 0; k < count; k++)
        fine[step * k] = (int16_t)c3d_fine_of(symbols[k], mean[step * k], steps[step * k]);
}

/* How many of a row's latents, which start at channel `first`, are among the fine ones. */
static inline size_t fine_count(size_t channels, size_t first, size_t count, size_t step)
{
    const size_t within = channels > first ? (channels - first + step - 1) / step : 0;
    return within < count ? within : count;
}

C3D_CLONES
void c3d_dequantize(const c3d_grid *grid, const int16_t *symbols, const uint8_t *mean,
                    const int32_t *steps, uint8_t *v, int16_t *fine, size_t fine_channels)
{
    const size_t step = spacing(grid), count = grid->count / step;
    for (size_t r = 0; r < grid->rows; r++) {
        for (size_t c = 0; c < grid->columns; c++, symbols += count) {
            const size_t o = offset_at(grid, r, c), first = grid->first + o;
            const size_t at = r * grid->columns + c;
            const size_t kept = fine_count(fine_channels, first, count, step);
            const uint8_t *centre = mean + (r * grid->stride + c) * grid->count + o;
            uint8_t *to = v + at * grid->channels + first;
            int16_t *finer = kept ? fine + at * fine_channels + first : NULL;
            if (step == 1) {
                dequantize_row(symbols, centre, steps + first, count, 1, to);
                fine_row(symbols, centre, steps + first, kept, 1, finer);
            } else {
                dequantize_row(symbols, centre, steps + first, count, 2, to);
                fine_row(symbols, centre, steps + first, kept, 2, finer);
            }
        }
    }
}

static inline void round_run(const int16_t *restrict fine, int16_t offset, size_t count,
                      uint8_t *restrict to)
{
    for (size_t k = 0; k < count; k++)
        to[k] = (uint8_t)(((fine[k] + offset) >> 8) + 128);
}

void c3d_spread(const uint8_t *v, const int16_t *fine, const uint8_t *planes, size_t positions,
                size_t channels, size_t fine_channels, const c3d_run *runs, size_t count,
                uint8_t *seen, uint8_t *spread)
{
    for (size_t p = 0; p < positions; p++, v += channels, fine += fine_channels) {
        memcpy(seen, v, channels);
        memcpy(seen + channels, planes, C3D_PLANES);
        seen += channels + C3D_PLANES;
        memcpy(spread, v, channels);
        spread += channels;
        for (size_t i = 0; i < count; spread += runs[i].count, i++)
            round_run(fine + runs[i].first, (int16_t)runs[i].offset, (size_t)runs[i].count, spread);
    }
}
