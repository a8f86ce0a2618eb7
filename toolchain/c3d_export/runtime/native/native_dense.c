/* Compiled with -ffp-contract=off: every kernel and compiler computes the same floats. */
#include "native_dense.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86
#include <immintrin.h>
#endif

enum { LANES = C3D_DENSE_LANES, PLACES = C3D_DENSE_PLACES };

/* Sums of LANES outputs at PLACES positions. x: their inputs, `stride` apart. weight: the first of
 * these outputs; rows of `padded` pairs. */
typedef void sum_block(const int16_t *x, size_t stride, const int16_t *weight, size_t padded,
                       size_t pairs, int32_t sums[PLACES][LANES]);

/* Unsigned: what wraps around is defined. */
static void sum_portable(const int16_t *x, size_t stride, const int16_t *weight, size_t padded,
                         size_t pairs, int32_t sums[PLACES][LANES])
{
    uint32_t totals[PLACES][LANES] = {{0}};
    for (size_t k = 0; k < pairs; k++, weight += 2 * padded)
        for (size_t p = 0; p < PLACES; p++) {
            const int32_t x0 = x[p * stride + 2 * k], x1 = x[p * stride + 2 * k + 1];
            for (size_t o = 0; o < LANES; o++)
                totals[p][o] +=
                    (uint32_t)(x0 * weight[2 * o]) + (uint32_t)(x1 * weight[2 * o + 1]);
        }
    memcpy(sums, totals, sizeof totals);
}

#ifdef HAS_X86
static inline int32_t pair_at(const int16_t *x)
{
    int32_t pair;
    memcpy(&pair, x, sizeof pair);
    return pair;
}

/* Two halves of LANES, so that the sums of PLACES positions fit into the registers. */
__attribute__((target("avx2"))) static void
sum_avx2(const int16_t *x, size_t stride, const int16_t *weight, size_t padded, size_t pairs,
         int32_t sums[PLACES][LANES])
{
    for (size_t half = 0; half < LANES; half += 16) {
        __m256i total[PLACES][2];
        for (size_t p = 0; p < PLACES; p++)
            total[p][0] = total[p][1] = _mm256_setzero_si256();
        const int16_t *row = weight + 2 * half;
        for (size_t k = 0; k < pairs; k++, row += 2 * padded) {
            const __m256i w0 = _mm256_loadu_si256((const __m256i *)row);
            const __m256i w1 = _mm256_loadu_si256((const __m256i *)(row + 16));
            for (size_t p = 0; p < PLACES; p++) {
                const __m256i both = _mm256_set1_epi32(pair_at(x + p * stride + 2 * k));
                total[p][0] = _mm256_add_epi32(total[p][0], _mm256_madd_epi16(both, w0));
                total[p][1] = _mm256_add_epi32(total[p][1], _mm256_madd_epi16(both, w1));
            }
        }
        for (size_t p = 0; p < PLACES; p++) {
            _mm256_storeu_si256((__m256i *)&sums[p][half], total[p][0]);
            _mm256_storeu_si256((__m256i *)&sums[p][half + 8], total[p][1]);
        }
    }
}

__attribute__((target("avx512f,avx512bw"))) static void
sum_avx512(const int16_t *x, size_t stride, const int16_t *weight, size_t padded, size_t pairs,
           int32_t sums[PLACES][LANES])
{
    __m512i total[PLACES][2];
    for (size_t p = 0; p < PLACES; p++)
        total[p][0] = total[p][1] = _mm512_setzero_si512();
    for (size_t k = 0; k < pairs; k++, weight += 2 * padded) {
        const __m512i w0 = _mm512_loadu_si512(weight), w1 = _mm512_loadu_si512(weight + 32);
        for (size_t p = 0; p < PLACES; p++) {
            const __m512i both = _mm512_set1_epi32(pair_at(x + p * stride + 2 * k));
            total[p][0] = _mm512_add_epi32(total[p][0], _mm512_madd_epi16(both, w0));
            total[p][1] = _mm512_add_epi32(total[p][1], _mm512_madd_epi16(both, w1));
        }
    }
    for (size_t p = 0; p < PLACES; p++) {
        _mm512_storeu_si512(&sums[p][0], total[p][0]);
        _mm512_storeu_si512(&sums[p][16], total[p][1]);
    }
}
#endif

c3d_dense_kernel c3d_dense_best(c3d_dense_kernel most)
{
#ifdef HAS_X86
    __builtin_cpu_init();
    if (most >= C3D_DENSE_AVX512 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw"))
        return C3D_DENSE_AVX512;
    if (most >= C3D_DENSE_AVX2 && __builtin_cpu_supports("avx2"))
        return C3D_DENSE_AVX2;
#else
    (void)most;
#endif
    return C3D_DENSE_PORTABLE;
}

static sum_block *sums_of(c3d_dense_kernel kernel)
{
#ifdef HAS_X86
    if (kernel == C3D_DENSE_AVX512)
        return sum_avx512;
    if (kernel == C3D_DENSE_AVX2)
        return sum_avx2;
#else
    (void)kernel;
#endif
    return sum_portable;
}

/* For |x| < 2^22: adding a number whose last bit is one leaves no bits behind the point. */
static inline float round_even(float x)
{
    const float shift = 12582912.0f;
    return (x + shift) - shift;
}

static void finish_block(const c3d_dense_layer *layer, size_t first, size_t count,
                         const int32_t sums[LANES], int32_t *restrict out)
{
    const int32_t *restrict bias = layer->bias + first;
    const float *restrict scale = layer->scale + first, *restrict negative = layer->negative + first;
    const float *restrict low = layer->low + first, *restrict high = layer->high + first;
    int32_t made[LANES];
    for (size_t o = 0; o < LANES; o++) {
        const float total = (float)(int32_t)((uint32_t)sums[o] + (uint32_t)bias[o]);
        const float a = total * scale[o], b = total * negative[o];
        float value = a > b ? a : b;
        /* Whole limits: clipping before rounding gives what clipping after it does. */
        value = value > low[o] ? value : low[o];
        value = value < high[o] ? value : high[o];
        made[o] = (int32_t)round_even(value);
    }
    memcpy(out, made, count * sizeof *out);
}

void c3d_dense(const c3d_dense_layer *layer, c3d_dense_kernel kernel, const int16_t *x,
               size_t places, int32_t *out)
{
    const size_t padded = c3d_dense_padded(layer->outputs), stride = layer->inputs;
    sum_block *const sum = sums_of(kernel);
    int32_t sums[PLACES][LANES];
    /* The weights of a block of outputs stay in the cache while all positions go by. */
    for (size_t first = 0; first < layer->outputs; first += LANES) {
        const size_t left = layer->outputs - first, count = left < LANES ? left : LANES;
        for (size_t place = 0; place < places; place += PLACES) {
            const size_t here = places - place < PLACES ? places - place : PLACES;
            /* A last block that is not full sees its last position several times. */
            const size_t step = here < PLACES ? 0 : stride;
            for (size_t p = 0; p < (step ? 1 : here); p++) {
                sum(x + (place + p) * stride, step, layer->weight + 2 * first, padded,
                    layer->inputs / 2, sums);
                for (size_t q = 0; q < (step ? PLACES : 1); q++)
                    finish_block(layer, first, count, sums[q],
                                 out + (place + p + q) * layer->outputs + first);
            }
        }
    }
}
