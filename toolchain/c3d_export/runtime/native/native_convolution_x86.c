/* Compiled with -ffp-contract=off: every kernel and compiler computes the same floats. */
#include "native_convolution_tile.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Half of the positions and a group at a time, so that the sums fit into 16 registers. */
C3D_INLINE __attribute__((target("avx2"))) void
avx2_part(const c3d_tile *tile, size_t begin, size_t group, int32_t made[PLACES][BLOCK])
{
    enum { HALF = PLACES / 2 };
    __m256i total[HALF][2];
    for (size_t p = 0; p < HALF; p++)
        total[p][0] = total[p][1] = _mm256_setzero_si256();
    const int16_t *weight = tile->weight + group * 2 * LANES;
    for (size_t r = 0; r < tile->runs; r++) {
        const size_t first = r * tile->run, end = first + 2 * tile->pairs;
        for (size_t k = first; k < end; k += 2, weight += tile->groups * 2 * LANES) {
            const __m256i w0 = _mm256_loadu_si256((const __m256i *)weight);
            const __m256i w1 = _mm256_loadu_si256((const __m256i *)(weight + LANES));
            for (size_t p = 0; p < HALF; p++) {
                const __m256i both = _mm256_set1_epi32(c3d_pair_at(tile->x[begin + p] + k));
                total[p][0] = _mm256_add_epi32(total[p][0], _mm256_madd_epi16(both, w0));
                total[p][1] = _mm256_add_epi32(total[p][1], _mm256_madd_epi16(both, w1));
            }
        }
    }
    for (size_t p = 0; p < HALF; p++) {
        int32_t *to = &made[begin + p][group * LANES];
        _mm256_storeu_si256((__m256i *)to, total[p][0]);
        _mm256_storeu_si256((__m256i *)(to + 8), total[p][1]);
    }
}

__attribute__((target("avx2"))) void c3d_tile_avx2(const c3d_tile *tile, const c3d_scaling *scaling,
                                                   int32_t made[PLACES][BLOCK])
{
    for (size_t begin = 0; begin < tile->places; begin += PLACES / 2)
        for (size_t group = 0; group < tile->groups; group++)
            avx2_part(tile, begin, group, made);
    c3d_scale_tile(tile, scaling, made);
}

#define TARGET "avx512f,avx512bw"
#define NAME(end) c3d_tile_avx512##end
#define DOT(sum, a, b) _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
#include "native_convolution_avx512.h"
#undef TARGET
#undef NAME
#undef DOT

#define TARGET "avx512f,avx512bw,avx512vnni"
#define NAME(end) c3d_tile_vnni##end
#define DOT(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)
#include "native_convolution_avx512.h"
#endif
