/* Pixel shuffles: the first and the last pass of the codec. */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

static inline uint8_t clip_pixel(int value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* round(sum * scale), halves to even, as the layers of the graphs do it: adding 1.5 * 2^23 leaves
 * no fraction bits. The sum is unsigned for a moment since a foreign graph may hold any. */
static inline int eighths(int32_t sum, int32_t bias, float scale)
{
    const float product = (float)(int32_t)((uint32_t)sum + (uint32_t)bias) * scale;
    const float clipped = product < -C3D_WIDE ? -C3D_WIDE : product > C3D_WIDE ? C3D_WIDE : product;
    return (int)(clipped + 12582912.0f - 12582912.0f);
}

/* What is added to the output, in eighths of a grey level: 4 (k - 128) + 8 * 128, and 4 to round. */
static inline int addend(uint8_t correction) { return 4 * correction + 516; }

#ifdef __SSE2__
/* Eight pixels; what compilers make of the loop below takes three times as long, since they do not
 * see that packing saturates. -32768 where the loop has -32767 is black all the same. */
static inline void add_eight(const int32_t *sums, const float *scale, const int32_t *bias,
                             const uint8_t *correction, uint8_t *out)
{
    __m128i half[2];
    for (int i = 0; i < 2; i++) {
        const __m128i sum = _mm_add_epi32(_mm_loadu_si128((const __m128i *)(sums + 4 * i)),
                                          _mm_loadu_si128((const __m128i *)(bias + 4 * i)));
        half[i] = _mm_cvtps_epi32(_mm_mul_ps(_mm_cvtepi32_ps(sum), _mm_loadu_ps(scale + 4 * i)));
    }
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)correction);
    const __m128i wide = _mm_slli_epi16(_mm_unpacklo_epi8(bytes, _mm_setzero_si128()), 2);
    const __m128i added = _mm_add_epi16(wide, _mm_set1_epi16(516));
    const __m128i total = _mm_adds_epi16(_mm_packs_epi32(half[0], half[1]), added);
    const __m128i pixels = _mm_srai_epi16(total, 3);
    _mm_storel_epi64((__m128i *)out, _mm_packus_epi16(pixels, pixels));
}
#endif

static void add_run(const int32_t *restrict sums, const float *restrict scale,
                    const int32_t *restrict bias, const uint8_t *restrict correction, size_t count,
                    uint8_t *restrict out)
{
    size_t i = 0;
#ifdef __SSE2__
    for (; i + 8 <= count; i += 8)
        add_eight(sums + i, scale + i, bias + i, correction + i, out + i);
#endif
    for (; i < count; i++)
        out[i] = clip_pixel((eighths(sums[i], bias[i], scale[i]) + addend(correction[i])) >> 3);
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
