/* The encoder's inner loop for AVX-512: sixteen lanes in a register. */
#include "arith_kernels.h"

#ifdef ARITH_HAS_X86
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,bmi2,popcnt")))
#define INLINE static inline TARGET __attribute__((always_inline))

enum { WIDE = 16, MOST = C3D_ARITH_MAX_LANES / WIDE };

/* What a loop keeps in registers. */
struct loop {
    __m512i heads[4]; /* of tables 0..63 */
    __m512i bases[4];
    const c3d_arith_tables *tables;
    int many; /* more than 64 tables: heads and bases come from memory */
};

/* What is to be pushed on sixteen states. */
struct symbols {
    __m512i head;
    unsigned any;     /* 0 where there are only zeros, and then nothing below is set */
    __mmask16 others; /* not zero */
    __m512i entry;    /* 0 for zeros */
    __m512i low;
};

INLINE struct loop begin(const c3d_arith_tables *tables)
{
    struct loop loop;
    for (int k = 0; k < 4; k++) {
        loop.heads[k] = _mm512_loadu_si512(tables->heads + k * WIDE);
        loop.bases[k] = _mm512_loadu_si512(tables->push_bases + k * WIDE);
    }
    loop.tables = tables;
    loop.many = tables->count > ARITH_FEW_TABLES;
    return loop;
}

INLINE __m512i look_up(const struct loop *loop, const __m512i *table, const uint32_t *all,
                       __m512i index)
{
    if (loop->many) {
        return _mm512_i32gather_epi32(index, all, 4);
    }
    __m512i low = _mm512_permutex2var_epi32(table[0], index, table[1]);
    __m512i high = _mm512_permutex2var_epi32(table[2], index, table[3]);
    return _mm512_mask_blend_epi32(_mm512_test_epi32_mask(index, _mm512_set1_epi32(32)), low, high);
}

INLINE __m512i fold_of(__m512i head)
{
    return _mm512_and_si512(_mm512_srli_epi32(head, 26), _mm512_set1_epi32(7));
}

INLINE __m512i load_values(const struct arith_push *push, size_t i)
{
    __m256i value = _mm256_loadu_si256((const __m256i *)(const void *)(push->values + i));
    if (push->means != NULL) {
        value = _mm256_sub_epi16(
            value, _mm256_loadu_si256((const __m256i *)(const void *)(push->means + i)));
    }
    return _mm512_cvtepi16_epi32(value);
}

/* Where the entries of groups are: those outside a table are clamped to its escape. */
INLINE __m512i places_of(const struct loop *loop, __m512i group, __m512i index)
{
    __m512i where = look_up(loop, loop->bases, loop->tables->push_bases, index);
    __m512i reach = _mm512_srli_epi32(where, 20);
    group = _mm512_max_epi32(group, _mm512_sub_epi32(_mm512_setzero_si512(), reach));
    group = _mm512_min_epi32(group, _mm512_sub_epi32(reach, _mm512_set1_epi32(1)));
    return _mm512_add_epi32(_mm512_and_si512(where, _mm512_set1_epi32(0xFFFFF)), group);
}

/* What is known of sixteen values before any entry is looked up. */
struct ranks {
    __m512i index;
    __m512i rank;
    __mmask16 others; /* not zero */
};

INLINE struct ranks look(const struct arith_push *push, size_t i)
{
    struct ranks seen;
    __m512i value = load_values(push, i);
    seen.index = _mm512_cvtepu8_epi32(
        _mm_loadu_si128((const __m128i *)(const void *)(push->indexes + i)));
    seen.others = _mm512_test_epi32_mask(value, value);
    seen.rank = _mm512_mask_sub_epi32(
        value, _mm512_cmpgt_epi32_mask(value, _mm512_setzero_si512()), value, _mm512_set1_epi32(1));
    return seen;
}

/* One or two registers of values; bits of `escaped` tell which the tables do not cover. Entries
 * are looked up for both or for none: a gather costs more than a branch, long runs of zeros are
 * common, and where they are not, it is predicted. */
INLINE uint64_t find(const struct loop *loop, const struct arith_push *push, size_t i,
                     struct symbols *found, const int count)
{
    struct ranks seen[2];
    unsigned any = 0;
    for (int g = 0; g < count; g++) {
        seen[g] = look(push, i + (size_t)g * WIDE);
        any |= seen[g].others;
        found[g].head = look_up(loop, loop->heads, loop->tables->heads, seen[g].index);
    }
    for (int g = 0; g < count; g++) {
        found[g].any = any;
    }
    if (any == 0) {
        return 0;
    }
    uint64_t escaped = 0;
    for (int g = 0; g < count; g++) {
        __m512i fold = fold_of(found[g].head);
        __m512i at = places_of(loop, _mm512_srav_epi32(seen[g].rank, fold), seen[g].index);
        found[g].others = seen[g].others;
        found[g].low =
            _mm512_andnot_si512(_mm512_sllv_epi32(_mm512_set1_epi32(-1), fold), seen[g].rank);
        found[g].entry = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), seen[g].others, at,
                                                     loop->tables->pushes, 4);
        escaped |= (uint64_t)_mm512_movepi32_mask(found[g].entry) << g * WIDE;
    }
    return escaped;
}

/* Moves the low words of full states out, the last lane's to the highest address. The words
 * are rotated to the end of a register, and all of it is stored: what lies below them is
 * overwritten later. */
INLINE uint8_t *spill(__m512i *state, __mmask16 full, uint8_t *cursor)
{
    const __m256i order = _mm256_set_epi16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    int count = __builtin_popcount(full);
    __m256i words = _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(full, *state));
    __m256i turn = _mm256_sub_epi16(order, _mm256_set1_epi16((short)(WIDE - count)));
    words = _mm256_permutexvar_epi16(turn, words);
    _mm256_storeu_si256((__m256i *)(void *)(cursor - 2 * WIDE), words);
    *state = _mm512_mask_srli_epi32(*state, full, *state, 16);
    return cursor - ARITH_WORD_BYTES * (size_t)count;
}

/*
 * x / f for x < f * 2^21 and 1 <= f < 2^16, rounded to nearest in every step, and its
 * remainder. With e = 2^-24, fl(x) = x (1 + a) and fl(fl(x) / f) = (x / f)(1 + a)(1 + b),
 * |a|, |b| <= e (f is exact). So the float quotient is within x / f * 2.0001 e < 2^21 * 2.0001
 * * 2^-24 < 0.2501 of x / f; taking 0.5 off errs by at most 2^21 * e = 0.125 more. The result
 * lies between x / f - 0.8751 and x / f - 0.1249, and truncated (which lifts what is negative
 * to zero) it is the true quotient q or q - 1: one comparison with the remainder tells which.
 */
INLINE __m512i divide(__m512i x, __m512i f, __m512i *remainder)
{
    __m512 ratio = _mm512_div_ps(_mm512_cvtepu32_ps(x), _mm512_cvtepi32_ps(f));
    __m512i q = _mm512_cvttps_epi32(_mm512_sub_ps(ratio, _mm512_set1_ps(0.5f)));
    __m512i r = _mm512_sub_epi32(x, _mm512_mullo_epi32(q, f));
    __mmask16 less = _mm512_cmpge_epu32_mask(r, f);
    *remainder = _mm512_mask_sub_epi32(r, less, r, f);
    return _mm512_mask_add_epi32(q, less, q, _mm512_set1_epi32(1));
}

INLINE __m512i shift_up(__m512i value, __m512i head)
{
    return _mm512_sllv_epi32(_mm512_slli_epi32(value, C3D_ARITH_MIN_BITS),
                             _mm512_srli_epi32(head, 29));
}

/* Makes room for sixteen symbols and divides by their frequencies. */
INLINE uint8_t *make_room(__m512i head, __m512i frequency, __m512i *state, __m512i *rest,
                          uint8_t *cursor)
{
    __m512i bits = _mm512_srli_epi32(head, 29);
    __m512i limit =
        _mm512_sllv_epi32(frequency, _mm512_sub_epi32(_mm512_set1_epi32(21), bits));
    cursor = spill(state, _mm512_cmpge_epu32_mask(*state, limit), cursor);
    *state = shift_up(divide(*state, frequency, rest), head);
    return cursor;
}

/* Puts sixteen symbols on their states. */
INLINE uint8_t *push_symbols(const struct symbols *found, __m512i *state, uint8_t *cursor)
{
    const __m512i unit_mask = _mm512_set1_epi32(ARITH_UNIT_MASK);
    __m512i zero = _mm512_and_si512(found->head, _mm512_set1_epi32(0xFFFF));
    __m512i rest;
    if (found->any == 0) {
        cursor = make_room(found->head, zero, state, &rest, cursor);
        *state = _mm512_add_epi32(*state, rest);
        return cursor;
    }
    __m512i frequency = _mm512_mask_and_epi32(zero, found->others, found->entry, unit_mask);
    __m512i start = _mm512_and_si512(_mm512_srli_epi32(found->entry, ARITH_UNIT_BITS), unit_mask);
    cursor = make_room(found->head, frequency, state, &rest, cursor);
    __m512i slot = _mm512_sllv_epi32(_mm512_add_epi32(start, rest), fold_of(found->head));
    slot = _mm512_add_epi32(_mm512_or_si512(slot, found->low), zero);
    *state = _mm512_add_epi32(*state, _mm512_mask_mov_epi32(rest, found->others, slot));
    return cursor;
}

/* Rows of 16 * groups lanes; `groups` is a constant wherever this is inlined. */
INLINE size_t push_rows(struct arith_push *push, size_t rows, const int groups)
{
    const struct loop loop = begin(push->tables);
    const int together = groups < 2 ? 1 : 2;
    __m512i states[MOST];
    size_t done = 0;
    uint8_t *cursor = push->cursor;
    for (int g = 0; g < groups; g++) {
        states[g] = _mm512_loadu_si512(push->states + g * WIDE);
    }
    while (done < rows && cursor >= push->limit) {
        struct symbols found[MOST];
        uint64_t escaped = 0;
        done++;
        size_t start = (rows - done) * (size_t)groups * WIDE;
        for (int g = 0; g < groups; g += together) {
            size_t i = start + (size_t)g * WIDE;
            escaped |= find(&loop, push, i, found + g, together) << g * WIDE;
        }
        if (escaped != 0) {
            push->cursor = cursor;
            arith_push_escapes(push, start, escaped);
            cursor = push->cursor;
        }
        for (int g = groups; g-- > 0;) {
            cursor = push_symbols(&found[g], &states[g], cursor);
        }
    }
    for (int g = 0; g < groups; g++) {
        _mm512_storeu_si512(push->states + g * WIDE, states[g]);
    }
    push->cursor = cursor;
    return done;
}

TARGET size_t arith_push_rows_avx512(struct arith_push *push, size_t rows)
{
    unsigned mode = _mm_getcsr();
    size_t done;
    _mm_setcsr(0x1F80); /* rounded to nearest, and no traps, whatever the caller has set */
    switch (push->lanes) {
    case 64:
        done = push_rows(push, rows, 4);
        break;
    case 32:
        done = push_rows(push, rows, 2);
        break;
    case 16:
        done = push_rows(push, rows, 1);
        break;
    default:
        done = arith_push_rows_avx2(push, rows);
        break;
    }
    _mm_setcsr(mode);
    return done;
}
#else
typedef int arith_no_avx512_encoder; /* a file must not be empty */
#endif
