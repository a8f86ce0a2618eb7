/* The bundle reader: verified bytes in, a description of a codec out. The checks and their order
 * are those of c3d_export.runtime.bundle. */
#ifndef C3D_BUNDLE_H
#define C3D_BUNDLE_H

#include "archive.h"
#include "fail.h"
#include "graphlists.h"
#include "json.h"
#include "native_passes.h"

/* The arrays of a bundle, in the order in which they are looked at. */
typedef enum {
    C3D_STEP,    /* (qualities, latents) int32 */
    C3D_OFFSET,  /* (qualities, latents) int16 */
    C3D_PLANE,   /* (qualities, planes) uint8 */
    C3D_Z_INDEX, /* (qualities, hyper) uint8 */
    C3D_ROUNDING,
    C3D_LINEAR_SCALE,
    C3D_LINEAR_BIAS,
    C3D_HEAD_SCALE,
    C3D_HEAD_BIAS,
    C3D_PIXELS_SCALE,
    C3D_PIXELS_BIAS,
    C3D_FREQUENCIES,
    C3D_SHAPES, /* (64, 4) uint16 */
    /* All of the following or none: N tiles that the application draws at one place in every
     * frame (native_overlay.h). */
    C3D_OVERLAY_FRAME,   /* (1, 2) uint16: height and width of the frames that have it */
    C3D_OVERLAY_PLACE,   /* (N, 2) uint16: row and column, in tiles */
    C3D_OVERLAY_GROUP,   /* (N) uint16 */
    C3D_OVERLAY_MASK,    /* (N, 32) uint8: a bit for each pixel that is touched */
    C3D_OVERLAY_TABLE,   /* (N, 4) uint8: the table of each plane */
    C3D_OVERLAY_PAYLOAD, /* uint8: the planes of all tiles, entropy coded */
    C3D_OVERLAY_LIMIT,   /* (qualities) uint16: error with which a frame still shows it */
    C3D_ARRAYS
} c3d_array_name;

/* A copy of an array's elements, aligned; rank 1 has one column. Without data where the bundle has
 * no overlay. */
typedef struct {
    void *data;
    size_t rows, columns;
} c3d_array;

enum { C3D_FRAME_ANSWERS = 3 };

/* Checksums that a host must come to. Numbers beyond 32 bits are what no checksum is. */
typedef struct {
    int64_t outputs[C3D_GRAPHS][C3D_MOST_OUTPUTS]; /* in the order of the ports */
    struct {
        unsigned quality;
        int64_t payload, frame;
    } frames[C3D_FRAME_ANSWERS];
    size_t frame_count;
} c3d_answers;

typedef struct {
    uint8_t id[C3D_ID_BYTES];
    unsigned qualities;
    size_t latents, base, hyper;
    size_t features, planes; /* as the manifest says, which only running the graphs can confirm */
    c3d_array arrays[C3D_ARRAYS];
    c3d_answers answers;
    struct {
        uint8_t *data;
        size_t size;
    } graphs[C3D_GRAPHS]; /* whole models of the flavour */
} c3d_bundle;

/* Checks everything and keeps the graphs of one flavour. Errors: the BUNDLE_ ones, MEMORY. What was
 * taken stays in *bundle, also on failure: free it with c3d_bundle_free. */
c3d_status c3d_bundle_read(const uint8_t *data, size_t size, c3d_flavour flavour,
                           c3d_bundle *bundle, c3d_error *error);

void c3d_bundle_free(c3d_bundle *bundle);

/* Frees the models, once there are sessions of them. */
void c3d_bundle_free_graphs(c3d_bundle *bundle);

/* Reads all arrays; BUNDLE_MEMBER, MEMORY. */
c3d_status c3d_arrays_read(const c3d_archive *archive, c3d_array *arrays, c3d_error *error);

/* Their shapes, and what passes and coder index or convert without looking; BUNDLE_MEMBER. */
c3d_status c3d_arrays_check(const c3d_bundle *bundle, c3d_error *error);

/* The known answers of a manifest: every output of every graph, frames at three qualities, each
 * once; BUNDLE_MANIFEST. */
c3d_status c3d_answers_read(const c3d_json *manifest, c3d_bundle *bundle, c3d_error *error);

#endif
