/* What a game draws over its pictures at the same place in every frame: its overlay, in tiles of
 * 16x16 pixels that are known to both sides. Plain C over caller's buffers, integers only, so that
 * every host chooses and shows the same.
 *
 * A pixel of a tile has a colour and `keep`, how much of the picture below it shows: kept =
 * keep + (keep >> 7) in 256ths, and the pixel is colour + (kept * below + 128) / 256. An untouched
 * one is (0, 0, 0, 255). A frame shows tiles of it: `flags` (tiles), 1 or 0. Tiles that come and go
 * together are a group, so that few bits tell which are shown.
 */
#ifndef C3D_NATIVE_OVERLAY_H
#define C3D_NATIVE_OVERLAY_H

#include <stddef.h>
#include <stdint.h>

#include "native_passes.h"

enum { C3D_TILE = C3D_BLOCK, C3D_TILE_PIXELS = C3D_TILE * C3D_TILE };
enum { C3D_TILE_BYTES = 4 * C3D_TILE_PIXELS };

typedef struct {
    size_t height, width;   /* of the frames that have it, >= 16 */
    size_t tiles, groups;   /* >= 1 */
    const uint16_t *place;  /* (tiles, 2): row and column of the tile, in tiles */
    const uint16_t *group;  /* (tiles), ascending from 0 to groups - 1 without gaps */
    const uint8_t *pixels;  /* (tiles, 256, 4): red, green, blue, keep */
} c3d_overlay;

/* Whether all tiles lie inside the frame, and groups are in order. The others rely on it. */
int c3d_overlay_fits(const c3d_overlay *overlay);

/*
 * The pixels of all tiles from their symbols. mask (tiles, 32): a bit for each pixel that is
 * touched, the first pixel in the lowest bit. symbols: of each tile four planes (keep, green, red
 * less green, blue less green), each with one symbol for each touched pixel: what its upper six
 * bits are more than foretold, modulo 64. `count` symbols in all; 0 where there are more or fewer.
 */
int c3d_overlay_pixels(const uint8_t *mask, size_t tiles, const int16_t *symbols, size_t count,
                       uint8_t *pixels);

/*
 * Which tiles are in this frame: those that match of groups half of whose tiles match. limit: mean
 * squared error, in grey levels, that is taken for the same picture. used: scratch, a byte for each
 * tile of the frame. Returns how many.
 */
size_t c3d_overlay_choose(const c3d_overlay *overlay, const uint8_t *frame, uint32_t limit,
                          uint8_t *used, uint8_t *flags);

/*
 * Flags as bits, the lowest of a byte first: for each group a bit, whether any tile is shown; if so
 * another, whether one is not; if so again one for each tile. The last byte is filled with zeros.
 * data: room for c3d_overlay_room bytes. Returns the bytes written.
 */
size_t c3d_overlay_pack(const c3d_overlay *overlay, const uint8_t *flags, uint8_t *data);
size_t c3d_overlay_room(const c3d_overlay *overlay);

/* And back; 0 for what c3d_overlay_pack does not write. */
int c3d_overlay_unpack(const c3d_overlay *overlay, const uint8_t *data, size_t size,
                       uint8_t *flags);

/* Takes the flagged tiles out of a frame, in place: what they hide is filled from around it, what
 * they tint is untinted. holes: scratch (height, width). cells: scratch of c3d_fill_bytes. */
void c3d_overlay_lift(const c3d_overlay *overlay, const uint8_t *flags, uint8_t *frame,
                      uint8_t *holes, uint8_t *cells);

/*
 * Clears the flags of tiles where something stood under a dark tint that was filled with something
 * else: what would be shown there is another picture. Returns how many; the frame must be lifted
 * anew if there are any.
 */
size_t c3d_overlay_check(const c3d_overlay *overlay, const uint8_t *frame, const uint8_t *lifted,
                         uint8_t *flags);

/* Puts them back. */
void c3d_overlay_paste(const c3d_overlay *overlay, const uint8_t *flags, uint8_t *frame);

/* Fills the pixels of a frame where holes (height, width) are 1 and not 0 smoothly from the others.
 * A side has 9 pixels or more. */
void c3d_fill(uint8_t *frame, const uint8_t *holes, size_t height, size_t width, uint8_t *cells);
size_t c3d_fill_bytes(size_t height, size_t width);

#endif
