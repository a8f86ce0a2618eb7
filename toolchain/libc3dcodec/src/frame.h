/* The arrays of one frame's way through the codec, kept from frame to frame.
 *
 * They come in groups, each one block of memory: what is not needed is not taken, and an array of
 * some megabytes that is new costs more than the pass that fills it. */
#ifndef C3D_FRAME_H
#define C3D_FRAME_H

#include "model.h"

/* Sizes of one frame's tensors: latents (rows, columns), hyper-latents a quarter of it. */
typedef struct {
    size_t width, height, rows, columns, hyper_rows, hyper_columns;
} c3d_geometry;

c3d_geometry c3d_geometry_of(uint32_t width, uint32_t height);

/* The coding steps; their numbers are the patterns of c3d_grid. */
typedef enum { C3D_FIRST, C3D_SECOND, C3D_OTHERS, C3D_STEPS } c3d_step;

/* The encoder's and the decoder's own arrays; those of both; the few that a decoder needs before it
 * knows that a payload is one. */
typedef enum { C3D_HYPER, C3D_LATENTS, C3D_ENCODER, C3D_DECODER, C3D_GROUPS } c3d_group;

typedef struct {
    c3d_geometry geometry;
    struct {
        c3d_geometry geometry; /* that it was made for */
        uint8_t *memory;
    } groups[C3D_GROUPS];
    c3d_binding bindings[C3D_GRAPHS];

    /* C3D_HYPER: (hyper rows, hyper columns, hyper) */
    int16_t *z;
    uint8_t *z_index, *z_hat; /* z_hat with planes */

    /* C3D_LATENTS: mean and index of the first step, and what features are cut from, lie on a grid
     * of multiples of 4; all else on that of the latents. */
    uint8_t *features, *features_padded, *v, *known;
    uint8_t *mean[C3D_STEPS], *index[C3D_STEPS];
    int16_t *symbols[C3D_STEPS];
    uint8_t *table[C3D_STEPS]; /* the table of each symbol */

    /* C3D_ENCODER; the last four where the frame can have the overlay, to take it out with */
    uint8_t *pixels, *patches, *blocks, *activity, *z_out;
    int32_t *linear_sum, *head_sum;
    float *y;
    uint8_t *used, *lifted, *holes, *cells;

    /* C3D_DECODER */
    int16_t *fine;
    uint8_t *seen, *spread, *correction, *picture;
    int32_t *pixels_sum;
} c3d_frame;

/* Makes a group fit a geometry, and the networks' tensors with it; MEMORY, RUNTIME. */
c3d_status c3d_frame_prepare(const c3d_model *model, c3d_frame *frame, c3d_group group,
                             c3d_error *error);

void c3d_frame_free(const c3d_model *model, c3d_frame *frame);

/* How many latents a step codes in so many rows. */
size_t c3d_step_symbols(const c3d_model *model, const c3d_geometry *geometry, c3d_step step,
                 size_t rows);

#endif
