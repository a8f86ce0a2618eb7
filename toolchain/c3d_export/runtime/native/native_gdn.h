/* Generalised divisive normalisation of integers, in the parts that are no convolution.
 *
 * Every operation is one that IEEE 754 rounds correctly, so that all hosts and kernels compute the
 * same.
 */
#ifndef C3D_NATIVE_GDN_H
#define C3D_NATIVE_GDN_H

#include "native_convolution.h"

/* out = (x * x + half) >> shift, cut to int16. shift: 1 to 30. */
void c3d_square(c3d_convolution_kernel kernel, const int16_t *x, size_t count, int shift,
                int16_t *out);

/* out = round(clip(x * (sqrt(norm) * scale), low, high)), half to even.
 *
 * x, norm: (places, channels), norm not negative. scale, low, high: (channels), low and high whole
 * numbers within int16. out: places `out_step` numbers apart. */
void c3d_normalise(c3d_convolution_kernel kernel, const int16_t *x, const int32_t *norm,
                   size_t places, size_t channels, const float *scale, const float *low,
                   const float *high, int16_t *out, size_t out_step);

#endif
