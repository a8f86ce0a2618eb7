/*
 * The inner loops, between the checked interface above and the steps of a state below. All
 * kernels have these two signatures and give the same bytes, values and statuses; a bank keeps
 * the ones that it was made with.
 *
 * A row is one value for each lane. A kernel works on whole rows; the last one of a part may be
 * short, and the portable functions at the end take it.
 */
#ifndef C3D_ARITH_KERNELS_H
#define C3D_ARITH_KERNELS_H

#include "arith_internal.h"

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define ARITH_HAS_X86 1
#endif

/* What a loop of pulls works on. A kernel moves `cursor` and the states, adds to `foul` what is
 * not zero where an escape is wrong, and leaves the rest. */
struct arith_pull {
    const c3d_arith_tables *tables;
    const uint8_t *indexes;
    const int16_t *means; /* null for zeros */
    int16_t *values;
    uint32_t lanes;
    uint32_t foul;
    uint32_t *states;
    const uint8_t *cursor;
    const uint8_t *limit; /* ARITH_ROW_BYTES may be read from any cursor up to here */
};

/* What a loop of pushes works on. A kernel goes from the last row back to the first and moves
 * `cursor` downwards. */
struct arith_push {
    const c3d_arith_tables *tables;
    const uint8_t *indexes;
    const int16_t *means;
    const int16_t *values;
    uint32_t lanes;
    uint32_t *states;
    uint8_t *cursor;
    const uint8_t *limit; /* ARITH_ROW_BYTES + ARITH_PUSH_SLACK may be written below any cursor
                             down to here */
};

/* Vector kernels store whole registers, whose lower end is garbage. */
#define ARITH_PUSH_SLACK 64u

/* Pulls up to `rows` rows while the cursor is not above the limit; returns how many. */
arith_pull_rows arith_pull_rows_portable;
/* Pushes the last of `rows` rows while the cursor is not below the limit; returns how many. */
arith_push_rows arith_push_rows_portable;

#ifdef ARITH_HAS_X86
arith_pull_rows arith_pull_rows_avx2;
arith_push_rows arith_push_rows_avx2;
arith_pull_rows arith_pull_rows_avx512;
arith_push_rows arith_push_rows_avx512;
uint32_t arith_crc32c_sse42(uint32_t crc, const uint8_t *at, size_t length);
int arith_crc32c_has_sse42(void);
#endif
uint32_t arith_crc32c_portable(uint32_t crc, const uint8_t *at, size_t length);

/* One row of the first `width` lanes, whatever the limit. */
void arith_pull_row(struct arith_pull *pull, size_t start, uint32_t width);
void arith_push_row(struct arith_push *push, size_t start, uint32_t width);

/* Reads the raw words of a row's escapes: bit k of `escaped` is set where the value at start +
 * k is one. The value's low bits, less the mean, are the ones that were pulled. */
void arith_pull_escapes(struct arith_pull *pull, size_t start, uint64_t escaped);
/* Writes them. */
void arith_push_escapes(struct arith_push *push, size_t start, uint64_t escaped);

/* The kernel for an argument of c3d_arith_tables_create: AUTO becomes the fastest. */
c3d_arith_kernel arith_resolve_kernel(c3d_arith_kernel kernel);
arith_pull_rows *arith_pull_kernel(c3d_arith_kernel kernel);
arith_push_rows *arith_push_kernel(c3d_arith_kernel kernel);

#endif
