/* What kernels of convolutions have in common; internal.
 *
 * A kernel adds up a tile: up to C3D_CONVOLUTION_PLACES positions and one block of outputs, whose
 * sums stay in registers, and makes outputs of the sums.
 */
#ifndef C3D_NATIVE_CONVOLUTION_TILE_H
#define C3D_NATIVE_CONVOLUTION_TILE_H

#include "native_convolution.h"

#include <string.h>

enum {
    LANES = C3D_CONVOLUTION_LANES,
    BLOCK = C3D_CONVOLUTION_BLOCK,
    PLACES = C3D_CONVOLUTION_PLACES
};

#if defined(__GNUC__)
#define C3D_INLINE static inline __attribute__((always_inline))
#else
#define C3D_INLINE static inline
#endif

/* x: where each position's first run begins; those behind `places` are readable, and count not. */
typedef struct {
    const int16_t *x[PLACES];
    const int16_t *weight;
    size_t runs, run, pairs; /* run: int16 between runs; pairs: in one run */
    size_t places, groups;   /* positions, and groups of LANES outputs */
} c3d_tile;

typedef struct {
    const int32_t *bias;
    const float *scale, *negative, *low, *high;
} c3d_scaling;

/* Sums of a tile, and the outputs made of them. */
typedef void c3d_tile_kernel(const c3d_tile *tile, const c3d_scaling *scaling,
                             int32_t made[PLACES][BLOCK]);

c3d_tile_kernel c3d_tile_portable, c3d_tile_avx2, c3d_tile_avx512, c3d_tile_vnni;

/* For |x| < 2^22: adding a number whose last bit is one leaves no bits behind the point. */
C3D_INLINE float c3d_round_even(float x)
{
    const float shift = 12582912.0f;
    return (x + shift) - shift;
}

C3D_INLINE void c3d_scale_sums(const c3d_scaling *scaling, size_t lanes, int32_t *sums)
{
    const int32_t *bias = scaling->bias;
    const float *scale = scaling->scale, *negative = scaling->negative;
    const float *low = scaling->low, *high = scaling->high;
    for (size_t o = 0; o < lanes; o++) {
        const float total = (float)(int32_t)((uint32_t)sums[o] + (uint32_t)bias[o]);
        const float a = total * scale[o], b = total * negative[o];
        float value = a > b ? a : b;
        /* Whole limits: clipping before rounding gives what clipping after it does. */
        value = value > low[o] ? value : low[o];
        value = value < high[o] ? value : high[o];
        sums[o] = (int32_t)c3d_round_even(value);
    }
}

/* With constants for `lanes`, loops of which a compiler makes whole vectors. */
C3D_INLINE void c3d_scale_tile(const c3d_tile *tile, const c3d_scaling *scaling,
                               int32_t made[PLACES][BLOCK])
{
    for (size_t p = 0; p < tile->places; p++)
        for (size_t first = 0; first < tile->groups * LANES; first += LANES) {
            const c3d_scaling here = {scaling->bias + first, scaling->scale + first,
                                      scaling->negative + first, scaling->low + first,
                                      scaling->high + first};
            c3d_scale_sums(&here, LANES, made[p] + first);
        }
}

static inline int32_t c3d_pair_at(const int16_t *x)
{
    int32_t pair;
    memcpy(&pair, x, sizeof pair);
    return pair;
}

#endif
