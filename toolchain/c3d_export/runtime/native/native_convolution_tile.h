/* What kernels of convolutions have in common; internal.
 *
 * A kernel adds up a tile: up to C3D_CONVOLUTION_PLACES positions and one block of outputs, whose
 * sums stay in registers.
 */
#ifndef C3D_NATIVE_CONVOLUTION_TILE_H
#define C3D_NATIVE_CONVOLUTION_TILE_H

#include "native_winograd.h"

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

/* The loops that take time, for one kind of processor; native_winograd.h says what the last two do.
 * finish: `count` sums of one position become outputs, int16 or int32, whichever is not NULL. */
typedef struct {
    void (*sums)(const c3d_tile *tile, int32_t made[PLACES][BLOCK]);
    void (*finish)(const c3d_scaling *scaling, size_t count, const int32_t *sums, int16_t *narrow,
                   int32_t *wide);
    void (*spread)(const c3d_winograd_shape *shape, const int16_t *x, size_t x_row,
                   size_t channels, int16_t *v);
    void (*gather)(const c3d_winograd_shape *shape, size_t place, size_t groups,
                   int32_t made[][PLACES][BLOCK], int32_t sums[4][BLOCK]);
} c3d_kernels;

extern const c3d_kernels c3d_kernels_portable, c3d_kernels_avx2, c3d_kernels_avx512,
    c3d_kernels_vnni;

const c3d_kernels *c3d_kernels_of(c3d_convolution_kernel kernel);

/* For |x| < 2^22: adding a number whose last bit is one leaves no bits behind the point. */
C3D_INLINE float c3d_round_even(float x)
{
    const float shift = 12582912.0f;
    return (x + shift) - shift;
}

/* LANES outputs from number `first` on: loops of which a compiler makes whole vectors. */
C3D_INLINE void c3d_scale_sums(const c3d_scaling *scaling, size_t first,
                               const int32_t *restrict sums, int32_t *restrict made)
{
    const int32_t *restrict bias = scaling->bias + first;
    const float *restrict scale = scaling->scale + first;
    const float *restrict negative = scaling->negative + first;
    const float *restrict low = scaling->low + first, *restrict high = scaling->high + first;
    for (size_t o = 0; o < LANES; o++) {
        const float total = (float)(int32_t)((uint32_t)sums[o] + (uint32_t)bias[o]);
        const float a = total * scale[o], b = total * negative[o];
        float value = a > b ? a : b;
        /* Whole limits: clipping before rounding gives what clipping after it does. */
        value = value > low[o] ? value : low[o];
        value = value < high[o] ? value : high[o];
        made[o] = (int32_t)c3d_round_even(value);
    }
}

/* The last outputs, fewer than LANES. */
C3D_INLINE void c3d_finish_rest(const c3d_scaling *scaling, size_t first, size_t count,
                                const int32_t *sums, int16_t *narrow, int32_t *wide)
{
    int32_t made[LANES];
    c3d_scale_sums(scaling, first, sums + first, made);
    for (size_t o = 0; o < count; o++)
        if (wide)
            wide[first + o] = made[o];
        else
            narrow[first + o] = (int16_t)made[o];
}

C3D_INLINE void c3d_finish_sums(const c3d_scaling *scaling, size_t count, const int32_t *sums,
                                int16_t *narrow, int32_t *wide)
{
    size_t first = 0;
    if (wide)
        for (; first + LANES <= count; first += LANES)
            c3d_scale_sums(scaling, first, sums + first, wide + first);
    else
        for (; first + LANES <= count; first += LANES) {
            int32_t made[LANES];
            c3d_scale_sums(scaling, first, sums + first, made);
            for (size_t o = 0; o < LANES; o++)
                narrow[first + o] = (int16_t)made[o];
        }
    if (first < count)
        c3d_finish_rest(scaling, first, count - first, sums, narrow, wide);
}

static inline c3d_scaling c3d_scaling_from(const c3d_convolution_layer *layer, size_t first)
{
    const c3d_scaling scaling = {layer->bias + first, layer->scale + first,
                                 layer->negative + first, layer->low + first,
                                 layer->high + first};
    return scaling;
}

static inline int32_t c3d_pair_at(const int16_t *x)
{
    int32_t pair;
    memcpy(&pair, x, sizeof pair);
    return pair;
}

#endif
