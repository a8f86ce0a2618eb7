/* Pixel shuffles: the first and the last pass of the codec. */
#include <string.h>

#include "native_passes.h"

static size_t clamp_index(size_t i, size_t count) { return i < count ? i : count - 1; }

/* One run of `side` pixels; beyond the right edge the last pixel is repeated. */
static void copy_run(const uint8_t *row, size_t x, size_t width, size_t side, uint8_t *out)
{
    if (x + side <= width) {
        memcpy(out, row + 3 * x, 3 * side);
        return;
    }
    for (size_t i = 0; i < side; i++)
        memcpy(out + 3 * i, row + 3 * clamp_index(x + i, width), 3);
}

static void unshuffle_cells(const uint8_t *frame, size_t height, size_t width, size_t side,
                            uint8_t *out)
{
    const size_t rows = (height + C3D_BLOCK - 1) / C3D_BLOCK * (C3D_BLOCK / side);
    const size_t columns = (width + C3D_BLOCK - 1) / C3D_BLOCK * (C3D_BLOCK / side);
    for (size_t r = 0; r < rows; r++) {
        for (size_t dy = 0; dy < side; dy++) {
            const uint8_t *row = frame + clamp_index(r * side + dy, height) * width * 3;
            for (size_t c = 0; c < columns; c++)
                copy_run(row, c * side, width, side,
                         out + ((r * columns + c) * side + dy) * side * 3);
        }
    }
}

void c3d_unshuffle(const uint8_t *frame, size_t height, size_t width, uint8_t *patches,
                   uint8_t *blocks)
{
    unshuffle_cells(frame, height, width, C3D_PATCH, patches);
    unshuffle_cells(frame, height, width, C3D_BLOCK, blocks);
}

static uint8_t clip_pixel(int value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* round(sum * scale), halves to even, as the layers of the graphs do it: adding 1.5 * 2^23 leaves
 * no fraction bits. The sum is unsigned for a moment since a foreign graph may hold any. */
static int eighths(int32_t sum, int32_t bias, float scale)
{
    const float product = (float)(int32_t)((uint32_t)sum + (uint32_t)bias) * scale;
    const float clipped = product < -C3D_WIDE ? -C3D_WIDE : product > C3D_WIDE ? C3D_WIDE : product;
    return (int)(clipped + 12582912.0f - 12582912.0f);
}

/* In eighths of a grey level: t + 4 (k - 128) + 8 * 128, and 4 to round. */
static void add_run(const int32_t *restrict sums, const float *restrict scale,
                    const int32_t *restrict bias, const uint8_t *restrict correction, size_t count,
                    uint8_t *restrict out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = clip_pixel((eighths(sums[i], bias[i], scale[i]) + 4 * correction[i] + 516) >> 3);
}

/* The left or right half of a row of a block. */
static void add_half(const c3d_picture *p, size_t block_row, size_t block_column, size_t dy,
                     size_t half, size_t count, uint8_t *out)
{
    const size_t run = C3D_PATCH * 3, columns = (p->width + C3D_BLOCK - 1) / C3D_BLOCK;
    const size_t at = (dy * 2 + half) * run;
    const size_t patch_row = 2 * block_row + dy / C3D_PATCH, patch = 2 * block_column + half;
    add_run(p->sums + (block_row * columns + block_column) * C3D_BLOCK_BYTES + at, p->scale + at,
            p->bias + at,
            p->correction + ((patch_row * columns * 2 + patch) * C3D_PATCH + dy % C3D_PATCH) * run,
            count, out);
}

/* By blocks, since a block's sums lie together: they are most of what is read. */
void c3d_shuffle(const c3d_picture *p, uint8_t *frame)
{
    for (size_t y = 0; y < p->height; y += C3D_BLOCK) {
        for (size_t x = 0; x < p->width; x += C3D_BLOCK) {
            for (size_t dy = 0; dy < C3D_BLOCK && y + dy < p->height; dy++) {
                for (size_t half = 0; half < 2 && x + half * C3D_PATCH < p->width; half++) {
                    const size_t left = x + half * C3D_PATCH, rest = p->width - left;
                    const size_t count = rest < C3D_PATCH ? rest : C3D_PATCH;
                    add_half(p, y / C3D_BLOCK, x / C3D_BLOCK, dy, half, 3 * count,
                             frame + ((y + dy) * p->width + left) * 3);
                }
            }
        }
    }
}
