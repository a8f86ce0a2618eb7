/* The decoder's inner loop for AVX2: eight lanes in a register. */
#include "arith_kernels.h"

#ifdef ARITH_HAS_X86
#include "arith_avx2.h"

enum { WIDE = 8 };

INLINE __m256i bases_of(const c3d_arith_tables *tables, const uint8_t *indexes, __m256i head)
{
    return tables->count > ARITH_FEW_TABLES
               ? look_up_bytes(tables->step_bases, indexes)
               : _mm256_and_si256(_mm256_srli_epi32(head, 9), _mm256_set1_epi32(0x3FF << 7));
}

/* The values of ranks where `zeros` is not set: one more from rank 0 upwards. */
INLINE __m256i values_of(__m256i rank, __m256i zeros)
{
    __m256i value = _mm256_add_epi32(_mm256_add_epi32(rank, _mm256_set1_epi32(1)),
                                     _mm256_srai_epi32(rank, 31));
    return _mm256_andnot_si256(zeros, value);
}

/* What eight states and their tables say before any step is looked up. */
struct slots {
    __m256i state;
    __m256i head;
    __m256i slot;
    __m256i rest; /* the slot less the zero's; of use where `zeros` is not set */
    __m256i zeros;
};

INLINE __m256i zero_of(__m256i head)
{
    return _mm256_and_si256(head, _mm256_set1_epi32(0xFFFF));
}

INLINE __m256i fold_of(__m256i head)
{
    return _mm256_and_si256(_mm256_srli_epi32(head, 26), _mm256_set1_epi32(7));
}

INLINE struct slots look(const c3d_arith_tables *tables, const uint8_t *indexes,
                         const uint32_t *states)
{
    struct slots seen;
    seen.state = _mm256_loadu_si256((const __m256i *)(const void *)states);
    seen.head = look_up_bytes(tables->heads, indexes);
    __m256i bits = _mm256_srli_epi32(seen.head, 29);
    __m256i zero = zero_of(seen.head);
    seen.slot =
        _mm256_andnot_si256(_mm256_sllv_epi32(_mm256_set1_epi32(-2048), bits), seen.state);
    seen.rest = _mm256_sub_epi32(seen.slot, zero);
    seen.zeros = _mm256_cmpgt_epi32(zero, seen.slot);
    return seen;
}

INLINE __m256i steps_of(const c3d_arith_tables *tables, const uint8_t *indexes,
                        const struct slots *seen)
{
    __m256i unit = _mm256_srlv_epi32(seen->rest, fold_of(seen->head));
    unit = _mm256_andnot_si256(seen->zeros, unit);
    return look_up(tables->steps,
                   _mm256_add_epi32(bases_of(tables, indexes, seen->head), unit));
}

/* Takes a value off each of eight states. */
INLINE __m256i pull_values(const struct slots *seen, __m256i step, __m256i *state,
                           uint32_t *escaped)
{
    const __m256i unit_mask = _mm256_set1_epi32(ARITH_UNIT_MASK);
    __m256i frequency = _mm256_blendv_epi8(_mm256_and_si256(step, unit_mask),
                                           zero_of(seen->head), seen->zeros);
    __m256i offset =
        _mm256_blendv_epi8(_mm256_and_si256(_mm256_srli_epi32(step, ARITH_UNIT_BITS), unit_mask),
                           seen->slot, seen->zeros);
    __m256i high = _mm256_srlv_epi32(_mm256_srli_epi32(seen->state, C3D_ARITH_MIN_BITS),
                                     _mm256_srli_epi32(seen->head, 29));
    *state = _mm256_add_epi32(_mm256_mullo_epi32(frequency, high), offset);

    __m256i fold = fold_of(seen->head);
    __m256i group = _mm256_srai_epi32(step, ARITH_GROUP_SHIFT);
    __m256i low =
        _mm256_andnot_si256(_mm256_sllv_epi32(_mm256_set1_epi32(-1), fold), seen->rest);
    __m256i escapes = _mm256_andnot_si256(
        seen->zeros, _mm256_cmpeq_epi32(group, _mm256_set1_epi32(ARITH_STEP_ESCAPE)));
    *escaped = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(escapes));
    return values_of(_mm256_or_si256(_mm256_sllv_epi32(group, fold), low), seen->zeros);
}

/* Hands a word to each state below 2^16. The number of a lane's word stands in a nibble; a
 * permutation looks at the low three bits of each lane only. */
INLINE const uint8_t *refill(__m256i *state, const uint8_t *cursor)
{
    const __m256i nibbles = _mm256_set_epi32(28, 24, 20, 16, 12, 8, 4, 0);
    __m256i low = _mm256_cmpeq_epi32(_mm256_srli_epi32(*state, 16), _mm256_setzero_si256());
    uint32_t taken = (uint32_t)_mm256_movemask_epi8(low);
    __m256i order = _mm256_set1_epi32((int)_pdep_u32(0x76543210u, taken));
    __m256i words =
        _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)cursor));
    words = _mm256_permutevar8x32_epi32(words, _mm256_srlv_epi32(order, nibbles));
    __m256i filled = _mm256_or_si256(_mm256_slli_epi32(*state, 16), words);
    *state = _mm256_blendv_epi8(*state, filled, low);
    return cursor + ((uint32_t)__builtin_popcount(taken) >> 1);
}

INLINE void put_values(struct arith_pull *pull, size_t i, __m256i value)
{
    __m256i low = _mm256_and_si256(value, _mm256_set1_epi32(0xFFFF));
    __m128i narrow =
        _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    if (pull->means != NULL) {
        narrow = _mm_add_epi16(
            narrow, _mm_loadu_si128((const __m128i *)(const void *)(pull->means + i)));
    }
    _mm_storeu_si128((__m128i *)(void *)(pull->values + i), narrow);
}

/* The same where all eight values are zero. */
INLINE __m256i pull_zeros(const struct slots *seen)
{
    __m256i high = _mm256_srlv_epi32(_mm256_srli_epi32(seen->state, C3D_ARITH_MIN_BITS),
                                     _mm256_srli_epi32(seen->head, 29));
    return _mm256_add_epi32(_mm256_mullo_epi32(zero_of(seen->head), high), seen->slot);
}

INLINE const uint8_t *put_group(struct arith_pull *pull, size_t start, uint32_t lane,
                                __m256i value, __m256i state, const uint8_t *cursor)
{
    put_values(pull, start + lane, value);
    cursor = refill(&state, cursor);
    _mm256_storeu_si256((__m256i *)(void *)(pull->states + lane), state);
    return cursor;
}

/* One or two registers of lanes. Steps are looked up for both or for none: it costs more than a
 * branch, long runs of zeros are common, and where they are not, it is predicted. */
INLINE const uint8_t *pull_groups(struct arith_pull *pull, size_t start, uint32_t lane,
                                  const uint32_t count, const uint8_t *cursor,
                                  uint64_t *escaped)
{
    const uint8_t *indexes = pull->indexes + start + lane;
    struct slots seen[2];
    __m256i zeros = _mm256_set1_epi32(-1);
    for (uint32_t g = 0; g < count; g++) {
        seen[g] = look(pull->tables, indexes + g * WIDE, pull->states + lane + g * WIDE);
        zeros = _mm256_and_si256(zeros, seen[g].zeros);
    }
    if (_mm256_movemask_epi8(zeros) == -1) {
        for (uint32_t g = 0; g < count; g++) {
            cursor = put_group(pull, start, lane + g * WIDE, _mm256_setzero_si256(),
                               pull_zeros(&seen[g]), cursor);
        }
        return cursor;
    }
    for (uint32_t g = 0; g < count; g++) {
        uint32_t escapes;
        __m256i state;
        __m256i step = steps_of(pull->tables, indexes + g * WIDE, &seen[g]);
        __m256i value = pull_values(&seen[g], step, &state, &escapes);
        *escaped |= (uint64_t)escapes << (lane + g * WIDE);
        cursor = put_group(pull, start, lane + g * WIDE, value, state, cursor);
    }
    return cursor;
}

TARGET size_t arith_pull_rows_avx2(struct arith_pull *pull, size_t rows)
{
    if (pull->lanes < WIDE) {
        return arith_pull_rows_portable(pull, rows);
    }
    const uint8_t *cursor = pull->cursor;
    size_t row = 0;
    for (; row < rows && cursor <= pull->limit; row++) {
        uint64_t escaped = 0;
        size_t start = row * pull->lanes;
        if (pull->lanes == WIDE) {
            cursor = pull_groups(pull, start, 0, 1, cursor, &escaped);
        }
        for (uint32_t lane = 0; lane + WIDE < pull->lanes; lane += 2 * WIDE) {
            cursor = pull_groups(pull, start, lane, 2, cursor, &escaped);
        }
        if (escaped != 0) {
            pull->cursor = cursor;
            arith_pull_escapes(pull, start, escaped);
            cursor = pull->cursor;
        }
    }
    pull->cursor = cursor;
    return row;
}
#else
typedef int arith_no_avx2_decoder; /* a file must not be empty */
#endif
