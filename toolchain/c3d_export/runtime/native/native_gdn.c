/* Compiled with -ffp-contract=off: every kernel and compiler computes the same floats. */
#include "native_gdn.h"

#include "native_convolution_tile.h"

#include <math.h>

C3D_INLINE void square_loop(const int16_t *restrict x, size_t count, int shift,
                            int16_t *restrict out)
{
    const int32_t half = (int32_t)1 << (shift - 1);
    for (size_t i = 0; i < count; i++) {
        /* 2^30 and half of as much still fit. */
        const int32_t square = ((int32_t)x[i] * x[i] + half) >> shift;
        out[i] = (int16_t)(square < INT16_MAX ? square : INT16_MAX);
    }
}

C3D_INLINE void normalise_loop(const int16_t *restrict x, const int32_t *restrict norm,
                               size_t places, size_t channels, const float *restrict scale,
                               const float *restrict low, const float *restrict high,
                               int16_t *restrict out, size_t out_step)
{
    for (size_t place = 0; place < places; place++) {
        for (size_t c = 0; c < channels; c++) {
            const float factor = sqrtf((float)norm[c]) * scale[c];
            float value = (float)x[c] * factor;
            /* Whole limits: clipping before rounding gives what clipping after it does. */
            value = value > low[c] ? value : low[c];
            value = value < high[c] ? value : high[c];
            out[c] = (int16_t)(int32_t)c3d_round_even(value);
        }
        x += channels, norm += channels, out += out_step;
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86
/* The same loops, made vectors of for other processors. */
#define LOOPS(name, target_)                                                                   \
    static __attribute__((target(target_))) void square_##name(const int16_t *x, size_t count, \
                                                               int shift, int16_t *out)        \
    {                                                                                          \
        square_loop(x, count, shift, out);                                                     \
    }                                                                                          \
    static __attribute__((target(target_))) void normalise_##name(                             \
        const int16_t *x, const int32_t *norm, size_t places, size_t channels,                 \
        const float *scale, const float *low, const float *high, int16_t *out,                 \
        size_t out_step)                                                                       \
    {                                                                                          \
        normalise_loop(x, norm, places, channels, scale, low, high, out, out_step);            \
    }

LOOPS(avx2, "avx2")
LOOPS(avx512, "avx512f,avx512bw")
#endif

void c3d_square(c3d_convolution_kernel kernel, const int16_t *x, size_t count, int shift,
                int16_t *out)
{
#ifdef HAS_X86
    if (kernel >= C3D_CONVOLUTION_AVX512) {
        square_avx512(x, count, shift, out);
        return;
    }
    if (kernel == C3D_CONVOLUTION_AVX2) {
        square_avx2(x, count, shift, out);
        return;
    }
#else
    (void)kernel;
#endif
    square_loop(x, count, shift, out);
}

void c3d_normalise(c3d_convolution_kernel kernel, const int16_t *x, const int32_t *norm,
                   size_t places, size_t channels, const float *scale, const float *low,
                   const float *high, int16_t *out, size_t out_step)
{
#ifdef HAS_X86
    if (kernel >= C3D_CONVOLUTION_AVX512) {
        normalise_avx512(x, norm, places, channels, scale, low, high, out, out_step);
        return;
    }
    if (kernel == C3D_CONVOLUTION_AVX2) {
        normalise_avx2(x, norm, places, channels, scale, low, high, out, out_step);
        return;
    }
#else
    (void)kernel;
#endif
    normalise_loop(x, norm, places, channels, scale, low, high, out, out_step);
}
