/* Compiled with -ffp-contract=off: every kernel and compiler computes the same floats. */
#include "native_gaussians.h"

enum { LARGEST = C3D_LATENT_LARGEST };

static inline int32_t clipped(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

void c3d_heads(const int32_t *out, size_t places, size_t channels,
               const uint8_t table[C3D_SCALES], uint8_t *index, int16_t *mean)
{
    for (size_t p = 0; p < places; p++, out += 2 * channels, index += channels, mean += channels) {
        for (size_t c = 0; c < channels; c++)
            index[c] = table[clipped(out[c], 0, C3D_SCALES - 1)];
        for (size_t c = 0; c < channels; c++)
            mean[c] = (int16_t)clipped(out[channels + c], INT16_MIN, INT16_MAX);
    }
}

void c3d_symbols(const float *restrict y, const int16_t *restrict mean, size_t count, int fraction,
                 int16_t *restrict symbols)
{
    const float one = (float)(1 << fraction), most = LARGEST, shift = 12582912.0f;
    for (size_t i = 0; i < count; i++) {
        const int32_t m = mean[i];
        float value = y[i] - (float)m / one; /* a power of two: the quotient is exact */
        value = value > -most ? value : -most;
        value = value < most ? value : most;
        /* Whole, half to even: what is added leaves no bits behind the point. */
        const int32_t nearest = (int32_t)((value + shift) - shift);
        /* Rounded to the inside of the range; compilers shift signed numbers arithmetically. */
        const int32_t low = -((LARGEST + m) >> fraction), high = (LARGEST - m) >> fraction;
        symbols[i] = (int16_t)clipped(nearest, low, high);
    }
}

int c3d_y_hat(const int16_t *restrict symbols, const int16_t *restrict mean, size_t count,
              int fraction, int16_t *restrict y_hat)
{
    uint32_t out = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t value = symbols[i] * (1 << fraction) + mean[i];
        y_hat[i] = (int16_t)value;
        out |= (uint32_t)(value > LARGEST) | (uint32_t)(value < -LARGEST);
    }
    return !out;
}
