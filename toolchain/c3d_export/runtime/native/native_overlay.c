/* Overlays: which are there, out of the frame and back into it. */
#include <stdlib.h>
#include <string.h>

#include "native_overlay.h"

/* Below HARD 256ths what shows of the picture is too little to be worth its bytes: it is filled.
 * FAR: one pixel that differs more, and it is another picture, however few such pixels there are:
 * a digit must never turn into another. */
enum { HARD = 116, FAR = 40 };

static inline int kept_of(uint8_t keep) { return keep + (keep >> 7); }

static uint8_t *tile_in(const c3d_overlay *o, size_t tile, const uint8_t *frame)
{
    const size_t y = (size_t)o->place[2 * tile] * C3D_TILE;
    const size_t x = (size_t)o->place[2 * tile + 1] * C3D_TILE;
    return (uint8_t *)(uintptr_t)(frame + (y * o->width + x) * 3);
}

int c3d_overlay_fits(const c3d_overlay *o)
{
    size_t next = 0;
    for (size_t i = 0; i < o->tiles; i++) {
        if (o->place[2 * i] >= o->height / C3D_TILE || o->place[2 * i + 1] >= o->width / C3D_TILE)
            return 0;
        if (o->group[i] == next)
            next++;
        else if (o->group[i] + (size_t)1 != next)
            return 0;
    }
    return next == o->groups && next > 0;
}

/* Whether pixel i of a tile is touched. */
static inline int touched(const uint8_t *mask, size_t i) { return mask[i / 8] >> i % 8 & 1; }

/* What a touched pixel's plane is foretold as: the mean of the touched ones to the left and above,
 * the one that there is, else the last one, else `first`. */
static int foretold(const uint8_t *mask, const uint8_t *plane, size_t i, int last)
{
    const int left = i % C3D_TILE > 0 && touched(mask, i - 1);
    const int above = i >= C3D_TILE && touched(mask, i - C3D_TILE);
    if (left && above)
        return (plane[4 * (i - 1)] + plane[4 * (i - C3D_TILE)]) / 2;
    return left ? plane[4 * (i - 1)] : above ? plane[4 * (i - C3D_TILE)] : last;
}

/* One plane of one tile; the number of its symbols. */
static size_t read_plane(const uint8_t *mask, const int16_t *symbols, int last, uint8_t *plane)
{
    size_t n = 0;
    for (size_t i = 0; i < C3D_TILE_PIXELS; i++) {
        if (!touched(mask, i))
            continue;
        last = plane[4 * i] = (uint8_t)((foretold(mask, plane, i, last) + symbols[n++]) & 63);
    }
    return n;
}

static size_t count_touched(const uint8_t *mask)
{
    size_t n = 0;
    for (size_t i = 0; i < C3D_TILE_PIXELS; i++)
        n += (size_t)touched(mask, i);
    return n;
}

/* Six bits to eight: 0 stays 0, and 63 is 255. */
static inline uint8_t byte_of(int six) { return (uint8_t)(((six & 63) * 259 + 32) >> 6); }

static void read_tile(const uint8_t *mask, const int16_t *symbols, size_t n, uint8_t *pixels)
{
    read_plane(mask, symbols, 0, pixels + 3);
    read_plane(mask, symbols + n, 32, pixels + 1);
    read_plane(mask, symbols + 2 * n, 0, pixels);
    read_plane(mask, symbols + 3 * n, 0, pixels + 2);
    for (size_t i = 0; i < C3D_TILE_PIXELS; i++) {
        uint8_t *p = pixels + 4 * i;
        if (touched(mask, i)) {
            p[0] = byte_of(p[0] + p[1]);
            p[2] = byte_of(p[2] + p[1]);
            p[1] = byte_of(p[1]);
            p[3] = byte_of(p[3]);
        } else {
            memcpy(p, "\0\0\0\xff", 4);
        }
    }
}

int c3d_overlay_pixels(const uint8_t *mask, size_t tiles, const int16_t *symbols, size_t count,
                       uint8_t *pixels)
{
    for (size_t t = 0; t < tiles; t++, mask += C3D_TILE_PIXELS / 8, pixels += C3D_TILE_BYTES) {
        const size_t n = count_touched(mask);
        if (4 * n > count)
            return 0;
        read_tile(mask, symbols, n, pixels);
        symbols += 4 * n;
        count -= 4 * n;
    }
    return count == 0;
}

/* How far a value is from those that this pixel can have. */
static inline int apart(int value, int colour, int kept)
{
    const int most = colour + ((255 * kept + 128) >> 8);
    return value < colour ? colour - value : value > most ? value - most : 0;
}

/* Whether a tile of a frame is what the overlay has there. */
static int matches(const uint8_t *frame, size_t width, const uint8_t *pixels, uint32_t limit)
{
    uint64_t error = 0, count = 0;
    for (size_t i = 0; i < C3D_TILE_PIXELS; i++) {
        const uint8_t *p = pixels + 4 * i, *x = frame + (i / C3D_TILE * width + i % C3D_TILE) * 3;
        const int kept = kept_of(p[3]);
        if (kept == 256)
            continue;
        count += 3;
        for (int k = 0; k < 3; k++) {
            const int d = apart(x[k], p[k], kept);
            if (d > FAR)
                return 0;
            error += (uint64_t)(d * d);
        }
    }
    return error <= limit * count;
}

/* Where the group of tile `begin` ends. */
static size_t group_end(const c3d_overlay *o, size_t begin)
{
    size_t end = begin + 1;
    while (end < o->tiles && o->group[end] == o->group[begin])
        end++;
    return end;
}

static size_t count_set(const uint8_t *flags, size_t begin, size_t end)
{
    size_t n = 0;
    for (size_t i = begin; i < end; i++)
        n += flags[i];
    return n;
}

size_t c3d_overlay_choose(const c3d_overlay *o, const uint8_t *frame, uint32_t limit, uint8_t *used,
                          uint8_t *flags)
{
    const size_t columns = o->width / C3D_TILE;
    size_t chosen = 0, end;
    memset(used, 0, o->height / C3D_TILE * columns);
    for (size_t begin = 0; begin < o->tiles; begin = end) {
        end = group_end(o, begin);
        for (size_t i = begin; i < end; i++)
            flags[i] = !used[o->place[2 * i] * columns + o->place[2 * i + 1]] &&
                       matches(tile_in(o, i, frame), o->width, o->pixels + i * C3D_TILE_BYTES,
                               limit);
        const size_t n = count_set(flags, begin, end);
        if (2 * n < end - begin)
            memset(flags + begin, 0, end - begin);
        for (size_t i = begin; i < end; i++)
            used[o->place[2 * i] * columns + o->place[2 * i + 1]] |= flags[i];
        chosen += 2 * n < end - begin ? 0 : n;
    }
    return chosen;
}

size_t c3d_overlay_room(const c3d_overlay *o) { return (2 * o->groups + o->tiles + 7) / 8; }

static void put_bit(uint8_t *data, size_t *at, int bit)
{
    data[*at / 8] |= (uint8_t)(bit << *at % 8);
    ++*at;
}

size_t c3d_overlay_pack(const c3d_overlay *o, const uint8_t *flags, uint8_t *data)
{
    size_t at = 0, end;
    memset(data, 0, c3d_overlay_room(o));
    for (size_t begin = 0; begin < o->tiles; begin = end) {
        end = group_end(o, begin);
        const size_t n = count_set(flags, begin, end);
        put_bit(data, &at, n > 0);
        if (n > 0)
            put_bit(data, &at, n < end - begin);
        for (size_t i = begin; n > 0 && n < end - begin && i < end; i++)
            put_bit(data, &at, flags[i]);
    }
    return (at + 7) / 8;
}

typedef struct {
    const uint8_t *data;
    size_t at, size; /* in bits */
    int over;        /* whether more was asked for than there is */
} c3d_bits;

static uint8_t get_bit(c3d_bits *bits)
{
    if (bits->at >= bits->size) {
        bits->over = 1;
        return 0;
    }
    const uint8_t bit = bits->data[bits->at / 8] >> bits->at % 8 & 1;
    bits->at++;
    return bit;
}

int c3d_overlay_unpack(const c3d_overlay *o, const uint8_t *data, size_t size, uint8_t *flags)
{
    c3d_bits bits = {data, 0, size <= c3d_overlay_room(o) ? 8 * size : 0, 0};
    size_t end;
    for (size_t begin = 0; begin < o->tiles; begin = end) {
        end = group_end(o, begin);
        const uint8_t any = get_bit(&bits), part = any ? get_bit(&bits) : 0;
        for (size_t i = begin; i < end; i++)
            flags[i] = part ? get_bit(&bits) : any;
        const size_t n = count_set(flags, begin, end);
        if (bits.over || (part && (n == 0 || n == end - begin)))
            return 0;
    }
    while (bits.at % 8 != 0)
        if (get_bit(&bits))
            return 0;
    return bits.at == bits.size;
}

static inline uint8_t untinted(int value, int colour, int kept)
{
    const int below = value <= colour ? 0 : ((value - colour) * 256 + kept / 2) / kept;
    return (uint8_t)(below > 255 ? 255 : below);
}

static void lift_tile(const uint8_t *pixels, size_t width, uint8_t *frame, uint8_t *holes)
{
    for (size_t i = 0; i < C3D_TILE_PIXELS; i++) {
        const uint8_t *p = pixels + 4 * i;
        const size_t at = i / C3D_TILE * width + i % C3D_TILE;
        const int kept = kept_of(p[3]);
        if (kept < HARD)
            holes[at] = 1;
        else if (kept < 256)
            for (int k = 0; k < 3; k++)
                frame[3 * at + (size_t)k] = untinted(frame[3 * at + (size_t)k], p[k], kept);
    }
}

void c3d_overlay_lift(const c3d_overlay *o, const uint8_t *flags, uint8_t *frame, uint8_t *holes,
                      uint8_t *cells)
{
    memset(holes, 0, o->height * o->width);
    for (size_t i = 0; i < o->tiles; i++) {
        uint8_t *at = tile_in(o, i, frame);
        if (flags[i])
            lift_tile(o->pixels + i * C3D_TILE_BYTES, o->width, at, holes + (at - frame) / 3);
    }
    c3d_fill(frame, holes, o->height, o->width, cells);
}

/* What a pixel of a tile is over `below`. */
static inline uint8_t over(int colour, int kept, int below)
{
    const int value = colour + ((kept * below + 128) >> 8);
    return (uint8_t)(value > 255 ? 255 : value);
}

/* Whether what was filled in under a tint shows as what the frame has there. */
static int looks_alike(const uint8_t *pixels, size_t width, const uint8_t *frame,
                       const uint8_t *lifted)
{
    for (size_t i = 0; i < C3D_TILE_PIXELS; i++) {
        const uint8_t *p = pixels + 4 * i;
        const size_t at = (i / C3D_TILE * width + i % C3D_TILE) * 3;
        const int kept = kept_of(p[3]);
        for (size_t k = 0; k < 3 && kept > 0 && kept < HARD; k++)
            if (abs(frame[at + k] - over(p[k], kept, lifted[at + k])) > FAR)
                return 0;
    }
    return 1;
}

size_t c3d_overlay_check(const c3d_overlay *o, const uint8_t *frame, const uint8_t *lifted,
                         uint8_t *flags)
{
    size_t cleared = 0;
    for (size_t i = 0; i < o->tiles; i++) {
        const uint8_t *pixels = o->pixels + i * C3D_TILE_BYTES;
        if (!flags[i] ||
            looks_alike(pixels, o->width, tile_in(o, i, frame), tile_in(o, i, lifted)))
            continue;
        flags[i] = 0;
        cleared++;
    }
    return cleared;
}

static void paste_tile(const uint8_t *pixels, size_t width, uint8_t *frame)
{
    for (size_t i = 0; i < C3D_TILE_PIXELS; i++) {
        const uint8_t *p = pixels + 4 * i;
        uint8_t *x = frame + (i / C3D_TILE * width + i % C3D_TILE) * 3;
        for (int k = 0; k < 3; k++)
            x[k] = over(p[k], kept_of(p[3]), x[k]);
    }
}

void c3d_overlay_paste(const c3d_overlay *o, const uint8_t *flags, uint8_t *frame)
{
    for (size_t i = 0; i < o->tiles; i++)
        if (flags[i])
            paste_tile(o->pixels + i * C3D_TILE_BYTES, o->width, tile_in(o, i, frame));
}
