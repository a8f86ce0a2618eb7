/* A layer of integers over many positions: int16 inputs and weights, int32 sums.
 *
 *     total = sum(weight * x) + bias
 *     out = clip(round(max(total * scale, total * negative)), low, high)
 *
 * total becomes a float32 (rounded to the nearest), each product is one float32 operation, the
 * rounding is to the nearest, half to even. Sums wrap around at 32 bits; those of a certified layer
 * never reach that. So every kernel gives the same numbers for any input.
 *
 * Weights are packed (inputs / 2, padded, 2): pairs of inputs, and outputs filled up with zeros to a
 * multiple of C3D_DENSE_LANES. bias, scale, negative, low and high are (padded).
 */
#ifndef C3D_NATIVE_DENSE_H
#define C3D_NATIVE_DENSE_H

#include <stddef.h>
#include <stdint.h>

enum { C3D_DENSE_LANES = 32, C3D_DENSE_PLACES = 4 };

typedef struct {
    size_t inputs, outputs; /* inputs: even */
    const int16_t *weight;
    const int32_t *bias;
    const float *scale, *negative, *low, *high; /* low and high: whole numbers within +-65535 */
} c3d_dense_layer;

typedef enum { C3D_DENSE_PORTABLE = 0, C3D_DENSE_AVX2 = 1, C3D_DENSE_AVX512 = 2 } c3d_dense_kernel;

static inline size_t c3d_dense_padded(size_t outputs)
{
    return (outputs + C3D_DENSE_LANES - 1) / C3D_DENSE_LANES * C3D_DENSE_LANES;
}

/* The fastest kernel of this processor that is not above `most`. */
c3d_dense_kernel c3d_dense_best(c3d_dense_kernel most);

/* x: (places, inputs), out: (places, outputs); out may not overlap x. */
void c3d_dense(const c3d_dense_layer *layer, c3d_dense_kernel kernel, const int16_t *x,
               size_t places, int32_t *out);

#endif
