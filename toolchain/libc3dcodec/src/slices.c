#include "slices.h"

#include <stdlib.h>

/* A slice has at least so many places of the latents' grid; an encoder makes eight at most. */
enum { POSITIONS = 1800, MOST = 8, PARTS = 4 };

c3d_part c3d_z_part(const c3d_model *m, const c3d_frame *f)
{
    const c3d_geometry *g = &f->geometry;
    return (c3d_part){f->z, f->z_index, g->hyper_rows * g->hyper_columns * m->bundle.hyper,
                      g->hyper_rows};
}

c3d_part c3d_step_part(const c3d_model *m, const c3d_frame *f, c3d_step step)
{
    const c3d_geometry *g = &f->geometry;
    return (c3d_part){f->symbols[step], f->table[step], c3d_step_symbols(m, g, step, g->rows),
                      g->rows};
}

/* Where slice s of an array begins. */
static size_t border(const c3d_part *part, size_t s, size_t count)
{
    return part->rows * s / count * (part->size / part->rows);
}

static c3d_arith_part cut(const c3d_arith_tables *tables, const c3d_part *part, size_t s,
                          size_t count)
{
    const size_t begin = border(part, s, count), end = border(part, s + 1, count);
    return (c3d_arith_part){tables, part->symbols + begin, NULL, part->indexes + begin,
                            end - begin};
}

static c3d_status reserve(c3d_buffer *buffer, size_t size, c3d_error *error)
{
    if (size <= buffer->size)
        return C3D_OK;
    free(buffer->data);
    *buffer = (c3d_buffer){malloc(size), size};
    if (buffer->data != NULL)
        return C3D_OK;
    buffer->size = 0;
    return c3d_fail(error, C3D_ERR_MEMORY, "no memory for a stream; free some");
}

typedef struct {
    const c3d_arith_tables *tables;
    c3d_part parts[PARTS];
    size_t count;
    uint8_t *room[MOST];
    size_t capacity[MOST];
    c3d_arith_slice slices[MOST + 1]; /* with the flags */
    c3d_arith_status statuses[MOST];
} encoding;

static void cut_parts(const encoding *e, size_t s, c3d_arith_part parts[PARTS])
{
    for (size_t i = 0; i < PARTS; i++)
        parts[i] = cut(e->tables, &e->parts[i], s, e->count);
}

static void encode_slice(void *context, size_t s)
{
    encoding *e = context;
    c3d_arith_part parts[PARTS];
    cut_parts(e, s, parts);
    e->slices[s].data = e->room[s];
    e->statuses[s] = c3d_arith_encode(parts, PARTS, 0, e->room[s], e->capacity[s],
                                      &e->slices[s].length);
}

/* Room for the longest payload of each slice. */
static c3d_status make_room(encoding *e, c3d_buffer *work, c3d_error *error)
{
    size_t total = 0;
    for (size_t s = 0; s < e->count; s++) {
        c3d_arith_part parts[PARTS];
        size_t n = 0;
        cut_parts(e, s, parts);
        for (size_t i = 0; i < PARTS; i++)
            n += parts[i].n;
        e->capacity[s] = c3d_arith_bound(n);
        total += e->capacity[s];
    }
    C3D_TRY(reserve(work, total, error));
    uint8_t *at = work->data;
    for (size_t s = 0; s < e->count; s++) {
        e->room[s] = at;
        at += e->capacity[s];
    }
    return C3D_OK;
}

static c3d_status join(encoding *e, c3d_arith_slice flags, c3d_buffer *out, size_t *block_bytes,
                       c3d_error *error)
{
    const size_t count = flags.length > 0 ? e->count + 1 : e->count;
    e->slices[e->count] = flags;
    const size_t block = c3d_arith_slices_bound(e->slices, count);
    C3D_TRY(reserve(out, C3D_HEADER_BYTES + block, error));
    if (c3d_arith_slices_join(e->slices, count, out->data + C3D_HEADER_BYTES, block,
                              block_bytes) != C3D_ARITH_OK)
        return c3d_fail(error, C3D_ERR_INTERNAL, "the slices cannot be joined");
    return C3D_OK;
}

c3d_status c3d_slices_encode(const c3d_model *m, const c3d_frame *f, c3d_arith_slice flags,
                             c3d_pool *pool, c3d_buffer *work, c3d_buffer *out,
                             size_t *block_bytes, c3d_error *error)
{
    const size_t slices = f->geometry.rows * f->geometry.columns / POSITIONS;
    encoding e = {.tables = m->tables, .parts = {c3d_z_part(m, f)}};
    e.count = slices < 1 ? 1 : slices > MOST ? MOST : slices;
    for (int step = C3D_FIRST; step < C3D_STEPS; step++)
        e.parts[1 + step] = c3d_step_part(m, f, (c3d_step)step);
    C3D_TRY(make_room(&e, work, error));
    c3d_pool_run(pool, encode_slice, &e, e.count);
    for (size_t s = 0; s < e.count; s++)
        if (e.statuses[s] != C3D_ARITH_OK)
            return c3d_fail(error, C3D_ERR_INTERNAL, "the frame cannot be coded: %s",
                            c3d_arith_status_text(e.statuses[s]));
    return join(&e, flags, out, block_bytes, error);
}

static c3d_status undecodable(c3d_arith_status status, c3d_error *error)
{
    return c3d_fail(error, C3D_ERR_LATENTS_CHECKSUM,
                    "the stream does not decode on this host (%s); run c3d-export doctor",
                    c3d_arith_status_text(status));
}

c3d_status c3d_slices_begin(c3d_slice_decoder *d, const c3d_stream *stream,
                            const c3d_arith_tables *tables, c3d_pool *pool, c3d_error *error)
{
    d->tables = tables;
    d->pool = pool;
    d->count = stream->count;
    for (size_t s = 0; s < d->count; s++) {
        const c3d_arith_status status = c3d_arith_decoder_init(
            &d->decoders[s], stream->slices[s].data, stream->slices[s].length);
        if (status != C3D_ARITH_OK)
            return undecodable(status, error);
    }
    return C3D_OK;
}

static void pull_slice(void *context, size_t s)
{
    c3d_slice_decoder *d = context;
    const size_t begin = border(&d->part, s, d->count), end = border(&d->part, s + 1, d->count);
    d->statuses[s] = c3d_arith_decoder_pull(&d->decoders[s], d->tables, d->part.indexes + begin,
                                            NULL, d->part.symbols + begin, end - begin, NULL);
}

c3d_status c3d_slices_pull(c3d_slice_decoder *d, const c3d_part *part, c3d_error *error)
{
    d->part = *part;
    c3d_pool_run(d->pool, pull_slice, d, d->count);
    for (size_t s = 0; s < d->count; s++)
        if (d->statuses[s] != C3D_ARITH_OK)
            return undecodable(d->statuses[s], error);
    return C3D_OK;
}

c3d_status c3d_slices_finish(const c3d_slice_decoder *d, c3d_error *error)
{
    for (size_t s = 0; s < d->count; s++) {
        const c3d_arith_status status = c3d_arith_decoder_finish(&d->decoders[s]);
        if (status != C3D_ARITH_OK)
            return undecodable(status, error);
    }
    return C3D_OK;
}
