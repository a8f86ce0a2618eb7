/* The passes between the networks and the entropy coder: pixel shuffles, quantisation, table
 * indexes. Plain C over caller's buffers; no allocation, no globals, no I/O.
 *
 * All tensors are contiguous, channels last. A latent grid has `rows` x `columns` positions of
 * `channels` latents; tensors that feed a network carry C3D_PLANES more channels a position.
 * mean and index may lie on a grid with more columns (`stride`), of which the left part counts.
 *
 * A coding step has a range of channels, of which it codes all, or at each position every second
 * one, like a checkerboard that alternates with the channel.
 */
#ifndef C3D_NATIVE_PASSES_H
#define C3D_NATIVE_PASSES_H

#include <stddef.h>
#include <stdint.h>

/* A pass is compiled twice and the loader chooses, by what the processor has: loops over bytes and
 * floats are twice as fast in 256-bit vectors. No fused multiply-adds: the numbers are the same. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define C3D_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define C3D_CLONES
#endif

enum { C3D_PLANES = 4, C3D_BLOCK = 16, C3D_PATCH = 8, C3D_TABLES = 64, C3D_RAW = 16 };
enum { C3D_BLOCK_BYTES = C3D_BLOCK * C3D_BLOCK * 3 };

/* Latents before they are rounded to v are in 1/256 of a unit; all their roundings fit in a byte. */
enum { C3D_FINE_ONE = 256, C3D_FINE_MIN = -128 * 256, C3D_FINE_MAX = 127 * 256 };

/* Largest magnitude of the linear path's output. */
#define C3D_WIDE 32767.0f

/* A decoded latent in 1/256 of a unit; the least and the largest symbol and step just fit into 32
 * bits. */
static inline int32_t c3d_fine_of(int16_t symbol, uint8_t mean, int32_t step)
{
    const int32_t fine = ((int32_t)mean - 128) * C3D_FINE_ONE + symbol * step;
    return fine < C3D_FINE_MIN ? C3D_FINE_MIN : fine > C3D_FINE_MAX ? C3D_FINE_MAX : fine;
}

/* v + 128. Arithmetic shift: every compiler that we build with rounds it down. */
static inline uint8_t c3d_v_of(int32_t fine)
{
    return (uint8_t)(((fine + C3D_FINE_ONE / 2) >> 8) + 128);
}

typedef struct {
    size_t rows, columns, channels; /* of the latents */
    size_t stride;                  /* columns of the grids of mean and index, >= columns */
    size_t first, count;            /* channels of this coding step, which mean and index have */
    unsigned pattern;               /* 0, 1: the checkerboard's two halves (count even); 2: all */
} c3d_grid;

/* frame (height, width, 3) -> patches (2 rows, 2 columns, 192) and blocks (rows, columns, 768),
 * rows = ceil(height / 16); the last row and column of pixels are repeated beyond the edge. */
void c3d_unshuffle(const uint8_t *frame, size_t height, size_t width, uint8_t *patches,
                   uint8_t *blocks);

/* What a picture is made of: sums (rows, columns, 768) of the linear path, whose output is
 * round((sum + bias) * scale) in eighths of a grey level, and the correction (2 rows, 2 columns,
 * 192) + 128 in halves. */
typedef struct {
    const int32_t *sums;
    const float *scale;  /* (768), magnitude at most 0.5 */
    const int32_t *bias; /* (768) */
    const uint8_t *correction;
    size_t height, width;
} c3d_picture;

/* frame = clip(128 + floor((output + 4 correction + 4) / 8)). */
void c3d_shuffle(const c3d_picture *picture, uint8_t *frame);

/* Where activities go: `base` signed ones, of which the first `raw` are the latents themselves,
 * then all magnitudes, then room for C3D_PLANES. */
typedef struct {
    size_t base;           /* the first channels, which are given with their sign too */
    size_t raw;            /* of these the first ones, which are given as they are */
    size_t columns;        /* of the grid of `to`, >= those of the latents */
    const int32_t *factor; /* activity of one unit of v, times 65536, per channel; 1..2^23 */
    uint8_t *to;           /* 128 + activity, -120..120, or 128 + latent */
} c3d_activities;

/* y = (linear * scales[0] + biases[0]) + (head * scales[1] + biases[1]), in float32, and the
 * activities of y rounded half to even and clipped to -128..127. */
void c3d_latents(const int32_t *linear, const int32_t *head, const float *const scales[2],
                 const float *const biases[2], size_t rows, size_t columns, size_t channels,
                 const c3d_activities *out, float *y);

/* Activities of the base latents in v (rows, columns, channels). */
void c3d_activity(const uint8_t *v, size_t rows, size_t columns, size_t channels,
                  const c3d_activities *out);

/* Table index of each latent of this coding step, in coding order. */
void c3d_indexes(const c3d_grid *grid, const uint8_t *fine, const int16_t *offset, uint8_t *out);

/* What the networks predict of a coding step's latents: mean + 128 and fine index. */
typedef struct {
    const uint8_t *mean, *index;
} c3d_prior;

/* Of one rate point, per channel: what is added to a fine index, steps (1..65535, in 1/256 of a
 * unit) and 256 over them. rounding: (C3D_TABLES), 0..1, per table. */
typedef struct {
    const int16_t *offset;
    const int32_t *step;
    const float *reciprocal, *rounding;
} c3d_quantizer;

/* symbols and indexes in coding order; v has all channels, of which this step's are written. */
typedef struct {
    int16_t *symbols;
    uint8_t *indexes, *v;
} c3d_coded;

/* Indexes as `c3d_indexes`, symbol = sign(r) * floor(|r| + rounding[index]) with r = (y - mean) *
 * reciprocal, and v as `c3d_dequantize`. */
void c3d_quantize_step(const c3d_grid *grid, const float *y, const c3d_prior *prior,
                       const c3d_quantizer *q, const c3d_coded *out);

/* fine = clip(256 mean + symbol * step) and v = floor((fine + 128) / 256), written where this coding
 * step has its latents; v has all channels, fine the first `fine_channels`. steps are 1..65535. */
void c3d_dequantize(const c3d_grid *grid, const int16_t *symbols, const uint8_t *mean,
                    const int32_t *step, uint8_t *v, int16_t *fine, size_t fine_channels);

/* Channels `first` to `first + count - 1`, rounded as floor((fine + offset) / 256). */
typedef struct {
    int32_t first, count, offset;
} c3d_run;

/* v (positions, channels) with the planes (C3D_PLANES), and v with its copies, for the two inputs
 * of the synthesis; fine (positions, fine_channels). Offsets are 0..255. */
void c3d_spread(const uint8_t *v, const int16_t *fine, const uint8_t *planes, size_t positions,
                size_t channels, size_t fine_channels, const c3d_run *runs, size_t count,
                uint8_t *seen, uint8_t *spread);

#endif
