/* Compiled with -ffp-contract=off: every kernel and compiler computes the same floats. */
#include "native_convolution_tile.h"
#include "native_winograd_tile.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86
#endif

/* Unsigned: what wraps around is defined. */
static void portable_sums(const c3d_tile *tile, int32_t made[PLACES][BLOCK])
{
    uint32_t totals[PLACES][BLOCK] = {{0}};
    const size_t lanes = tile->groups * LANES;
    const int16_t *weight = tile->weight;
    for (size_t r = 0; r < tile->runs; r++)
        for (size_t k = 0; k < tile->pairs; k++, weight += 2 * lanes)
            for (size_t p = 0; p < tile->places; p++) {
                const int16_t *x = tile->x[p] + r * tile->run + 2 * k;
                const int32_t x0 = x[0], x1 = x[1];
                for (size_t o = 0; o < lanes; o++)
                    totals[p][o] +=
                        (uint32_t)(x0 * weight[2 * o]) + (uint32_t)(x1 * weight[2 * o + 1]);
            }
    memcpy(made, totals, sizeof totals);
}

static void portable_finish(const c3d_scaling *scaling, size_t count, const int32_t *sums,
                            int16_t *narrow, int32_t *wide)
{
    c3d_finish_sums(scaling, count, sums, narrow, wide);
}

static void portable_spread(const c3d_winograd_shape *shape, const int16_t *x, size_t x_row,
                            size_t channels, int16_t *v)
{
    c3d_winograd_spread(shape, x, x_row, channels, v);
}

static void portable_gather(const c3d_winograd_shape *shape, size_t place, size_t groups,
                            int32_t made[][PLACES][BLOCK], int32_t sums[4][BLOCK])
{
    c3d_winograd_gather(shape, place, groups, made, sums);
}

const c3d_kernels c3d_kernels_portable = {portable_sums, portable_finish, portable_spread,
                                          portable_gather};

c3d_convolution_kernel c3d_convolution_best(c3d_convolution_kernel most)
{
#ifdef HAS_X86
    __builtin_cpu_init();
    const int wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    if (most >= C3D_CONVOLUTION_VNNI && wide && __builtin_cpu_supports("avx512vnni"))
        return C3D_CONVOLUTION_VNNI;
    if (most >= C3D_CONVOLUTION_AVX512 && wide)
        return C3D_CONVOLUTION_AVX512;
    if (most >= C3D_CONVOLUTION_AVX2 && __builtin_cpu_supports("avx2"))
        return C3D_CONVOLUTION_AVX2;
#else
    (void)most;
#endif
    return C3D_CONVOLUTION_PORTABLE;
}

const c3d_kernels *c3d_kernels_of(c3d_convolution_kernel kernel)
{
#ifdef HAS_X86
    if (kernel == C3D_CONVOLUTION_VNNI)
        return &c3d_kernels_vnni;
    if (kernel == C3D_CONVOLUTION_AVX512)
        return &c3d_kernels_avx512;
    if (kernel == C3D_CONVOLUTION_AVX2)
        return &c3d_kernels_avx2;
#else
    (void)kernel;
#endif
    return &c3d_kernels_portable;
}

/* All positions for one block of outputs, whose weights stay in the cache meanwhile. */
static void convolve_block(const c3d_convolution_grid *grid, c3d_tile *tile,
                           const c3d_scaling *scaling, const c3d_kernels *kernels, size_t count,
                           const int16_t *x, int16_t *narrow, int32_t *wide)
{
    int32_t made[PLACES][BLOCK];
    size_t out[PLACES];
    const size_t positions = grid->rows * grid->columns;
    for (size_t first = 0; first < positions; first += PLACES) {
        tile->places = positions - first < PLACES ? positions - first : PLACES;
        for (size_t p = 0; p < PLACES; p++) {
            const size_t at = first + (p < tile->places ? p : tile->places - 1);
            const size_t row = at / grid->columns, column = at % grid->columns;
            tile->x[p] = x + row * grid->x_row + column * grid->x_column;
            out[p] = row * grid->out_row + column * grid->out_column;
        }
        kernels->sums(tile, made);
        for (size_t p = 0; p < tile->places; p++)
            kernels->finish(scaling, count, made[p], narrow ? narrow + out[p] : NULL,
                            wide ? wide + out[p] : NULL);
    }
}

void c3d_convolve(const c3d_convolution_layer *layer, c3d_convolution_kernel kernel,
                  const c3d_convolution_grid *grid, const int16_t *x, int16_t *narrow,
                  int32_t *wide)
{
    const size_t padded = c3d_convolution_padded(layer->outputs);
    c3d_tile tile = {.runs = layer->runs, .run = grid->x_run, .pairs = layer->length / 2};
    for (size_t first = 0; first < layer->outputs; first += BLOCK) {
        const size_t left = layer->outputs - first, lanes = padded - first;
        const c3d_scaling scaling = c3d_scaling_from(layer, first);
        tile.weight = layer->weight + first * layer->runs * layer->length;
        tile.groups = (lanes < BLOCK ? lanes : BLOCK) / LANES;
        convolve_block(grid, &tile, &scaling, c3d_kernels_of(kernel), left < BLOCK ? left : BLOCK, x,
                       narrow ? narrow + first : NULL, wide ? wide + first : NULL);
    }
}
