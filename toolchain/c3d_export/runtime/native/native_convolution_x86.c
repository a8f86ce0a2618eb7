/* Compiled with -ffp-contract=off: every kernel and compiler computes the same floats. */
#include "native_convolution_tile.h"
#include "native_winograd_tile.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

/* Unrolled loops keep their sums in registers. */
#if defined(__clang__)
#define C3D_UNROLL _Pragma("clang loop unroll(full)")
#else
#define C3D_UNROLL _Pragma("GCC unroll 8")
#endif

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

static __attribute__((target("avx2"))) void avx2_sums(const c3d_tile *tile,
                                                      int32_t made[PLACES][BLOCK])
{
    for (size_t begin = 0; begin < tile->places; begin += PLACES / 2)
        for (size_t group = 0; group < tile->groups; group++)
            avx2_part(tile, begin, group, made);
}

#define TARGET "avx512f,avx512bw"
#define NAME(end) avx512##end
#define DOT(sum, a, b) _mm512_add_epi32(sum, _mm512_madd_epi16(a, b))
#include "native_convolution_avx512.h"
#undef TARGET
#undef NAME
#undef DOT

#define TARGET "avx512f,avx512bw,avx512vnni"
#define NAME(end) vnni##end
#define DOT(sum, a, b) _mm512_dpwssd_epi32(sum, a, b)
#include "native_convolution_avx512.h"

/* The loops that a compiler makes vectors of, for the vectors of these processors. */
#define LOOPS(name, target_)                                                                   \
    static __attribute__((target(target_))) void name##_finish(                                \
        const c3d_scaling *scaling, size_t count, const int32_t *sums, int16_t *narrow,        \
        int32_t *wide)                                                                         \
    {                                                                                          \
        c3d_finish_sums(scaling, count, sums, narrow, wide);                                   \
    }                                                                                          \
    static __attribute__((target(target_))) void name##_spread(                                \
        const c3d_winograd_shape *shape, const int16_t *x, size_t x_row, size_t channels,      \
        int16_t *v)                                                                            \
    {                                                                                          \
        c3d_winograd_spread(shape, x, x_row, channels, v);                                     \
    }                                                                                          \
    static __attribute__((target(target_))) void name##_gather(                                \
        const c3d_winograd_shape *shape, size_t place, size_t groups,                          \
        int32_t made[][PLACES][BLOCK], int32_t sums[4][BLOCK])                          \
    {                                                                                          \
        c3d_winograd_gather(shape, place, groups, made, sums);                                 \
    }

LOOPS(avx2, "avx2")
LOOPS(avx512, "avx512f,avx512bw")

const c3d_kernels c3d_kernels_avx2 = {avx2_sums, avx2_finish, avx2_spread, avx2_gather};
const c3d_kernels c3d_kernels_avx512 = {avx512_sums, avx512_finish, avx512_spread, avx512_gather};
const c3d_kernels c3d_kernels_vnni = {vnni_sums, avx512_finish, avx512_spread, avx512_gather};
#endif
