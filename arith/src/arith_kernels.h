/*
 * The inner loops, between the checked interface above and the steps of a state below. A
 * kernel for another instruction set has the same signature and gives the same bytes, symbols
 * and statuses; the interface functions choose one.
 */
#ifndef C3D_ARITH_KERNELS_H
#define C3D_ARITH_KERNELS_H

#include "arith_internal.h"

/* Before a loop over the lanes: unrolled, each lane's state has a register of its own, which
 * decodes an eighth faster. Left to the compiler elsewhere. */
#if defined(__GNUC__) && !defined(__clang__)
#define ARITH_UNROLL_LANES _Pragma("GCC unroll 8")
#else
#define ARITH_UNROLL_LANES
#endif

/* Pushes the symbols from the last to the first, writing words downwards from `end` and never
 * below `floor`. `states` are those of arith_lanes(n) lanes, before and after. Returns the
 * lowest word, or null where the room was too small. */
uint8_t *arith_encode_portable(const c3d_arith_tables *tables, const int16_t *symbols,
                               const uint8_t *indexes, size_t n, uint32_t *states,
                               uint8_t *floor, uint8_t *end);

/* The words still unread. */
struct arith_words {
    const uint8_t *cursor;
    const uint8_t *end;
};

/* Pulls the symbols from the first to the last. `states` are those of arith_lanes(n) lanes,
 * each 2^16 or more, before and after. Answers OK, TRUNCATED or ESCAPE. */
c3d_arith_status arith_decode_portable(const c3d_arith_tables *tables, const uint8_t *indexes,
                                       int16_t *symbols, size_t n, uint32_t *states,
                                       struct arith_words *words);

#endif
