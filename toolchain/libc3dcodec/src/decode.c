#include <string.h>

#include "codec.h"

/* The checks of the format that need the bundle. */
static c3d_status check_bundle(c3d_codec *c, c3d_error *error)
{
    const c3d_stream_info *info = &c->stream.info;
    const c3d_bundle *b = &c->shared->model.bundle;
    if (memcmp(info->id, b->id, C3D_ID_BYTES) != 0)
        return c3d_fail(error, C3D_ERR_STREAM_FOREIGN,
                        "the stream was made by bundle %02x%02x%02x%02x%02x%02x%02x%02x; decode it"
                        " with the bundle that made it", info->id[0], info->id[1], info->id[2],
                        info->id[3], info->id[4], info->id[5], info->id[6], info->id[7]);
    if (info->quality > b->qualities)
        return c3d_fail(error, C3D_ERR_STREAM_HEADER,
                        "the stream has rate point %u, and the bundle 1 to %u", info->quality,
                        b->qualities);
    return c3d_flags_read(c, error);
}

static c3d_status check_room(const c3d_stream_info *info, size_t capacity, size_t stride,
                             c3d_error *error)
{
    const size_t row = (size_t)info->width * 3, gaps = info->height - 1;
    if (stride < row)
        return c3d_fail(error, C3D_ERR_FRAME_SHAPE,
                        "rows of %u pixels do not fit a stride of %zu bytes",
                        (unsigned)info->width, stride);
    if (capacity < row || (gaps > 0 && stride > (capacity - row) / gaps))
        return c3d_fail(error, C3D_ERR_CAPACITY,
                        "a frame of %ux%u pixels does not fit %zu bytes; c3d_peek tells its size",
                        (unsigned)info->width, (unsigned)info->height, capacity);
    return C3D_OK;
}

/* The slices' z, before anything large is taken: a few bytes may claim the largest frame. */
static c3d_status decode_z(c3d_codec *c, c3d_pass *p, c3d_error *error)
{
    const c3d_model *m = &c->shared->model;
    C3D_TRY(c3d_slices_begin(&c->slices, &c->stream, m->tables, c->pool, error));
    C3D_TRY(c3d_frame_prepare(m, &c->frame, C3D_HYPER, error));
    const c3d_part z = c3d_z_part(m, &c->frame);
    c3d_pass_z_index(p);
    C3D_TRY(c3d_slices_pull(&c->slices, &z, error));
    for (size_t i = 0; i < z.size; i++)
        if (z.symbols[i] < -128 || z.symbols[i] > 127)
            return c3d_fail(error, C3D_ERR_LATENTS_CHECKSUM,
                            "a hyper-latent of the stream is out of range; run c3d-export doctor");
    return C3D_OK;
}

static c3d_status decode_latents(c3d_codec *c, c3d_pass *p, c3d_error *error)
{
    const c3d_model *m = &c->shared->model;
    C3D_TRY(decode_z(c, p, error));
    C3D_TRY(c3d_frame_prepare(m, &c->frame, C3D_LATENTS, error));
    C3D_TRY(c3d_frame_prepare(m, &c->frame, C3D_DECODER, error));
    C3D_TRY(c3d_hyper(c, p, error));
    for (int step = C3D_FIRST; step < C3D_STEPS; step++) {
        C3D_TRY(c3d_context(c, p, (c3d_step)step, error));
        c3d_pass_run(c->pool, p, c3d_pass_indexes);
        const c3d_part part = c3d_step_part(m, &c->frame, (c3d_step)step);
        C3D_TRY(c3d_slices_pull(&c->slices, &part, error));
        c3d_pass_run(c->pool, p, c3d_pass_dequantize);
    }
    C3D_TRY(c3d_slices_finish(&c->slices, error));
    if (c3d_latents_checksum(c) != c->stream.latents_crc)
        return c3d_fail(error, C3D_ERR_LATENTS_CHECKSUM,
                        "the decoded latents differ from the encoded ones: this host computes other"
                        " numbers; run c3d-export doctor");
    return C3D_OK;
}

static c3d_status synthesise(c3d_codec *c, c3d_pass *p, uint8_t *rgb, size_t stride,
                             c3d_error *error)
{
    const size_t row = c->frame.geometry.width * 3;
    c3d_pass_run(c->pool, p, c3d_pass_spread);
    C3D_TRY(c3d_runtime_run(&c->shared->model.runtime, C3D_G_S, &c->frame.bindings[C3D_G_S],
                            error));
    p->picture = stride == row ? rgb : c->frame.picture;
    c3d_pass_run(c->pool, p, c3d_pass_shuffle);
    c3d_paste(c, p->picture);
    for (size_t y = 0; stride != row && y < c->frame.geometry.height; y++)
        memcpy(rgb + y * stride, c->frame.picture + y * row, row);
    return C3D_OK;
}

c3d_status c3d_codec_decode(c3d_codec *c, const void *data, size_t size, uint8_t *rgb,
                            size_t capacity, size_t stride, c3d_error *error)
{
    if (error != NULL)
        error->message[0] = '\0';
    if (c == NULL || rgb == NULL || (data == NULL && size > 0))
        return c3d_fail(error, C3D_ERR_OPTION, "c3d_codec_decode was given a null pointer");
    C3D_TRY(c3d_stream_parse(data, size, &c->stream, error));
    C3D_TRY(check_bundle(c, error));
    C3D_TRY(check_room(&c->stream.info, capacity, stride, error));
    c->frame.geometry = c3d_geometry_of(c->stream.info.width, c->stream.info.height);
    c3d_pass pass = {&c->shared->model, &c->frame, c->stream.info.quality - 1, C3D_FIRST, NULL,
                     NULL};
    C3D_TRY(decode_latents(c, &pass, error));
    return synthesise(c, &pass, rgb, stride, error);
}
