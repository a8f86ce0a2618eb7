/* The entropy coder's work on one frame, in slices of rows that threads share
 * (c3d_export.runtime.slices). */
#ifndef C3D_SLICES_H
#define C3D_SLICES_H

#include "frame.h"
#include "pool.h"
#include "stream.h"

/* One array of symbols, `rows` equal rows: z, or those of a coding step. */
typedef struct {
    int16_t *symbols;
    const uint8_t *indexes;
    size_t size, rows;
} c3d_part;

c3d_part c3d_z_part(const c3d_model *model, const c3d_frame *frame);
c3d_part c3d_step_part(const c3d_model *model, const c3d_frame *frame, c3d_step step);

/* Bytes that are kept from frame to frame. */
typedef struct {
    uint8_t *data;
    size_t size;
} c3d_buffer;

/*
 * Codes z and the three steps of a frame, and joins the slices, with `flags` as the last one where
 * they are not empty, behind the first C3D_HEADER_BYTES of `out`; *block_bytes is the block's
 * length. `work` holds the payloads. MEMORY, INTERNAL.
 */
c3d_status c3d_slices_encode(const c3d_model *model, const c3d_frame *frame,
                             c3d_arith_slice flags, c3d_pool *pool, c3d_buffer *work,
                             c3d_buffer *out, size_t *block_bytes, c3d_error *error);

/* The slices of one stream while they are decoded, part after part. */
typedef struct {
    const c3d_arith_tables *tables;
    c3d_pool *pool;
    size_t count;
    c3d_part part;
    c3d_arith_status statuses[C3D_ARITH_MAX_SLICES];
    c3d_arith_decoder decoders[C3D_ARITH_MAX_SLICES];
} c3d_slice_decoder;

/* Each answers LATENTS_CHECKSUM where a payload does not decode: its bytes are known to be sound,
 * so that it is the table indexes of this host that differ. */
c3d_status c3d_slices_begin(c3d_slice_decoder *decoder, const c3d_stream *stream,
                            const c3d_arith_tables *tables, c3d_pool *pool, c3d_error *error);
c3d_status c3d_slices_pull(c3d_slice_decoder *decoder, const c3d_part *part, c3d_error *error);
c3d_status c3d_slices_finish(const c3d_slice_decoder *decoder, c3d_error *error);

#endif
