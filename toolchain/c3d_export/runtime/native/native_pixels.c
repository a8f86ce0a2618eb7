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

/* Twice the pixel with 1 to round, above -512: 3 (b - 128) + 2 (d - 128) + (k - 128) + 257 + 512
 * = 3 b + 2 d + k + 1, so that the shift is one of a number that is never negative. */
static void add_run(const uint8_t *restrict base, const uint8_t *restrict detail,
                    const uint8_t *restrict correction, size_t count, uint8_t *restrict out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = clip_pixel(((3 * base[i] + 2 * detail[i] + correction[i] + 1) >> 1) - 256);
}

void c3d_shuffle(const uint8_t *base, const uint8_t *detail, const uint8_t *correction,
                 uint8_t *frame, size_t height, size_t width)
{
    const size_t columns = (width + C3D_BLOCK - 1) / C3D_BLOCK * 2, run = C3D_PATCH * 3;
    for (size_t y = 0; y < height; y++) {
        uint8_t *row = frame + y * width * 3;
        for (size_t c = 0; c * C3D_PATCH < width; c++) {
            const size_t left = width - c * C3D_PATCH;
            const size_t count = left < C3D_PATCH ? left * 3 : run;
            const size_t block = (y / C3D_BLOCK) * (columns / 2) + c / 2;
            const size_t at = (block * C3D_BLOCK + y % C3D_BLOCK) * 2 + c % 2;
            const size_t patch = (y / C3D_PATCH) * columns + c;
            add_run(base + at * run, detail + at * run,
                    correction + (patch * C3D_PATCH + y % C3D_PATCH) * run, count, row + c * run);
        }
    }
}
