/* The bundle's overlay out of a frame and back into it. */
#include <string.h>

#include "codec.h"

static int any_flag(const c3d_codec *c)
{
    return memchr(c->flags, 1, c->shared->model.overlay.tiles) != NULL;
}

/* The frame without the flagged tiles; flags that turn out wrong are cleared, see
 * c3d_overlay_check. */
static void lift(c3d_codec *c, const uint8_t *pixels)
{
    const c3d_overlay *o = &c->shared->model.overlay;
    c3d_frame *f = &c->frame;
    do {
        memcpy(f->lifted, pixels, o->width * o->height * 3);
        c3d_overlay_lift(o, c->flags, f->lifted, f->holes, f->cells);
    } while (c3d_overlay_check(o, pixels, f->lifted, c->flags) > 0 && any_flag(c));
}

const uint8_t *c3d_lift(c3d_codec *c, const uint8_t *pixels, unsigned quality,
                        c3d_arith_slice *flags)
{
    const c3d_model *m = &c->shared->model;
    const uint16_t *limit = m->bundle.arrays[C3D_OVERLAY_LIMIT].data;
    c3d_frame *f = &c->frame;
    *flags = (c3d_arith_slice){NULL, 0};
    if (!c3d_model_has_overlay(m, f->geometry.width, f->geometry.height) ||
        c3d_overlay_choose(&m->overlay, pixels, limit[quality - 1], f->used, c->flags) == 0)
        return pixels;
    lift(c, pixels);
    if (!any_flag(c))
        return pixels;
    *flags = (c3d_arith_slice){c->flag_bits,
                               c3d_overlay_pack(&m->overlay, c->flags, c->flag_bits)};
    return f->lifted;
}

c3d_status c3d_flags_read(c3d_codec *c, c3d_error *error)
{
    const c3d_model *m = &c->shared->model;
    const c3d_stream *s = &c->stream;
    if (s->version != C3D_OVERLAID)
        return C3D_OK;
    if (!c3d_model_has_overlay(m, s->info.width, s->info.height))
        return c3d_fail(error, C3D_ERR_STREAM_HEADER,
                        "the stream has an overlay, and the bundle none for frames of %ux%u",
                        (unsigned)s->info.width, (unsigned)s->info.height);
    if (!c3d_overlay_unpack(&m->overlay, s->flags.data, s->flags.length, c->flags))
        return c3d_fail(error, C3D_ERR_STREAM_HEADER,
                        "the stream's overlay is not the bundle's; no encoder writes this");
    return C3D_OK;
}

void c3d_paste(c3d_codec *c, uint8_t *picture)
{
    if (c->stream.version == C3D_OVERLAID)
        c3d_overlay_paste(&c->shared->model.overlay, c->flags, picture);
}
