/* The encoder's inner loop in portable C. */
#include <string.h>

#include "arith_kernels.h"

/* Moves the low word of a full state out. The word is stored in any case and the cursor moves
 * only if it counts: a store is cheaper than a branch that cannot be predicted. */
static inline uint8_t *spill(uint32_t *state, uint32_t limit, uint8_t *cursor)
{
    uint32_t full = *state >= limit;
    arith_store16(cursor - ARITH_WORD_BYTES, *state);
    *state >>= full * 16u;
    return cursor - full * ARITH_WORD_BYTES;
}

static inline uint8_t *push_position(uint32_t *state, const struct arith_push *push,
                                     uint8_t *cursor)
{
    cursor = spill(state, push->limit, cursor);
    uint32_t quotient = (uint32_t)((*state * push->reciprocal) >> 44);
    *state += quotient * push->complement + push->start;
    return cursor;
}

static inline uint8_t *push_raw(uint32_t *state, uint32_t byte, uint8_t *cursor)
{
    cursor = spill(state, (uint32_t)1 << (20 + ARITH_RAW_BITS), cursor);
    uint32_t rest = *state & ((1u << ARITH_RAW_BITS) - 1u);
    *state = *state >> ARITH_RAW_BITS << C3D_ARITH_PRECISION | byte << ARITH_RAW_BITS | rest;
    return cursor;
}

/* Needs ARITH_SYMBOL_BYTES of room below the cursor. The decoder pulls the escape, the low
 * byte and the high byte, so they are pushed the other way round. */
static inline uint8_t *push_symbol(uint32_t *state, const struct arith_table *table,
                                   int16_t symbol, uint8_t *cursor)
{
    uint32_t position = (uint32_t)(symbol - table->minimum);
    if (position >= table->size) {
        uint32_t raw = (uint16_t)symbol;
        position = table->size;
        cursor = push_raw(state, raw >> 8, cursor);
        cursor = push_raw(state, raw & 0xFFu, cursor);
    }
    return push_position(state, &table->pushes[position], cursor);
}

/* The same with any room; null where it is too small. */
static uint8_t *push_guarded(uint32_t *state, const struct arith_table *table, int16_t symbol,
                             const uint8_t *floor, uint8_t *cursor)
{
    if ((size_t)(cursor - floor) >= ARITH_SYMBOL_BYTES) {
        return push_symbol(state, table, symbol, cursor);
    }
    uint8_t scratch[ARITH_SYMBOL_BYTES];
    uint8_t *end = scratch + ARITH_SYMBOL_BYTES;
    uint8_t *first = push_symbol(state, table, symbol, end);
    size_t used = (size_t)(end - first);
    if ((size_t)(cursor - floor) < used) {
        return NULL;
    }
    cursor -= used;
    memcpy(cursor, first, used);
    return cursor;
}

/* Pushes whole rows of eight symbols, from row `rows` - 1 down, while there is room for the
 * worst row. The states are copied so that they can stay in registers. */
static uint8_t *push_rows(const c3d_arith_tables *tables, const int16_t *symbols,
                          const uint8_t *indexes, size_t *rows, uint32_t *states,
                          const uint8_t *floor, uint8_t *cursor)
{
    uint32_t local[ARITH_MAX_LANES];
    size_t row = *rows;
    memcpy(local, states, sizeof(local));
    while (row > 0 && (size_t)(cursor - floor) >= ARITH_MAX_LANES * ARITH_SYMBOL_BYTES) {
        row--;
        for (size_t lane = ARITH_MAX_LANES; lane-- > 0;) {
            size_t i = row * ARITH_MAX_LANES + lane;
            cursor = push_symbol(&local[lane], &tables->table[indexes[i]], symbols[i], cursor);
        }
    }
    memcpy(states, local, sizeof(local));
    *rows = row;
    return cursor;
}

/* Pushes the symbols `from` - 1 down to `to`; null where the room is too small. */
static uint8_t *push_range(const c3d_arith_tables *tables, const int16_t *symbols,
                           const uint8_t *indexes, size_t from, size_t to, size_t lanes,
                           uint32_t *states, const uint8_t *floor, uint8_t *cursor)
{
    for (size_t i = from; i-- > to && cursor != NULL;) {
        const struct arith_table *table = &tables->table[indexes[i]];
        cursor = push_guarded(&states[i % lanes], table, symbols[i], floor, cursor);
    }
    return cursor;
}

uint8_t *arith_encode_portable(const c3d_arith_tables *tables, const int16_t *symbols,
                               const uint8_t *indexes, size_t n, uint32_t *states,
                               uint8_t *floor, uint8_t *end)
{
    size_t lanes = arith_lanes(n);
    if (lanes == 1) {
        return push_range(tables, symbols, indexes, n, 0, lanes, states, floor, end);
    }
    size_t rows = n / lanes;
    uint8_t *cursor =
        push_range(tables, symbols, indexes, n, rows * lanes, lanes, states, floor, end);
    if (cursor != NULL) {
        cursor = push_rows(tables, symbols, indexes, &rows, states, floor, cursor);
        cursor = push_range(tables, symbols, indexes, rows * lanes, 0, lanes, states, floor,
                            cursor);
    }
    return cursor;
}
