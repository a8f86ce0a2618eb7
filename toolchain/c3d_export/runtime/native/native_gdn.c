/* Compiled with -ffp-contract=off: every compiler computes the same floats. */
#include "native_gdn.h"

#include <math.h>

void c3d_square(const int16_t *restrict x, size_t count, int shift, int16_t *restrict out)
{
    const int32_t half = (int32_t)1 << (shift - 1);
    for (size_t i = 0; i < count; i++) {
        /* 2^30 and half of as much still fit. */
        const int32_t square = ((int32_t)x[i] * x[i] + half) >> shift;
        out[i] = (int16_t)(square < INT16_MAX ? square : INT16_MAX);
    }
}

/* For |x| < 2^22: adding a number whose last bit is one leaves no bits behind the point. */
static inline float round_even(float x)
{
    const float shift = 12582912.0f;
    return (x + shift) - shift;
}

void c3d_normalise(const int16_t *restrict x, const int32_t *restrict norm, size_t places,
                   size_t channels, const float *restrict scale, const float *restrict low,
                   const float *restrict high, int16_t *restrict out, size_t out_step)
{
    for (size_t place = 0; place < places; place++) {
        for (size_t c = 0; c < channels; c++) {
            const float factor = sqrtf((float)norm[c]) * scale[c];
            float value = (float)x[c] * factor;
            /* Whole limits: clipping before rounding gives what clipping after it does. */
            value = value > low[c] ? value : low[c];
            value = value < high[c] ? value : high[c];
            out[c] = (int16_t)(int32_t)round_even(value);
        }
        x += channels, norm += channels, out += out_step;
    }
}
