/* Convolutions of integers: int16 inputs and weights, int32 sums.
 *
 *     total = sum(weight * x) + bias
 *     out = clip(round(max(total * scale, total * negative)), low, high)
 *
 * total becomes a float32 (rounded to the nearest), each product is one float32 operation, the
 * rounding is to the nearest, half to even. Sums wrap around at 32 bits; those of a certified layer
 * never reach that. So every kernel gives the same numbers for any input.
 *
 * What one position sees is `runs` runs of `length` numbers each, an input row apart: a window of a
 * padded image whose channels are last, so that nothing is copied. A fully connected layer is the
 * case of one run.
 *
 * Weights are packed in blocks of C3D_CONVOLUTION_BLOCK outputs, the last one with as many groups of
 * C3D_CONVOLUTION_LANES as are needed; a block is (runs * length / 2, its outputs, 2): pairs of
 * inputs, and outputs filled up with zeros. bias, scale, negative, low and high are (padded).
 */
#ifndef C3D_NATIVE_CONVOLUTION_H
#define C3D_NATIVE_CONVOLUTION_H

#include <stddef.h>
#include <stdint.h>

enum { C3D_CONVOLUTION_LANES = 16, C3D_CONVOLUTION_BLOCK = 48, C3D_CONVOLUTION_PLACES = 8 };

typedef struct {
    size_t runs, length, outputs; /* length: even */
    const int16_t *weight;
    const int32_t *bias;
    const float *scale, *negative, *low, *high; /* low and high: whole numbers within +-65535 */
} c3d_convolution_layer;

/* Output positions, and how many numbers lie between what belongs to two of them. */
typedef struct {
    size_t rows, columns;
    size_t x_row, x_column, x_run; /* x_run: between the runs of one position */
    size_t out_row, out_column;
} c3d_convolution_grid;

typedef enum {
    C3D_CONVOLUTION_PORTABLE = 0,
    C3D_CONVOLUTION_AVX2 = 1,
    C3D_CONVOLUTION_AVX512 = 2,
    C3D_CONVOLUTION_VNNI = 3
} c3d_convolution_kernel;

static inline size_t c3d_convolution_padded(size_t outputs)
{
    return (outputs + C3D_CONVOLUTION_LANES - 1) / C3D_CONVOLUTION_LANES * C3D_CONVOLUTION_LANES;
}

/* The fastest kernel of this processor that is not above `most`. */
c3d_convolution_kernel c3d_convolution_best(c3d_convolution_kernel most);

/* x, out: those of the first position; out may not overlap x. Either narrow or wide is NULL; low and
 * high fit int16 where wide is. */
void c3d_convolve(const c3d_convolution_layer *layer, c3d_convolution_kernel kernel,
                  const c3d_convolution_grid *grid, const int16_t *x, int16_t *narrow,
                  int32_t *wide);

#endif
