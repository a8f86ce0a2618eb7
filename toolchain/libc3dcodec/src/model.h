/* All that the codecs of one bundle share; it does not change after it is made. */
#ifndef C3D_MODEL_H
#define C3D_MODEL_H

#include "bundle.h"
#include "c3d_arith.h"
#include "native_overlay.h"
#include "native_passes.h"
#include "runtime.h"

enum { C3D_MOST_RUNS = 6 };

typedef struct c3d_model c3d_model;
struct c3d_model {
    c3d_bundle bundle;
    c3d_runtime runtime;
    c3d_arith_tables *tables;
    float *reciprocal; /* (qualities, latents) of the quantiser steps */
    int32_t *factor;   /* (qualities, latents) activity of one unit of v, times 65536 */
    c3d_run runs[C3D_MOST_RUNS]; /* the copies of latents, besides v itself */
    size_t run_count;
    size_t fine;   /* latents, from the first on, that have copies */
    size_t spread; /* latents with all their copies */
    c3d_overlay overlay; /* no tiles: the bundle has none */
    uint8_t *tile_pixels;
    unsigned threads;
};

/* Makes everything but the sessions and the tables. Errors: those of c3d_bundle_read. What was made
 * stays in *model, also on failure: free it. */
c3d_status c3d_model_read(const uint8_t *data, size_t size, const c3d_options *options,
                          c3d_model *model, c3d_error *error);

/* Sessions and tables. Errors: those of c3d_runtime_open, BUNDLE_MEMBER, MEMORY. */
c3d_status c3d_model_start(const c3d_options *options, c3d_model *model, c3d_error *error);

void c3d_model_free(c3d_model *model);

/* Makes the overlay, if the bundle has one; needs the tables. Errors: BUNDLE_MEMBER, MEMORY. */
c3d_status c3d_model_start_overlay(c3d_model *model, c3d_error *error);

/* Whether frames of this size can have the bundle's overlay. */
int c3d_model_has_overlay(const c3d_model *model, size_t width, size_t height);

/* The row of an array of shape (qualities, columns). */
const void *c3d_model_row(const c3d_model *model, c3d_array_name name, size_t row,
                          size_t element_bytes);

#endif
