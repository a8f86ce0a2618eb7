/* Compiled with -ffp-contract=off: every kernel and compiler computes the same floats. */
#include "native_convolution_tile.h"

/* Bytes of the tiles whose inputs are made at a time: with the weights of a block of outputs they
 * share the second-level cache. */
enum { CHUNK = 384 * 1024 };

typedef struct {
    const c3d_convolution_layer *layer;
    const c3d_winograd_shape *shape;
    const c3d_convolution_grid *grid;
    const c3d_kernels *kernels;
    size_t across; /* tiles in a row */
    int16_t *narrow;
    int32_t *wide;
} work;

static size_t products(const c3d_winograd_shape *shape) { return shape->rows * shape->columns; }

static size_t chunk_tiles(const c3d_winograd_shape *shape, size_t channels)
{
    const size_t tiles = CHUNK / (products(shape) * channels * sizeof(int16_t)) / PLACES * PLACES;
    return tiles < PLACES ? PLACES : tiles;
}

size_t c3d_winograd_scratch(const c3d_winograd_shape *shape, size_t channels)
{
    return chunk_tiles(shape, channels) * products(shape) * channels * sizeof(int16_t);
}

/* Outputs first ... first + count of one tile. */
static void store_tile(const work *w, const c3d_scaling *scaling, size_t tile, size_t first,
                       size_t count, int32_t sums[4][BLOCK])
{
    const c3d_convolution_grid *grid = w->grid;
    for (size_t i = 0; i < 4; i++) {
        const size_t row = 2 * (tile / w->across) + i / 2, column = 2 * (tile % w->across) + i % 2;
        if (row >= grid->rows || column >= grid->columns)
            continue;
        const size_t out = row * grid->out_row + column * grid->out_column + first;
        w->kernels->finish(scaling, count, sums[i], w->narrow ? w->narrow + out : NULL,
                           w->wide ? w->wide + out : NULL);
    }
}

/* One block of outputs of `count` tiles from number `begin` on, whose inputs are in v. */
static void block_of_tiles(const work *w, size_t first, size_t begin, size_t count,
                           const int16_t *v)
{
    const size_t channels = w->layer->length, planes = products(w->shape);
    const size_t left = w->layer->outputs - first;
    const size_t padded = c3d_convolution_padded(w->layer->outputs) - first;
    const size_t lanes = padded < BLOCK ? padded : BLOCK;
    const c3d_scaling scaling = c3d_scaling_from(w->layer, first);
    c3d_tile tile = {.runs = 1, .pairs = channels / 2, .groups = lanes / LANES};
    int32_t made[C3D_WINOGRAD_PLANES][PLACES][BLOCK], sums[4][BLOCK];
    for (size_t at = 0; at < count; at += PLACES) {
        tile.places = count - at < PLACES ? count - at : PLACES;
        tile.weight = w->layer->weight + first * planes * channels;
        for (size_t plane = 0; plane < planes; plane++, tile.weight += channels * lanes) {
            for (size_t p = 0; p < PLACES; p++) {
                const size_t place = p < tile.places ? p : tile.places - 1;
                tile.x[p] = v + ((at + place) * planes + plane) * channels;
            }
            w->kernels->sums(&tile, made[plane]);
        }
        for (size_t p = 0; p < tile.places; p++) {
            w->kernels->gather(w->shape, p, tile.groups, made, sums);
            store_tile(w, &scaling, begin + at + p, first, left < BLOCK ? left : BLOCK, sums);
        }
    }
}

void c3d_winograd(const c3d_convolution_layer *layer, const c3d_winograd_shape *shape,
                  c3d_convolution_kernel kernel, const c3d_convolution_grid *grid,
                  const int16_t *x, int16_t *narrow, int32_t *wide, int16_t *scratch)
{
    const size_t channels = layer->length, size = products(shape) * channels;
    const work w = {layer,  shape, grid, c3d_kernels_of(kernel), (grid->columns + 1) / 2,
                    narrow, wide};
    const size_t tiles = (grid->rows + 1) / 2 * w.across, most = chunk_tiles(shape, channels);
    for (size_t begin = 0; begin < tiles; begin += most) {
        const size_t count = tiles - begin < most ? tiles - begin : most;
        for (size_t i = 0; i < count; i++) {
            const size_t row = (begin + i) / w.across, column = (begin + i) % w.across;
            w.kernels->spread(shape, x + 2 * (row * grid->x_row + column * grid->x_column),
                              grid->x_row, channels, scratch + i * size);
        }
        for (size_t first = 0; first < layer->outputs; first += BLOCK)
            block_of_tiles(&w, first, begin, count, scratch);
    }
}
