/* The sums before and behind the products, compiled for each kind of processor; internal. */
#ifndef C3D_NATIVE_WINOGRAD_TILE_H
#define C3D_NATIVE_WINOGRAD_TILE_H

#include "native_convolution_tile.h"

enum { SPREAD = 32, SIDE = 4 }; /* channels at a time; most products in one direction */

/* v of one direction, `step` numbers apart. Unsigned: what wraps around is defined. */
C3D_INLINE void c3d_spread_line(size_t size, const uint16_t *restrict d, size_t step,
                                uint16_t *restrict v)
{
    if (size == SIDE)
        for (size_t c = 0; c < SPREAD; c++) {
            v[c] = (uint16_t)(d[c] - d[2 * step + c]);
            v[step + c] = (uint16_t)(d[step + c] + d[2 * step + c]);
            v[2 * step + c] = (uint16_t)(d[2 * step + c] - d[step + c]);
            v[3 * step + c] = (uint16_t)(d[step + c] - d[3 * step + c]);
        }
    else
        for (size_t c = 0; c < SPREAD; c++) {
            v[c] = (uint16_t)(d[c] - d[step + c]);
            v[step + c] = d[step + c];
            v[2 * step + c] = (uint16_t)(d[step + c] - d[2 * step + c]);
        }
}

/* A constant size is one vector. */
C3D_INLINE void c3d_copy_lanes(void *to, const void *from, size_t count)
{
    if (count == SPREAD)
        memcpy(to, from, SPREAD * sizeof(int16_t));
    else
        memcpy(to, from, count * sizeof(int16_t));
}

/* rows, columns and mostly count: constants. */
C3D_INLINE void c3d_spread_lanes(const size_t rows, const size_t columns, const size_t count,
                                 const int16_t *x, size_t x_row, size_t channels, int16_t *v)
{
    uint16_t d[SIDE][SIDE][SPREAD], t[SIDE][SIDE][SPREAD];
    if (count < SPREAD)
        memset(d, 0, sizeof d);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++)
            c3d_copy_lanes(d[r][c], x + r * x_row + c * channels, count);
        c3d_spread_line(columns, d[r][0], SPREAD, t[r][0]);
    }
    for (size_t c = 0; c < columns; c++) {
        c3d_spread_line(rows, t[0][c], SIDE * SPREAD, d[0][c]);
        for (size_t r = 0; r < rows; r++)
            c3d_copy_lanes(v + (r * columns + c) * channels, d[r][c], count);
    }
}

/* One tile. x: its upper left input; v: (products, channels). */
C3D_INLINE void c3d_winograd_spread(const c3d_winograd_shape *shape, const int16_t *x, size_t x_row,
                                    size_t channels, int16_t *v)
{
    const size_t rows = shape->rows, columns = shape->columns;
    for (size_t first = 0; first < channels; first += SPREAD, x += SPREAD, v += SPREAD) {
        const size_t left = channels - first;
        if (left < SPREAD)
            c3d_spread_lanes(rows, columns, left, x, x_row, channels, v);
        else if (rows == SIDE && columns == SIDE)
            c3d_spread_lanes(SIDE, SIDE, SPREAD, x, x_row, channels, v);
        else if (rows == SIDE)
            c3d_spread_lanes(SIDE, SIDE - 1, SPREAD, x, x_row, channels, v);
        else if (columns == SIDE)
            c3d_spread_lanes(SIDE - 1, SIDE, SPREAD, x, x_row, channels, v);
        else
            c3d_spread_lanes(SIDE - 1, SIDE - 1, SPREAD, x, x_row, channels, v);
    }
}

/* Twice y (3 taps) or y (2 taps) of one direction, of LANES outputs. m: `step` numbers apart. */
C3D_INLINE void c3d_gather_line(size_t size, const uint32_t *restrict m, size_t step,
                                uint32_t *restrict first, uint32_t *restrict second)
{
    if (size == SIDE)
        for (size_t o = 0; o < LANES; o++) {
            first[o] = 2 * m[o] + m[step + o] + m[2 * step + o];
            second[o] = m[step + o] - m[2 * step + o] - 2 * m[3 * step + o];
        }
    else
        for (size_t o = 0; o < LANES; o++) {
            first[o] = m[o] + m[step + o];
            second[o] = m[step + o] - m[2 * step + o];
        }
}

/* LANES outputs from number o on; rows, columns: constants. */
C3D_INLINE void c3d_gather_lanes(const size_t rows, const size_t columns, size_t place, size_t o,
                                 int32_t made[][PLACES][BLOCK], int32_t sums[4][BLOCK])
{
    const size_t step = PLACES * BLOCK;
    /* Exact: the bits that fall off are zero. Compilers shift signed numbers arithmetically. */
    const int shift = (rows == SIDE) + (columns == SIDE);
    uint32_t t[2][SIDE][LANES], y[4][LANES];
    for (size_t c = 0; c < columns; c++)
        c3d_gather_line(rows, (const uint32_t *)&made[c][place][o], columns * step, t[0][c],
                        t[1][c]);
    for (size_t r = 0; r < 2; r++)
        c3d_gather_line(columns, t[r][0], LANES, y[2 * r], y[2 * r + 1]);
    for (size_t i = 0; i < 4; i++)
        for (size_t l = 0; l < LANES; l++)
            sums[i][o + l] = (int32_t)y[i][l] >> shift;
}

/* Sums of the four outputs of a tile, by rows. made: products, of which this is number `place`. */
C3D_INLINE void c3d_winograd_gather(const c3d_winograd_shape *shape, size_t place, size_t groups,
                                    int32_t made[][PLACES][BLOCK], int32_t sums[4][BLOCK])
{
    const int tall = shape->rows == SIDE, wide = shape->columns == SIDE;
    for (size_t o = 0; o < groups * LANES; o += LANES) {
        if (tall && wide)
            c3d_gather_lanes(SIDE, SIDE, place, o, made, sums);
        else if (tall)
            c3d_gather_lanes(SIDE, SIDE - 1, place, o, made, sums);
        else if (wide)
            c3d_gather_lanes(SIDE - 1, SIDE, place, o, made, sums);
        else
            c3d_gather_lanes(SIDE - 1, SIDE - 1, place, o, made, sums);
    }
}

#endif
