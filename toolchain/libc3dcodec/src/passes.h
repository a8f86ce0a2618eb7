/* The passes between the networks and the entropy coder, over one frame, in bands of rows that
 * threads share (c3d_export.runtime.passes). */
#ifndef C3D_PASSES_H
#define C3D_PASSES_H

#include "frame.h"
#include "pool.h"

/* What a pass works with: `row` is the rate point less one, `step` a coding step. */
typedef struct {
    const c3d_model *model;
    c3d_frame *frame;
    size_t row;
    c3d_step step;
    const uint8_t *pixels; /* (height, width, 3) of the encoder */
    uint8_t *picture;      /* (height, width, 3) of the decoder */
} c3d_pass;

/* One pass over the rows begin..end - 1 of the latents' grid. */
typedef void (*c3d_band_work)(const c3d_pass *pass, size_t begin, size_t end);

void c3d_pass_run(c3d_pool *pool, const c3d_pass *pass, c3d_band_work work);

/* pixels -> patches, blocks */
void c3d_pass_unshuffle(const c3d_pass *pass, size_t begin, size_t end);
/* sums -> y, activity */
void c3d_pass_latents(const c3d_pass *pass, size_t begin, size_t end);
/* features_padded -> features, where that is another array */
void c3d_pass_features(const c3d_pass *pass, size_t begin, size_t end);
/* v -> known */
void c3d_pass_known(const c3d_pass *pass, size_t begin, size_t end);
/* index -> table */
void c3d_pass_indexes(const c3d_pass *pass, size_t begin, size_t end);
/* y, mean, index -> table, symbols, v */
void c3d_pass_quantize(const c3d_pass *pass, size_t begin, size_t end);
/* symbols, mean -> v, fine */
void c3d_pass_dequantize(const c3d_pass *pass, size_t begin, size_t end);
/* v, fine -> seen, spread */
void c3d_pass_spread(const c3d_pass *pass, size_t begin, size_t end);
/* pixels_sum, correction -> picture */
void c3d_pass_shuffle(const c3d_pass *pass, size_t begin, size_t end);

/* The padding's part of activity below the last row, which no band has. */
void c3d_pass_padding(const c3d_pass *pass);

/* z -> z_hat; and z_out -> z, for the encoder. Small enough for one thread. */
void c3d_pass_z_hat(const c3d_pass *pass);
void c3d_pass_z(const c3d_pass *pass);
/* The tables of z, which depend on the channel only. */
void c3d_pass_z_index(const c3d_pass *pass);

#endif
