#include <string.h>

#include "codec.h"
#include "limits.h"

c3d_status c3d_hyper(c3d_codec *c, c3d_pass *p, c3d_error *error)
{
    const c3d_runtime *runtime = &c->shared->model.runtime;
    const c3d_geometry *g = &c->frame.geometry;
    c3d_pass_z_hat(p);
    C3D_TRY(c3d_runtime_run(runtime, C3D_H_S, &c->frame.bindings[C3D_H_S], error));
    c3d_pass_run(c->pool, p, c3d_pass_features);
    memset(c->frame.v, 128, g->rows * g->columns * c->shared->model.bundle.latents);
    return C3D_OK;
}

c3d_status c3d_context(c3d_codec *c, c3d_pass *p, c3d_step step, c3d_error *error)
{
    const c3d_graph graph = step == C3D_SECOND ? C3D_G_CP : C3D_G_EP;
    p->step = step;
    if (step == C3D_FIRST) /* the hyper-synthesis gives its mean and index */
        return C3D_OK;
    c3d_pass_run(c->pool, p, c3d_pass_known);
    return c3d_runtime_run(&c->shared->model.runtime, graph, &c->frame.bindings[graph], error);
}

uint32_t c3d_latents_checksum(const c3d_codec *c)
{
    const c3d_geometry *g = &c->frame.geometry;
    const c3d_part z = c3d_z_part(&c->shared->model, &c->frame);
    const uint32_t crc = c3d_arith_checksum(0, z.symbols, z.size);
    return c3d_arith_crc32c(crc, c->frame.v,
                            g->rows * g->columns * c->shared->model.bundle.latents);
}

/* pixels -> y, z */
static c3d_status analyse(c3d_codec *c, c3d_pass *p, c3d_error *error)
{
    const c3d_runtime *runtime = &c->shared->model.runtime;
    c3d_pass_run(c->pool, p, c3d_pass_unshuffle);
    C3D_TRY(c3d_runtime_run(runtime, C3D_G_A, &c->frame.bindings[C3D_G_A], error));
    c3d_pass_run(c->pool, p, c3d_pass_latents);
    c3d_pass_padding(p);
    C3D_TRY(c3d_runtime_run(runtime, C3D_H_A, &c->frame.bindings[C3D_H_A], error));
    c3d_pass_z(p);
    c3d_pass_z_index(p);
    return C3D_OK;
}

static c3d_status prepare(c3d_codec *c, c3d_error *error)
{
    const c3d_model *m = &c->shared->model;
    C3D_TRY(c3d_frame_prepare(m, &c->frame, C3D_HYPER, error));
    C3D_TRY(c3d_frame_prepare(m, &c->frame, C3D_LATENTS, error));
    return c3d_frame_prepare(m, &c->frame, C3D_ENCODER, error);
}

/* Frames whose rows have gaps are copied first, since the passes know none. */
static const uint8_t *without_gaps(c3d_codec *c, const uint8_t *rgb, size_t stride)
{
    const size_t row = c->frame.geometry.width * 3;
    if (stride == row)
        return rgb;
    for (size_t y = 0; y < c->frame.geometry.height; y++)
        memcpy(c->frame.pixels + y * row, rgb + y * stride, row);
    return c->frame.pixels;
}

static c3d_status encode(c3d_codec *c, const uint8_t *rgb, size_t stride, unsigned quality,
                         size_t *size, c3d_error *error)
{
    const c3d_geometry *g = &c->frame.geometry;
    c3d_stream_info info = {(uint32_t)g->width, (uint32_t)g->height, quality, {0}, 0};
    c3d_arith_slice flags;
    size_t block;
    C3D_TRY(prepare(c, error));
    const uint8_t *pixels = c3d_lift(c, without_gaps(c, rgb, stride), quality, &flags);
    c3d_pass pass = {&c->shared->model, &c->frame, quality - 1, C3D_FIRST, pixels, NULL};
    C3D_TRY(analyse(c, &pass, error));
    C3D_TRY(c3d_hyper(c, &pass, error));
    for (int step = C3D_FIRST; step < C3D_STEPS; step++) {
        C3D_TRY(c3d_context(c, &pass, (c3d_step)step, error));
        c3d_pass_run(c->pool, &pass, c3d_pass_quantize);
    }
    C3D_TRY(c3d_slices_encode(&c->shared->model, &c->frame, flags, c->pool, &c->work, &c->out,
                              &block, error));
    c3d_codec_id(c, info.id);
    *size = C3D_HEADER_BYTES + block;
    return c3d_stream_head(flags.length > 0 ? C3D_OVERLAID : C3D_PLAIN, &info, block,
                           c3d_latents_checksum(c), c->out.data, error);
}

static c3d_status check_frame(const c3d_codec *c, uint32_t width, uint32_t height, size_t stride,
                              unsigned quality, c3d_error *error)
{
    const unsigned qualities = c3d_codec_qualities(c);
    if (quality < 1 || quality > qualities)
        return c3d_fail(error, C3D_ERR_UNKNOWN_QUALITY,
                        "quality %u does not exist; this bundle has 1 to %u", quality, qualities);
    if (!c3d_size_fits(width, height))
        return c3d_fail(error, C3D_ERR_FRAME_SHAPE,
                        "a frame has %ux%u pixels, beyond the limits; cut it into smaller ones",
                        (unsigned)width, (unsigned)height);
    if (stride < (size_t)width * 3)
        return c3d_fail(error, C3D_ERR_FRAME_SHAPE,
                        "rows of %u pixels do not fit a stride of %zu bytes", (unsigned)width,
                        stride);
    return C3D_OK;
}

c3d_status c3d_codec_encode(c3d_codec *c, const uint8_t *rgb, uint32_t width, uint32_t height,
                            size_t stride, unsigned quality, const uint8_t **data, size_t *size,
                            c3d_error *error)
{
    if (error != NULL)
        error->message[0] = '\0';
    if (c == NULL || rgb == NULL || data == NULL || size == NULL)
        return c3d_fail(error, C3D_ERR_OPTION, "c3d_codec_encode was given a null pointer");
    *data = NULL;
    *size = 0;
    C3D_TRY(check_frame(c, width, height, stride, quality, error));
    c->frame.geometry = c3d_geometry_of(width, height);
    size_t written;
    C3D_TRY(encode(c, rgb, stride, quality, &written, error));
    *data = c->out.data;
    *size = written;
    return C3D_OK;
}
