/* The decoder's inner loop for AVX-512: sixteen lanes in a register. */
#include "arith_kernels.h"

#ifdef ARITH_HAS_X86
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")))
#define INLINE static inline TARGET __attribute__((always_inline))

enum { WIDE = 16, MOST = C3D_ARITH_MAX_LANES / WIDE };

/* What a loop keeps in registers. */
struct loop {
    __m512i heads[4]; /* of tables 0..63 */
    const c3d_arith_tables *tables;
    int many; /* more than 64 tables: heads and bases come from memory */
};

INLINE struct loop begin(const c3d_arith_tables *tables)
{
    struct loop loop;
    for (int k = 0; k < 4; k++) {
        loop.heads[k] = _mm512_loadu_si512(tables->heads + k * WIDE);
    }
    loop.tables = tables;
    loop.many = tables->count > ARITH_FEW_TABLES;
    return loop;
}

INLINE __m512i look_up(const __m512i *table, __m512i index)
{
    __m512i low = _mm512_permutex2var_epi32(table[0], index, table[1]);
    __m512i high = _mm512_permutex2var_epi32(table[2], index, table[3]);
    return _mm512_mask_blend_epi32(_mm512_test_epi32_mask(index, _mm512_set1_epi32(32)), low, high);
}

INLINE __m512i heads_of(const struct loop *loop, __m512i index)
{
    return loop->many ? _mm512_i32gather_epi32(index, loop->tables->heads, 4)
                      : look_up(loop->heads, index);
}

INLINE __m512i bases_of(const struct loop *loop, __m512i index, __m512i head)
{
    return loop->many ? _mm512_i32gather_epi32(index, loop->tables->step_bases, 4)
                      : _mm512_and_si512(_mm512_srli_epi32(head, 9), _mm512_set1_epi32(0x3FF << 7));
}

/* The values of ranks where `others` is set, and zero elsewhere. */
INLINE __m512i values_of(__m512i rank, __mmask16 others)
{
    __mmask16 negative = _mm512_movepi32_mask(rank);
    return _mm512_mask_add_epi32(_mm512_maskz_mov_epi32(others, rank),
                                 _kandn_mask16(negative, others), rank, _mm512_set1_epi32(1));
}

/* What sixteen states and their tables say before any step is looked up. */
struct slots {
    __m512i index;
    __m512i head;
    __m512i slot;
    __m512i rest; /* the slot less the zero's; of use in the lanes of `others` */
    __mmask16 others;
};

INLINE __m512i zero_of(__m512i head)
{
    return _mm512_and_si512(head, _mm512_set1_epi32(0xFFFF));
}

INLINE __m512i fold_of(__m512i head)
{
    return _mm512_and_si512(_mm512_srli_epi32(head, 26), _mm512_set1_epi32(7));
}

INLINE struct slots look(const struct loop *loop, const uint8_t *indexes, __m512i x)
{
    struct slots seen;
    seen.index =
        _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)indexes));
    seen.head = heads_of(loop, seen.index);
    __m512i bits = _mm512_srli_epi32(seen.head, 29);
    __m512i zero = zero_of(seen.head);
    seen.slot = _mm512_andnot_si512(_mm512_sllv_epi32(_mm512_set1_epi32(-2048), bits), x);
    seen.rest = _mm512_sub_epi32(seen.slot, zero);
    seen.others = _mm512_cmpge_epu32_mask(seen.slot, zero);
    return seen;
}

INLINE __m512i steps_of(const struct loop *loop, const struct slots *seen)
{
    __m512i at = _mm512_add_epi32(bases_of(loop, seen->index, seen->head),
                                  _mm512_srlv_epi32(seen->rest, fold_of(seen->head)));
    return _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), seen->others, at,
                                       loop->tables->steps, 4);
}

/* Takes a value off each of sixteen states. */
INLINE __m512i pull_values(const struct slots *seen, __m512i step, __m512i *state,
                           __mmask16 *escaped)
{
    const __m512i unit_mask = _mm512_set1_epi32(ARITH_UNIT_MASK);
    __m512i frequency =
        _mm512_mask_and_epi32(zero_of(seen->head), seen->others, step, unit_mask);
    __m512i offset = _mm512_mask_and_epi32(
        seen->slot, seen->others, _mm512_srli_epi32(step, ARITH_UNIT_BITS), unit_mask);
    __m512i high = _mm512_srlv_epi32(_mm512_srli_epi32(*state, C3D_ARITH_MIN_BITS),
                                     _mm512_srli_epi32(seen->head, 29));
    *state = _mm512_add_epi32(_mm512_mullo_epi32(frequency, high), offset);

    __m512i fold = fold_of(seen->head);
    __m512i group = _mm512_srai_epi32(step, ARITH_GROUP_SHIFT);
    __m512i low =
        _mm512_andnot_si512(_mm512_sllv_epi32(_mm512_set1_epi32(-1), fold), seen->rest);
    *escaped = _mm512_cmpeq_epi32_mask(group, _mm512_set1_epi32(ARITH_STEP_ESCAPE));
    return values_of(_mm512_or_si512(_mm512_sllv_epi32(group, fold), low), seen->others);
}

INLINE const uint8_t *refill(__m512i *state, const uint8_t *cursor)
{
    __mmask16 low = _mm512_cmplt_epu32_mask(*state, _mm512_set1_epi32(ARITH_STATE_LOW));
    __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)cursor));
    *state = _mm512_mask_or_epi32(*state, low, _mm512_slli_epi32(*state, 16),
                                  _mm512_maskz_expand_epi32(low, words));
    return cursor + ARITH_WORD_BYTES * (size_t)__builtin_popcount(low);
}

INLINE void put_values(struct arith_pull *pull, size_t i, __m512i value)
{
    __m256i narrow = _mm512_cvtepi32_epi16(value);
    if (pull->means != NULL) {
        narrow = _mm256_add_epi16(
            narrow, _mm256_loadu_si256((const __m256i *)(const void *)(pull->means + i)));
    }
    _mm256_storeu_si256((__m256i *)(void *)(pull->values + i), narrow);
}

/* The same where all sixteen values are zero. */
INLINE void pull_zeros(const struct slots *seen, __m512i *state)
{
    __m512i high = _mm512_srlv_epi32(_mm512_srli_epi32(*state, C3D_ARITH_MIN_BITS),
                                     _mm512_srli_epi32(seen->head, 29));
    *state = _mm512_add_epi32(_mm512_mullo_epi32(zero_of(seen->head), high), seen->slot);
}

/* One or two registers of lanes. Steps are looked up for both or for none: a gather costs more
 * than a branch, long runs of zeros are common, and where they are not, it is predicted. */
INLINE const uint8_t *pull_groups(const struct loop *loop, struct arith_pull *pull, size_t i,
                                  __m512i *states, const int count, const uint8_t *cursor,
                                  uint64_t *escaped)
{
    struct slots seen[2];
    unsigned any = 0;
    *escaped = 0;
    for (int g = 0; g < count; g++) {
        seen[g] = look(loop, pull->indexes + i + g * WIDE, states[g]);
        any |= seen[g].others;
    }
    if (any == 0) {
        for (int g = 0; g < count; g++) {
            pull_zeros(&seen[g], &states[g]);
            put_values(pull, i + (size_t)g * WIDE, _mm512_setzero_si512());
            cursor = refill(&states[g], cursor);
        }
        return cursor;
    }
    for (int g = 0; g < count; g++) {
        __mmask16 escapes;
        __m512i value = pull_values(&seen[g], steps_of(loop, &seen[g]), &states[g], &escapes);
        put_values(pull, i + (size_t)g * WIDE, value);
        *escaped |= (uint64_t)escapes << g * WIDE;
        cursor = refill(&states[g], cursor);
    }
    return cursor;
}

/* Rows of 16 * groups lanes; `groups` is a constant wherever this is inlined. */
INLINE size_t pull_rows(struct arith_pull *pull, size_t rows, const int groups)
{
    const struct loop loop = begin(pull->tables);
    const int together = groups < 2 ? 1 : 2;
    __m512i states[MOST];
    const uint8_t *cursor = pull->cursor;
    size_t row = 0;
    for (int g = 0; g < groups; g++) {
        states[g] = _mm512_loadu_si512(pull->states + g * WIDE);
    }
    for (; row < rows && cursor <= pull->limit; row++) {
        uint64_t escaped = 0;
        size_t start = row * (size_t)groups * WIDE;
        for (int g = 0; g < groups; g += together) {
            uint64_t escapes;
            cursor = pull_groups(&loop, pull, start + (size_t)g * WIDE, states + g, together,
                                 cursor, &escapes);
            escaped |= escapes << g * WIDE;
        }
        if (escaped != 0) {
            pull->cursor = cursor;
            arith_pull_escapes(pull, start, escaped);
            cursor = pull->cursor;
        }
    }
    for (int g = 0; g < groups; g++) {
        _mm512_storeu_si512(pull->states + g * WIDE, states[g]);
    }
    pull->cursor = cursor;
    return row;
}

TARGET size_t arith_pull_rows_avx512(struct arith_pull *pull, size_t rows)
{
    switch (pull->lanes) {
    case 64:
        return pull_rows(pull, rows, 4);
    case 32:
        return pull_rows(pull, rows, 2);
    case 16:
        return pull_rows(pull, rows, 1);
    default:
        return arith_pull_rows_avx2(pull, rows);
    }
}
#else
typedef int arith_no_avx512_decoder; /* a file must not be empty */
#endif
