/* Filling holes smoothly: means of what is known, level by level up to one cell, and down again
 * (pull-push, Gortler et al. 1996). Up to cells of one tile only tiles with holes and the eight
 * around each are looked at, since a frame has few. */
#include <string.h>

#include "native_overlay.h"

enum { CELL = 4, TILE_LEVEL = 4, MOST_LEVELS = 20 };

/* Cells of 2^level pixels a side: red, green, blue, and whether it is known. Of level 0 the cells
 * are the pixels of the frame, and `holes` says which are unknown. */
typedef struct {
    uint8_t *cells;
    size_t rows, columns;
} c3d_level;

typedef struct {
    c3d_level levels[MOST_LEVELS];
    size_t count;
    uint8_t *frame, *active; /* active: tiles that are looked at */
    const uint8_t *holes;
} c3d_pyramid;

static size_t half(size_t n) { return (n + 1) / 2; }

static size_t tile_count(size_t height, size_t width)
{
    return ((height + C3D_TILE - 1) / C3D_TILE) * ((width + C3D_TILE - 1) / C3D_TILE);
}

size_t c3d_fill_bytes(size_t height, size_t width)
{
    size_t total = tile_count(height, width);
    while (height > 1 || width > 1) {
        height = half(height);
        width = half(width);
        total += height * width * CELL;
    }
    return total;
}

static c3d_pyramid make_pyramid(uint8_t *frame, const uint8_t *holes, size_t height, size_t width,
                                uint8_t *cells)
{
    c3d_pyramid p = {.count = 1, .frame = frame, .active = cells, .holes = holes};
    uint8_t *next = cells + tile_count(height, width);
    p.levels[0] = (c3d_level){frame, height, width};
    memset(cells, 0, c3d_fill_bytes(height, width));
    for (; height > 1 || width > 1; p.count++) {
        height = half(height);
        width = half(width);
        p.levels[p.count] = (c3d_level){next, height, width};
        next += height * width * CELL;
    }
    return p;
}

static int has_hole(const c3d_pyramid *p, size_t row, size_t column)
{
    const size_t height = p->levels[0].rows, width = p->levels[0].columns;
    for (size_t y = row * C3D_TILE; y < (row + 1) * C3D_TILE && y < height; y++) {
        const size_t x = column * C3D_TILE, rest = width - x;
        if (memchr(p->holes + y * width + x, 1, rest < C3D_TILE ? rest : C3D_TILE) != NULL)
            return 1;
    }
    return 0;
}

static void mark_around(c3d_pyramid *p, size_t row, size_t column, size_t rows, size_t columns)
{
    for (size_t y = row > 0 ? row - 1 : 0; y <= row + 1 && y < rows; y++)
        for (size_t x = column > 0 ? column - 1 : 0; x <= column + 1 && x < columns; x++)
            p->active[y * columns + x] = 1;
}

/* The part of a level that one step of work looks at. */
typedef struct {
    size_t top, bottom, left, right;
} c3d_area;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static c3d_area tile_area(const c3d_level *l, size_t level, size_t row, size_t column)
{
    const size_t side = (size_t)C3D_TILE >> level;
    return (c3d_area){row * side, least((row + 1) * side, l->rows), column * side,
                      least((column + 1) * side, l->columns)};
}

static const uint8_t *known_cell(const c3d_pyramid *p, size_t level, size_t y, size_t x)
{
    const c3d_level *l = &p->levels[level];
    if (y >= l->rows || x >= l->columns)
        return NULL;
    if (level == 0)
        return p->holes[y * l->columns + x] ? NULL : p->frame + (y * l->columns + x) * 3;
    const uint8_t *cell = l->cells + (y * l->columns + x) * CELL;
    return cell[3] ? cell : NULL;
}

static void pull_cell(const c3d_pyramid *p, size_t level, size_t y, size_t x, uint8_t *out)
{
    unsigned sums[3] = {0, 0, 0}, count = 0;
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *child = known_cell(p, level - 1, 2 * y + i / 2, 2 * x + i % 2);
        if (child == NULL)
            continue;
        count++;
        for (int k = 0; k < 3; k++)
            sums[k] += child[k];
    }
    for (int k = 0; k < 3 && count > 0; k++)
        out[k] = (uint8_t)((sums[k] + count / 2) / count);
    out[3] = count > 0;
}

static void pull(const c3d_pyramid *p, size_t level, c3d_area a)
{
    const c3d_level *l = &p->levels[level];
    for (size_t y = a.top; y < a.bottom; y++)
        for (size_t x = a.left; x < a.right; x++)
            pull_cell(p, level, y, x, l->cells + (y * l->columns + x) * CELL);
}

/* The neighbour of a cell's parent on the side where the cell lies in it, or the parent itself at
 * the edge. */
static size_t beside(size_t child, size_t count)
{
    const size_t parent = child / 2;
    if (child % 2 == 1)
        return parent + 1 < count ? parent + 1 : parent;
    return parent > 0 ? parent - 1 : 0;
}

static void push_cell(const c3d_level *up, size_t y, size_t x, uint8_t *out)
{
    const uint8_t *rows[2] = {up->cells + y / 2 * up->columns * CELL,
                              up->cells + beside(y, up->rows) * up->columns * CELL};
    const size_t near = x / 2 * CELL, far = beside(x, up->columns) * CELL;
    for (size_t k = 0; k < 3; k++)
        out[k] = (uint8_t)((9 * rows[0][near + k] + 3 * rows[0][far + k] + 3 * rows[1][near + k] +
                            rows[1][far + k] + 8) >> 4);
}

static void push(const c3d_pyramid *p, size_t level, c3d_area a)
{
    const c3d_level *l = &p->levels[level], *up = l + 1;
    for (size_t y = a.top; y < a.bottom; y++) {
        for (size_t x = a.left; x < a.right; x++) {
            const size_t at = y * l->columns + x;
            uint8_t *cell = l->cells + at * (level == 0 ? 3 : CELL);
            if (known_cell(p, level, y, x) != NULL)
                continue;
            push_cell(up, y, x, cell);
            if (level > 0)
                cell[3] = 1;
        }
    }
}

static void each_active(const c3d_pyramid *p, size_t level,
                        void (*work)(const c3d_pyramid *, size_t, c3d_area))
{
    const c3d_level *tiles = &p->levels[TILE_LEVEL], *l = &p->levels[level];
    for (size_t y = 0; y < tiles->rows; y++)
        for (size_t x = 0; x < tiles->columns; x++)
            if (p->active[y * tiles->columns + x])
                work(p, level, tile_area(l, level, y, x));
}

static void mark_active(c3d_pyramid *p)
{
    const size_t rows = p->levels[TILE_LEVEL].rows, columns = p->levels[TILE_LEVEL].columns;
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < columns; x++)
            if (has_hole(p, y, x))
                mark_around(p, y, x, rows, columns);
}

static void each_cell(const c3d_pyramid *p, size_t level,
                      void (*work)(const c3d_pyramid *, size_t, c3d_area))
{
    const c3d_level *l = &p->levels[level];
    work(p, level, (c3d_area){0, l->rows, 0, l->columns});
}

void c3d_fill(uint8_t *frame, const uint8_t *holes, size_t height, size_t width, uint8_t *cells)
{
    c3d_pyramid p = make_pyramid(frame, holes, height, width, cells);
    const size_t top = p.count - 1;
    mark_active(&p);
    for (size_t level = 1; level <= top; level++)
        (level <= TILE_LEVEL ? each_active : each_cell)(&p, level, pull);
    if (!p.levels[top].cells[3]) /* nothing is known */
        return;
    for (size_t level = top; level-- > 0;)
        (level < TILE_LEVEL ? each_active : each_cell)(&p, level, push);
}
