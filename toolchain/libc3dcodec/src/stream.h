/* The `.c3s` stream (docs/stream-format.md): header and block of slices. */
#ifndef C3D_STREAM_H
#define C3D_STREAM_H

#include "c3d_arith.h"
#include "fail.h"

enum { C3D_HEADER_BYTES = 32 };

/* A stream whose checksums hold; the slices point into it. */
typedef struct {
    c3d_stream_info info;
    uint32_t latents_crc;
    size_t count;
    c3d_arith_slice slices[C3D_ARITH_MAX_SLICES];
} c3d_stream;

/* Checks 1 to 15 of the format, in their order. */
c3d_status c3d_stream_parse(const uint8_t *data, size_t size, c3d_stream *stream,
                            c3d_error *error);

/* Writes the header in front of a block of `block_bytes`, whose limit is checked: INTERNAL. */
c3d_status c3d_stream_head(const c3d_stream_info *info, size_t block_bytes, uint32_t latents_crc,
                           uint8_t head[C3D_HEADER_BYTES], c3d_error *error);

#endif
