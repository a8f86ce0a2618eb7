/* The overlay of a bundle: its tiles as pixels, which a frame's passes can use as they stand. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { MASK_BYTES = C3D_TILE_PIXELS / 8, TILE_PLANES = 4 };

/* The symbols of all planes and the table of each, in one block of memory. */
typedef struct {
    size_t count;
    int16_t *symbols;
    uint8_t *indexes;
} planes;

static size_t count_touched(const uint8_t *mask)
{
    size_t count = 0;
    for (size_t i = 0; i < MASK_BYTES; i++)
        for (unsigned bits = mask[i]; bits != 0; bits &= bits - 1)
            count++;
    return count;
}

static void put_indexes(const c3d_bundle *b, uint8_t *to)
{
    const uint8_t *mask = b->arrays[C3D_OVERLAY_MASK].data;
    const uint8_t *table = b->arrays[C3D_OVERLAY_TABLE].data;
    const size_t tiles = b->arrays[C3D_OVERLAY_MASK].rows;
    for (size_t i = 0; i < tiles; i++) {
        const size_t count = count_touched(mask + i * MASK_BYTES);
        for (size_t k = 0; k < TILE_PLANES; k++, to += count)
            memset(to, table[i * TILE_PLANES + k], count);
    }
}

static c3d_status make_room(const c3d_bundle *b, planes *p, c3d_error *error)
{
    const uint8_t *mask = b->arrays[C3D_OVERLAY_MASK].data;
    const size_t tiles = b->arrays[C3D_OVERLAY_MASK].rows;
    *p = (planes){0, NULL, NULL};
    for (size_t i = 0; i < tiles; i++)
        p->count += TILE_PLANES * count_touched(mask + i * MASK_BYTES);
    /* One more: there may be no symbol at all, and null means that memory ran out. */
    p->symbols = malloc((p->count + 1) * (sizeof *p->symbols + 1));
    if (p->symbols == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for the overlay; free some");
    p->indexes = (uint8_t *)(p->symbols + p->count + 1);
    return C3D_OK;
}

static c3d_status expand(c3d_model *m, const planes *p, c3d_error *error)
{
    const c3d_array *payload = &m->bundle.arrays[C3D_OVERLAY_PAYLOAD];
    const size_t tiles = m->bundle.arrays[C3D_OVERLAY_MASK].rows;
    const c3d_arith_status status = c3d_arith_decode(m->tables, payload->data, payload->rows,
                                                     p->indexes, NULL, p->symbols, p->count, NULL);
    if (status != C3D_ARITH_OK)
        return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER, "the bundle's overlay does not decode: %s",
                        c3d_arith_status_text(status));
    m->tile_pixels = malloc(tiles * C3D_TILE_BYTES);
    if (m->tile_pixels == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for the overlay; free some");
    if (!c3d_overlay_pixels(m->bundle.arrays[C3D_OVERLAY_MASK].data, tiles, p->symbols, p->count,
                            m->tile_pixels))
        return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER, "the overlay's symbols do not fit its mask");
    return C3D_OK;
}

c3d_status c3d_model_start_overlay(c3d_model *m, c3d_error *error)
{
    const c3d_array *arrays = m->bundle.arrays;
    const uint16_t *sides = arrays[C3D_OVERLAY_FRAME].data;
    planes p;
    if (sides == NULL)
        return C3D_OK;
    const size_t tiles = arrays[C3D_OVERLAY_PLACE].rows;
    const uint16_t *group = arrays[C3D_OVERLAY_GROUP].data;
    C3D_TRY(make_room(&m->bundle, &p, error));
    put_indexes(&m->bundle, p.indexes);
    const c3d_status status = expand(m, &p, error);
    free(p.symbols);
    C3D_TRY(status);
    m->overlay = (c3d_overlay){sides[0], sides[1], tiles, (size_t)group[tiles - 1] + 1,
                               arrays[C3D_OVERLAY_PLACE].data, group, m->tile_pixels};
    if (!c3d_overlay_fits(&m->overlay))
        return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER,
                        "tiles of the overlay lie outside the frame, or groups are in disorder");
    return C3D_OK;
}

int c3d_model_has_overlay(const c3d_model *m, size_t width, size_t height)
{
    return m->overlay.tiles > 0 && m->overlay.width == width && m->overlay.height == height;
}
