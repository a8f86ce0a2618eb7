/* Convolutions of integers with fewer multiplications, exactly.
 *
 * Two by two outputs of a kernel of 3 x 3 taps take 16 products of sums of inputs with sums of
 * weights instead of 36; of 2 taps, 3 instead of 4 in that direction. Winograd, Arithmetic complexity
 * of computations, 1980; Lavin and Gray, Fast algorithms for convolutional neural networks, 2016:
 *
 *     3 taps:  v = (d0 - d2, d1 + d2, d2 - d1, d1 - d3)     u = (g0, g0 + g1 + g2, g0 - g1 + g2, g2)
 *              2 y = (2 m0 + m1 + m2, m1 - m2 - 2 m3)       m = u v
 *     2 taps:  v = (d0 - d1, d1, d1 - d2)                   u = (g0, g0 + g1, g1)
 *              y = (m0 + m1, m1 - m2)
 *
 * In floats that rounds; here all is modulo 2^32, whatever wraps around on the way. The result is
 * the convolution's sum times 2 for each direction of 3 taps, so that the sum is exact if it is below
 * 2^29 (one direction: 2^30, none: 2^31). Sums of inputs (up to twice as large in each direction) and
 * of weights must fit int16: that is for the caller to see to.
 */
#ifndef C3D_NATIVE_WINOGRAD_H
#define C3D_NATIVE_WINOGRAD_H

#include "native_convolution.h"

enum { C3D_WINOGRAD_PLANES = 16 };

typedef struct {
    size_t rows, columns; /* products in each direction: taps + 1, so 3 or 4 */
} c3d_winograd_shape;

/* Bytes of scratch memory that a call needs. */
size_t c3d_winograd_scratch(const c3d_winograd_shape *shape, size_t channels);

/* As c3d_convolve for a window of shape->rows - 1 times shape->columns - 1 positions beside one
 * another, grid->x_column numbers (the channels) apart: grid->x_run is not used. layer->runs are the
 * products, layer->length the channels: its weights are sums u, each block (products, channels / 2,
 * outputs, 2). The input is readable for an even number of rows and columns of outputs. */
void c3d_winograd(const c3d_convolution_layer *layer, const c3d_winograd_shape *shape,
                  c3d_convolution_kernel kernel, const c3d_convolution_grid *grid,
                  const int16_t *x, int16_t *narrow, int32_t *wide, int16_t *scratch);

#endif
