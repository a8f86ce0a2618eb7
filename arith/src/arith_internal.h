/* What the sources of c3d_arith share: the numbers of the format, and the layout of a bank. */
#ifndef C3D_ARITH_INTERNAL_H
#define C3D_ARITH_INTERNAL_H

#include "c3d_arith.h"

/* States live in [2^16, 2^32); every lane of the encoder starts at the lower end. */
#define ARITH_STATE_LOW ((uint32_t)1 << 16)
#define ARITH_STATE_BYTES 4u
#define ARITH_WORD_BYTES 2u

/* Eight lanes hide the latency of a look-up and a multiplication, but their states cost 32
 * bytes, so a short stream has one. */
#define ARITH_MAX_LANES 8u
#define ARITH_LANES_FROM 1024u

/* The longest code of one symbol: an escape and two raw bytes, each at most one word. */
#define ARITH_SYMBOL_BYTES (3u * ARITH_WORD_BYTES)

/* A raw byte is a symbol of frequency 16 out of 4096. */
#define ARITH_RAW_BITS (C3D_ARITH_PRECISION - 8u)

/*
 * Everything needed to push one symbol of frequency f on a state x below `limit` = f * 2^20:
 *     x  ->  (x / f) * 4096 + x % f + start  =  x + (x / f) * (4096 - f) + start
 *
 * x / f is (x * reciprocal) >> 44 with reciprocal = ceil(2^44 / f), exactly. Proof: write
 * reciprocal = (2^44 + e) / f with 0 <= e < f. Then x * reciprocal / 2^44 = x/f + d with
 * d = (x/f) * (e/2^44) >= 0. The floor is right if d < 1/f, that is, if x * e < 2^44; and
 * x * e < (f * 2^20) * f <= 2^44, since f <= 4096. The product stays below 2^64:
 * (f * 2^20 - 1) * (2^44 + e) / f = 2^64 + e * 2^20 - (2^44 + e) / f, and e * f < 2^24 makes
 * the second term smaller than the third.
 */
struct arith_push {
    uint64_t reciprocal;
    uint32_t limit;
    uint16_t start;
    uint16_t complement; /* 4096 - f */
};

/* One entry per value of the low 12 bits of a state; highest bits first: the low 8 bits of the
 * symbol's position in the table, its frequency (12 bits: with an escape beside it, no
 * frequency reaches 4096), the value's offset from the symbol's start (12 bits). */
#define ARITH_STEP_OFFSET(step) ((step) & 0xFFFu)
#define ARITH_STEP_FREQUENCY(step) (((step) >> 12) & 0xFFFu)
#define ARITH_STEP_POSITION(step) ((step) >> 24)

/* Tables of more positions than a byte counts keep the rest of the position apart, so that
 * the common narrow ones stay at 16 KiB. */
#define ARITH_NARROW_SIZE 255u

struct arith_table {
    const struct arith_push *pushes; /* size + 1, escape last */
    const uint32_t *steps;           /* 4096 */
    const uint8_t *highs;            /* 4096, or null where size <= ARITH_NARROW_SIZE */
    int32_t minimum;
    uint32_t size; /* also the position of the escape */
};

/* All 256 tables are always there, the unused ones being copies of the first: an index byte
 * that changes under a running call cannot reach outside the bank. */
struct c3d_arith_tables {
    size_t count;
    struct arith_table table[C3D_ARITH_MAX_TABLES];
};

static inline size_t arith_lanes(size_t n)
{
    return n < ARITH_LANES_FROM ? 1u : ARITH_MAX_LANES;
}

static inline uint32_t arith_load16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t arith_load32(const uint8_t *at)
{
    return arith_load16(at) | arith_load16(at + 2) << 16;
}

static inline void arith_store16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value & 0xFFu);
    at[1] = (uint8_t)(value >> 8 & 0xFFu);
}

static inline void arith_store32(uint8_t *at, uint32_t value)
{
    arith_store16(at, value);
    arith_store16(at + 2, value >> 16);
}

/* Whether every index names a table of the bank. */
int arith_indexes_valid(const c3d_arith_tables *tables, const uint8_t *indexes, size_t n);

#endif
