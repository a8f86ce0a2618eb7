/* Quantisation and its inverse. Compiled with -ffp-contract=off: float32 products and sums are
 * rounded one by one, as in the PyTorch reference, on every CPU. */
#include <math.h>

#include "native_passes.h"

static uint8_t clip_byte(int32_t value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* Adding 1.5 * 2^23 leaves no fraction bits, so the addition itself rounds half to even; unlike
 * rintf() it needs no call on a baseline CPU and vectorises (4 times faster for a whole pass). */
static uint8_t round_byte(float value)
{
    const float clipped = value < -128.0f ? -128.0f : value > 127.0f ? 127.0f : value;
    const float shifted = clipped + 12582912.0f;
    return (uint8_t)((int)(shifted - 12582912.0f) + 128);
}

/* One position; the restrict qualifiers are what lets a compiler vectorise it. */
static void add_sums(const int32_t *restrict linear, const int32_t *restrict head,
                     const float *const scales[2], const float *const biases[2], size_t channels,
                     float *restrict y)
{
    const float *restrict s0 = scales[0], *restrict s1 = scales[1];
    const float *restrict b0 = biases[0], *restrict b1 = biases[1];
    for (size_t k = 0; k < channels; k++)
        y[k] = ((float)linear[k] * s0[k] + b0[k]) + ((float)head[k] * s1[k] + b1[k]);
}

static void round_all(const float *restrict y, size_t channels, uint8_t *restrict rounded)
{
    for (size_t k = 0; k < channels; k++)
        rounded[k] = round_byte(y[k]);
}

void c3d_latents(const int32_t *linear, const int32_t *head, const float *const scales[2],
                 const float *const biases[2], size_t rows, size_t columns, size_t channels,
                 size_t padded_columns, float *y, uint8_t *rounded)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            const size_t at = (r * columns + c) * channels;
            const size_t to = (r * padded_columns + c) * (channels + C3D_PLANES);
            add_sums(linear + at, head + at, scales, biases, channels, y + at);
            round_all(y + at, channels, rounded + to);
        }
    }
}

/* First channel of this coding step at a position: latents alternate like a checkerboard. */
static size_t first_channel(const c3d_grid *grid, size_t row, size_t column)
{
    return (row + column + grid->parity) & 1;
}

void c3d_indexes(const c3d_grid *grid, const uint8_t *fine, const int16_t *offset, uint8_t *out)
{
    for (size_t r = 0; r < grid->rows; r++) {
        for (size_t c = 0; c < grid->columns; c++) {
            const uint8_t *from = fine + (r * grid->stride + c) * grid->channels;
            const size_t first = first_channel(grid, r, c);
            for (size_t k = 0; k < grid->channels / 2; k++)
                out[k] = clip_byte(from[first + 2 * k] + offset[first + 2 * k]) >> 2;
            out += grid->channels / 2;
        }
    }
}

static int16_t quantize_one(float r, float rounding)
{
    const float absolute = fabsf(r);
    const float magnitude = absolute < 32000.0f ? absolute : 32000.0f;
    const int value = (int)(magnitude + rounding);
    return (int16_t)(r < 0.0f ? -value : value);
}

void c3d_quantize(const c3d_grid *grid, const float *y, const uint8_t *mean,
                  const uint8_t *indexes, const float *reciprocal, const float *rounding,
                  int16_t *symbols)
{
    const size_t half = grid->channels / 2;
    for (size_t r = 0; r < grid->rows; r++) {
        for (size_t c = 0; c < grid->columns; c++) {
            const size_t first = first_channel(grid, r, c);
            const float *from = y + (r * grid->columns + c) * grid->channels + first;
            const uint8_t *centre = mean + (r * grid->stride + c) * grid->channels + first;
            const float *inverse = reciprocal + first;
            for (size_t k = 0; k < half; k++)
                symbols[k] = quantize_one(
                    (from[2 * k] - (float)((int)centre[2 * k] - 128)) * inverse[2 * k],
                    rounding[indexes[k]]);
            symbols += half;
            indexes += half;
        }
    }
}

void c3d_dequantize(const c3d_grid *grid, const int16_t *symbols, const uint8_t *mean,
                    const int32_t *step, uint8_t *v)
{
    const size_t half = grid->channels / 2;
    for (size_t r = 0; r < grid->rows; r++) {
        for (size_t c = 0; c < grid->columns; c++) {
            const size_t first = first_channel(grid, r, c);
            const uint8_t *centre = mean + (r * grid->stride + c) * grid->channels + first;
            uint8_t *to = v + (r * grid->columns + c) * (grid->channels + C3D_PLANES) + first;
            for (size_t k = 0; k < half; k++) {
                /* Arithmetic shift: every compiler that we build with rounds it down. */
                const int32_t moved = (symbols[k] * step[first + 2 * k] + 128) >> 8;
                to[2 * k] = clip_byte(centre[2 * k] + moved);
            }
            symbols += half;
        }
    }
}
