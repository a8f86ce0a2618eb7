/* The encoder's inner loop for AVX2: eight lanes in a register. */
#include "arith_kernels.h"

#ifdef ARITH_HAS_X86
#include "arith_avx2.h"

enum { WIDE = 8, MOST = C3D_ARITH_MAX_LANES / WIDE };

/* What is to be pushed on eight states. */
struct symbols {
    __m256i head;
    int any;       /* 0 where there are only zeros, and then nothing below is set */
    __m256i entry; /* 0 for zeros */
    __m256i low;
};

INLINE __m256i fold_of(__m256i head)
{
    return _mm256_and_si256(_mm256_srli_epi32(head, 26), _mm256_set1_epi32(7));
}

INLINE __m256i load_values(const struct arith_push *push, size_t i)
{
    __m128i value = _mm_loadu_si128((const __m128i *)(const void *)(push->values + i));
    if (push->means != NULL) {
        value = _mm_sub_epi16(
            value, _mm_loadu_si128((const __m128i *)(const void *)(push->means + i)));
    }
    return _mm256_cvtepi16_epi32(value);
}

/* Where the entries of groups are: those outside a table are clamped to its escape. */
INLINE __m256i places_of(const c3d_arith_tables *tables, __m256i group, const uint8_t *indexes)
{
    __m256i where = look_up_bytes(tables->push_bases, indexes);
    __m256i reach = _mm256_srli_epi32(where, 20);
    group = _mm256_max_epi32(group, _mm256_sub_epi32(_mm256_setzero_si256(), reach));
    group = _mm256_min_epi32(group, _mm256_sub_epi32(reach, _mm256_set1_epi32(1)));
    return _mm256_add_epi32(_mm256_and_si256(where, _mm256_set1_epi32(0xFFFFF)), group);
}

/* One or two registers of values; bits of the result tell which the tables do not cover. Entries
 * are looked up for both or for none: it costs more than a branch, long runs of zeros are common,
 * and where they are not, it is predicted. */
INLINE uint64_t find(const struct arith_push *push, size_t i, struct symbols *found,
                     const int count)
{
    const __m256i nothing = _mm256_setzero_si256();
    __m256i all = _mm256_set1_epi32(-1);
    __m256i zeros[2];
    __m256i ranks[2];
    for (int g = 0; g < count; g++) {
        __m256i value = load_values(push, i + (size_t)(g * WIDE));
        zeros[g] = _mm256_cmpeq_epi32(value, nothing);
        all = _mm256_and_si256(all, zeros[g]);
        ranks[g] = _mm256_add_epi32(value, _mm256_cmpgt_epi32(value, nothing));
        found[g].head = look_up_bytes(push->tables->heads, push->indexes + i + g * WIDE);
    }
    const int any = _mm256_movemask_epi8(all) != -1;
    for (int g = 0; g < count; g++) {
        found[g].any = any;
    }
    if (!any) {
        return 0;
    }
    uint32_t escaped = 0;
    for (int g = 0; g < count; g++) {
        __m256i fold = fold_of(found[g].head);
        __m256i group = _mm256_srav_epi32(ranks[g], fold);
        __m256i at = places_of(push->tables, group, push->indexes + i + g * WIDE);
        found[g].low =
            _mm256_andnot_si256(_mm256_sllv_epi32(_mm256_set1_epi32(-1), fold), ranks[g]);
        found[g].entry = _mm256_andnot_si256(zeros[g], look_up(push->tables->pushes, at));
        escaped |= (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(found[g].entry))
                   << g * WIDE;
    }
    return escaped;
}

/* Moves the low words of full states out, the last lane's to the highest address: the numbers
 * of the full lanes, in nibbles, are pushed to the end of a register, and all of it is stored.
 * What lies below them is overwritten later. */
INLINE uint8_t *spill(__m256i *state, __m256i full, uint8_t *cursor)
{
    const __m256i nibbles = _mm256_set_epi32(28, 24, 20, 16, 12, 8, 4, 0);
    uint32_t taken = (uint32_t)_mm256_movemask_epi8(full);
    uint32_t bits = (uint32_t)__builtin_popcount(taken);
    uint32_t numbers = (uint32_t)((uint64_t)_pext_u32(0x76543210u, taken) << (32u - bits));
    __m256i order = _mm256_srlv_epi32(_mm256_set1_epi32((int)numbers), nibbles);
    __m256i words = _mm256_permutevar8x32_epi32(
        _mm256_and_si256(*state, _mm256_set1_epi32(0xFFFF)), order);
    _mm_storeu_si128(
        (__m128i *)(void *)(cursor - 2 * WIDE),
        _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
    *state = _mm256_blendv_epi8(*state, _mm256_srli_epi32(*state, 16), full);
    return cursor - (bits >> 1);
}

/* As in arith_encode_avx512.c, where the proof is. There is no conversion of unsigned integers:
 * both halves of x convert exactly, and their fused sum is rounded once. */
INLINE __m256i divide(__m256i x, __m256i f, __m256i *remainder)
{
    __m256 high = _mm256_cvtepi32_ps(_mm256_srli_epi32(x, 16));
    __m256 low = _mm256_cvtepi32_ps(_mm256_and_si256(x, _mm256_set1_epi32(0xFFFF)));
    __m256 whole = _mm256_fmadd_ps(high, _mm256_set1_ps(65536.0f), low);
    __m256 ratio = _mm256_div_ps(whole, _mm256_cvtepi32_ps(f));
    __m256i q = _mm256_cvttps_epi32(_mm256_sub_ps(ratio, _mm256_set1_ps(0.5f)));
    __m256i r = _mm256_sub_epi32(x, _mm256_mullo_epi32(q, f));
    __m256i right = _mm256_cmpgt_epi32(f, r);
    *remainder = _mm256_sub_epi32(r, _mm256_andnot_si256(right, f));
    return _mm256_add_epi32(_mm256_add_epi32(q, _mm256_set1_epi32(1)), right);
}

INLINE __m256i shift_up(__m256i value, __m256i head)
{
    return _mm256_sllv_epi32(_mm256_slli_epi32(value, C3D_ARITH_MIN_BITS),
                             _mm256_srli_epi32(head, 29));
}

/* Makes room for eight symbols and divides by their frequencies. */
INLINE uint8_t *make_room(__m256i head, __m256i frequency, __m256i *state, __m256i *rest,
                          uint8_t *cursor)
{
    __m256i bits = _mm256_srli_epi32(head, 29);
    __m256i limit = _mm256_sllv_epi32(frequency, _mm256_sub_epi32(_mm256_set1_epi32(21), bits));
    __m256i full = _mm256_cmpeq_epi32(_mm256_max_epu32(*state, limit), *state);
    cursor = spill(state, full, cursor);
    *state = shift_up(divide(*state, frequency, rest), head);
    return cursor;
}

/* Puts eight symbols on their states. */
INLINE uint8_t *push_symbols(const struct symbols *found, __m256i *state, uint8_t *cursor)
{
    const __m256i unit_mask = _mm256_set1_epi32(ARITH_UNIT_MASK);
    __m256i zero = _mm256_and_si256(found->head, _mm256_set1_epi32(0xFFFF));
    __m256i rest;
    if (!found->any) {
        cursor = make_room(found->head, zero, state, &rest, cursor);
        *state = _mm256_add_epi32(*state, rest);
        return cursor;
    }
    __m256i zeros = _mm256_cmpeq_epi32(found->entry, _mm256_setzero_si256());
    __m256i frequency = _mm256_blendv_epi8(_mm256_and_si256(found->entry, unit_mask), zero, zeros);
    __m256i start = _mm256_and_si256(_mm256_srli_epi32(found->entry, ARITH_UNIT_BITS), unit_mask);
    cursor = make_room(found->head, frequency, state, &rest, cursor);
    __m256i slot = _mm256_sllv_epi32(_mm256_add_epi32(start, rest), fold_of(found->head));
    slot = _mm256_add_epi32(_mm256_or_si256(slot, found->low), zero);
    *state = _mm256_add_epi32(*state, _mm256_blendv_epi8(slot, rest, zeros));
    return cursor;
}

INLINE uint64_t find_row(const struct arith_push *push, size_t start, struct symbols *found)
{
    uint64_t escaped = 0;
    if (push->lanes == WIDE) {
        return find(push, start, found, 1);
    }
    for (uint32_t lane = 0; lane < push->lanes; lane += 2 * WIDE) {
        escaped |= find(push, start + lane, found + lane / WIDE, 2) << lane;
    }
    return escaped;
}

static TARGET size_t push_rows(struct arith_push *push, size_t rows)
{
    uint8_t *cursor = push->cursor;
    size_t done = 0;
    while (done < rows && cursor >= push->limit) {
        struct symbols found[MOST];
        done++;
        size_t start = (rows - done) * push->lanes;
        uint64_t escaped = find_row(push, start, found);
        if (escaped != 0) {
            push->cursor = cursor;
            arith_push_escapes(push, start, escaped);
            cursor = push->cursor;
        }
        for (uint32_t lane = push->lanes; lane > 0;) {
            lane -= WIDE;
            __m256i *at = (__m256i *)(void *)(push->states + lane);
            __m256i state = _mm256_loadu_si256(at);
            cursor = push_symbols(&found[lane / WIDE], &state, cursor);
            _mm256_storeu_si256(at, state);
        }
    }
    push->cursor = cursor;
    return done;
}

TARGET size_t arith_push_rows_avx2(struct arith_push *push, size_t rows)
{
    if (push->lanes < WIDE) {
        return arith_push_rows_portable(push, rows);
    }
    unsigned mode = _mm_getcsr();
    _mm_setcsr(0x1F80); /* rounded to nearest, and no traps, whatever the caller has set */
    size_t done = push_rows(push, rows);
    _mm_setcsr(mode);
    return done;
}
#else
typedef int arith_no_avx2_encoder; /* a file must not be empty */
#endif
