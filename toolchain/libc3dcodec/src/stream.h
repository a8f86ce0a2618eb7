/* The `.c3s` stream (docs/stream-format.md): header and block of slices. */
#ifndef C3D_STREAM_H
#define C3D_STREAM_H

#include "c3d_arith.h"
#include "fail.h"

enum { C3D_HEADER_BYTES = 32 };

/* Versions: C3D_OVERLAID has flags of the overlay as its last slice, and is else the same. */
enum { C3D_PLAIN = 4, C3D_OVERLAID = 5 };

/* A stream whose checksums hold; slices and flags point into it. flags: of C3D_OVERLAID. */
typedef struct {
    c3d_stream_info info;
    unsigned version;
    uint32_t latents_crc;
    c3d_arith_slice flags;
    size_t count;
    c3d_arith_slice slices[C3D_ARITH_MAX_SLICES];
} c3d_stream;

/* Checks 1 to 15 of the format, in their order. */
c3d_status c3d_stream_parse(const uint8_t *data, size_t size, c3d_stream *stream,
                            c3d_error *error);

/* Writes the header in front of a block of `block_bytes`, whose limit is checked: INTERNAL. */
c3d_status c3d_stream_head(unsigned version, const c3d_stream_info *info, size_t block_bytes,
                           uint32_t latents_crc, uint8_t head[C3D_HEADER_BYTES],
                           c3d_error *error);

#endif
