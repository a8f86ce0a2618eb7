/* A codec from the inside. */
#ifndef C3D_CODEC_INSIDE_H
#define C3D_CODEC_INSIDE_H

#include <stdatomic.h>

#include "frame.h"
#include "passes.h"
#include "pool.h"
#include "slices.h"

/* What the codecs of one bundle share, and how many they are. */
typedef struct {
    c3d_model model;
    atomic_uint users;
} c3d_shared;

struct c3d_codec {
    c3d_shared *shared;
    c3d_pool *pool;
    c3d_frame frame;
    c3d_buffer work, out;
    c3d_stream stream;
    c3d_slice_decoder slices;
    uint8_t *flags, *flag_bits; /* of the overlay's tiles: a byte each, and as a stream has them */
};

/* Networks and passes that both ways have. */
c3d_status c3d_hyper(c3d_codec *codec, c3d_pass *pass, c3d_error *error);
c3d_status c3d_context(c3d_codec *codec, c3d_pass *pass, c3d_step step, c3d_error *error);
uint32_t c3d_latents_checksum(const c3d_codec *codec);

/* Which tiles of the bundle's overlay a frame shows: the frame without them (`pixels` itself where
 * it shows none), and their flags, as a stream has them, or empty ones. */
const uint8_t *c3d_lift(c3d_codec *codec, const uint8_t *pixels, unsigned quality,
                        c3d_arith_slice *flags);

/* Reads the flags of the codec's stream, if it has some; STREAM_HEADER where they are not such of
 * the bundle's overlay. */
c3d_status c3d_flags_read(c3d_codec *codec, c3d_error *error);

/* Puts the tiles that the codec's stream flags into a picture of the frame's size. */
void c3d_paste(c3d_codec *codec, uint8_t *picture);

/* Runs the known answers. Errors: KNOWN_ANSWER, BUNDLE_FORMAT for graphs that do not run, MEMORY,
 * INTERNAL, LATENTS_CHECKSUM. */
c3d_status c3d_known_check(c3d_codec *codec, c3d_error *error);

#endif
