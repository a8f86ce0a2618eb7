/* What the sources of c3d_arith share: the numbers of the format, and the layout of a bank. */
#ifndef C3D_ARITH_INTERNAL_H
#define C3D_ARITH_INTERNAL_H

#include <string.h>

#include "c3d_arith.h"

/* States live in [2^16, 2^32); every lane of the encoder starts at the lower end. */
#define ARITH_STATE_LOW ((uint32_t)1 << 16)
#define ARITH_STATE_BYTES 4u
#define ARITH_WORD_BYTES 2u

/* The longest code of one value: a word for the pull and one for an escaped value. */
#define ARITH_VALUE_BYTES (2u * ARITH_WORD_BYTES)
#define ARITH_ROW_BYTES (C3D_ARITH_MAX_LANES * ARITH_VALUE_BYTES)

/* Banks of so many tables can be looked up in registers by the AVX-512 kernels. */
#define ARITH_FEW_TABLES 64u

/*
 * The fields of a table that a pull or a push needs first, in one word, so that 64 of them fit
 * four vector registers: the zero's frequency (16 bits), where the steps begin in blocks of
 * 128 entries (10 bits, of use where the bank has 64 tables at most), fold (3), bits - 11 (3).
 */
#define ARITH_HEAD_ZERO(head) ((head) & 0xFFFFu)
#define ARITH_HEAD_BASE(head) ((head) >> 9 & (0x3FFu << 7))
#define ARITH_HEAD_FOLD(head) ((head) >> 26 & 7u)
#define ARITH_HEAD_BITS(head) ((head) >> 29)
#define ARITH_STEP_BLOCK 128u

/*
 * One entry for each unit that is not the zero's. With x the state, slot = x mod 2^bits and
 * r = slot - zero, the entry of r >> fold holds: the frequency of a value of the group (11
 * bits), the unit's offset from the group's first (11 bits), the group (10 bits, signed; the
 * lowest for the escape).
 */
#define ARITH_UNIT_BITS 11u
#define ARITH_UNIT_MASK ((1u << ARITH_UNIT_BITS) - 1u)
#define ARITH_GROUP_SHIFT (2u * ARITH_UNIT_BITS)
#define ARITH_STEP_ESCAPE (-512)

/* The lookup of a push: entry `at` + group, for groups from -reach to reach - 1, where the
 * outermost on each side are the escape's: an index that is clamped finds it. */
#define ARITH_PUSH_AT(where) ((where) & 0xFFFFFu)
#define ARITH_PUSH_REACH(where) ((where) >> 20)

/* Frequency (11 bits), first unit (11 bits), and this bit for the escape. */
#define ARITH_PUSH_ESCAPE 0x80000000u

struct arith_table {
    const uint32_t *steps;
    const uint32_t *pushes; /* at the group 0 */
    uint32_t zero;
    uint32_t mask; /* 2^bits - 1 */
    uint16_t reach;
    uint16_t below;
    uint16_t above;
    uint8_t bits;
    uint8_t fold;
};

struct arith_pull;
struct arith_push;
typedef size_t arith_pull_rows(struct arith_pull *pull, size_t rows);
typedef size_t arith_push_rows(struct arith_push *push, size_t rows);

/* All 256 tables are always there, the unused ones being copies of the first: an index byte
 * that changes under a running call cannot reach outside the bank. */
struct c3d_arith_tables {
    size_t count;
    size_t bytes;
    c3d_arith_kernel kernel;
    uint32_t period; /* pulls after which a state has one bit less, at the latest */
    arith_pull_rows *pull_rows;
    arith_push_rows *push_rows;
    const uint32_t *steps;
    const uint32_t *pushes;
    uint32_t heads[C3D_ARITH_MAX_TABLES];
    uint32_t step_bases[C3D_ARITH_MAX_TABLES]; /* where each table's begin in `steps` */
    uint32_t push_bases[C3D_ARITH_MAX_TABLES]; /* ARITH_PUSH_AT in `pushes`, ARITH_PUSH_REACH */
    struct arith_table table[C3D_ARITH_MAX_TABLES];
};

static inline uint32_t arith_load16(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static inline uint32_t arith_load32(const uint8_t *at)
{
    return arith_load16(at) | arith_load16(at + 2) << 16;
}

/* Compilers join two loads of bytes, but not two stores. */
static inline void arith_store16(uint8_t *at, uint32_t value)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint16_t low = (uint16_t)value;
    memcpy(at, &low, sizeof(low));
#else
    at[0] = (uint8_t)(value & 0xFFu);
    at[1] = (uint8_t)(value >> 8 & 0xFFu);
#endif
}

static inline void arith_store32(uint8_t *at, uint32_t value)
{
    arith_store16(at, value);
    arith_store16(at + 2, value >> 16);
}

/* The value of sixteen bits of two's complement. */
static inline int32_t arith_signed(uint32_t bits)
{
    return (int32_t)((bits & 0xFFFFu) ^ 0x8000u) - 0x8000;
}

/* The rank of a value other than zero: without the zero, the numbers go on without a gap. */
static inline int32_t arith_rank(int32_t value)
{
    return value - (value > 0);
}

static inline uint32_t arith_low_bits(int32_t rank, uint32_t fold)
{
    return (uint32_t)rank & ((1u << fold) - 1u);
}

/* floor(rank / 2^fold): lifted above zero, since C leaves the shift of what is below it open. */
static inline int32_t arith_group(int32_t rank, uint32_t fold)
{
    const int32_t lift = 1 << 20;
    return (int32_t)((uint32_t)(rank + lift) >> fold) - (lift >> fold);
}

/* Whether every index names a table of the bank. */
int arith_indexes_valid(const c3d_arith_tables *tables, const uint8_t *indexes, size_t n);

#endif
