/* A kernel for AVX-512; included once for each way to multiply: NAME, TARGET, and DOT(sum, a, b),
 * which adds the products of pairs of int16 to int32. No include guard. */

/* places and groups: constants, so that all sums are in registers. */
C3D_INLINE __attribute__((target(TARGET))) void
NAME(_part)(const c3d_tile *tile, const size_t places, const size_t groups,
            int32_t made[PLACES][BLOCK])
{
    __m512i total[PLACES][3];
    C3D_UNROLL for (size_t p = 0; p < places; p++)
        C3D_UNROLL for (size_t g = 0; g < groups; g++)
            total[p][g] = _mm512_setzero_si512();
    const int16_t *weight = tile->weight;
    for (size_t r = 0; r < tile->runs; r++) {
        const size_t first = r * tile->run, end = first + 2 * tile->pairs;
        for (size_t k = first; k < end; k += 2, weight += groups * 2 * LANES) {
            __m512i w[3];
            C3D_UNROLL for (size_t g = 0; g < groups; g++)
                w[g] = _mm512_loadu_si512(weight + g * 2 * LANES);
            C3D_UNROLL for (size_t p = 0; p < places; p++) {
                const __m512i both = _mm512_set1_epi32(c3d_pair_at(tile->x[p] + k));
                C3D_UNROLL for (size_t g = 0; g < groups; g++)
                    total[p][g] = DOT(total[p][g], both, w[g]);
            }
        }
    }
    C3D_UNROLL for (size_t p = 0; p < places; p++)
        C3D_UNROLL for (size_t g = 0; g < groups; g++)
            _mm512_storeu_si512(&made[p][g * LANES], total[p][g]);
}

/* A last tile of a few positions takes half a tile. */
C3D_INLINE __attribute__((target(TARGET))) void NAME(_half)(const c3d_tile *tile,
                                                           const size_t groups,
                                                           int32_t made[PLACES][BLOCK])
{
    if (tile->places > PLACES / 2)
        NAME(_part)(tile, PLACES, groups, made);
    else
        NAME(_part)(tile, PLACES / 2, groups, made);
}

static __attribute__((target(TARGET))) void NAME(_sums)(const c3d_tile *tile,
                                                        int32_t made[PLACES][BLOCK])
{
    if (tile->groups == 3)
        NAME(_half)(tile, 3, made);
    else if (tile->groups == 2)
        NAME(_half)(tile, 2, made);
    else
        NAME(_half)(tile, 1, made);
}
