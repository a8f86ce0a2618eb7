/* The passes between the networks and the entropy coder: pixel shuffles, quantisation, table
 * indexes. Plain C over caller's buffers; no allocation, no globals, no I/O.
 *
 * All tensors are contiguous, channels last. A latent grid has `rows` x `columns` positions of
 * `channels` latents; tensors that feed a network carry C3D_PLANES more channels a position.
 * mean and index may lie on a grid with more columns (`stride`), of which the left part counts.
 */
#ifndef C3D_NATIVE_PASSES_H
#define C3D_NATIVE_PASSES_H

#include <stddef.h>
#include <stdint.h>

enum { C3D_PLANES = 4, C3D_BLOCK = 16, C3D_PATCH = 8, C3D_TABLES = 64 };

typedef struct {
    size_t rows, columns, channels; /* of the latents; channels is even */
    size_t stride;                  /* columns of the grids of mean and index, >= columns */
    unsigned parity;                /* 0: first coding step, 1: second */
} c3d_grid;

/* frame (height, width, 3) -> patches (2 rows, 2 columns, 192) and blocks (rows, columns, 768),
 * rows = ceil(height / 16); the last row and column of pixels are repeated beyond the edge. */
void c3d_unshuffle(const uint8_t *frame, size_t height, size_t width, uint8_t *patches,
                   uint8_t *blocks);

/* frame = clip(128 + (2 base + detail + correction + 1) / 2), the parts being the tensors minus
 * 128; base and detail (rows, columns, 768), correction (2 rows, 2 columns, 192). */
void c3d_shuffle(const uint8_t *base, const uint8_t *detail, const uint8_t *correction,
                 uint8_t *frame, size_t height, size_t width);

/* y = (linear * scales[0] + biases[0]) + (head * scales[1] + biases[1]), in float32; rounded is
 * y + 128, rounded half to even and clipped, written with a pixel stride of channels + PLANES on
 * a grid of `padded_columns`. */
void c3d_latents(const int32_t *linear, const int32_t *head, const float *const scales[2],
                 const float *const biases[2], size_t rows, size_t columns, size_t channels,
                 size_t padded_columns, float *y, uint8_t *rounded);

/* Table index of each latent of this coding step, in coding order: n = half of the latents. */
void c3d_indexes(const c3d_grid *grid, const uint8_t *fine, const int16_t *offset, uint8_t *out);

/* symbol = sign(r) * floor(|r| + rounding[index]), r = (y - mean) * reciprocal. */
void c3d_quantize(const c3d_grid *grid, const float *y, const uint8_t *mean,
                  const uint8_t *indexes, const float *reciprocal, const float *rounding,
                  int16_t *symbols);

/* v = clip(mean + floor((symbol * step + 128) / 256)), written where this coding step has its
 * latents; v has channels + PLANES channels. steps are 1..65535. */
void c3d_dequantize(const c3d_grid *grid, const int16_t *symbols, const uint8_t *mean,
                    const int32_t *step, uint8_t *v);

#endif
