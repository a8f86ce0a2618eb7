/* The decoder's inner loop in portable C. */
#include <string.h>

#include "arith_kernels.h"

/* Fills a state that fell below 2^16 with the next word. The word is read in any case: the
 * caller has made sure that it may be. One word is enough, since a pull leaves 16 or more. */
static inline const uint8_t *refill(uint32_t *state, const uint8_t *cursor)
{
    uint32_t low = *state < ARITH_STATE_LOW;
    uint32_t filled = *state << 16 | arith_load16(cursor);
    *state = low ? filled : *state;
    return cursor + low * ARITH_WORD_BYTES;
}

static inline const uint8_t *pull_raw(uint32_t *state, uint32_t *byte, const uint8_t *cursor)
{
    *byte = *state >> ARITH_RAW_BITS & 0xFFu;
    uint32_t rest = *state & ((1u << ARITH_RAW_BITS) - 1u);
    *state = *state >> C3D_ARITH_PRECISION << ARITH_RAW_BITS | rest;
    return refill(state, cursor);
}

static inline const uint8_t *pull_position(uint32_t *state, const struct arith_table *table,
                                           uint32_t *position, const uint8_t *cursor)
{
    uint32_t slot = *state & (C3D_ARITH_TOTAL - 1u);
    uint32_t step = table->steps[slot];
    *position = ARITH_STEP_POSITION(step);
    if (table->highs != NULL) {
        *position |= (uint32_t)table->highs[slot] << 8;
    }
    *state = ARITH_STEP_FREQUENCY(step) * (*state >> C3D_ARITH_PRECISION) +
             ARITH_STEP_OFFSET(step);
    return refill(state, cursor);
}

/* Needs ARITH_SYMBOL_BYTES that may be read. `foul` becomes 1 for an escaped value that the
 * table covers: no encoder writes one, and each symbol has one code only. */
static inline const uint8_t *pull_symbol(uint32_t *state, const struct arith_table *table,
                                         int16_t *symbol, uint32_t *foul, const uint8_t *cursor)
{
    uint32_t position;
    cursor = pull_position(state, table, &position, cursor);
    int32_t value = table->minimum + (int32_t)position;
    if (position == table->size) {
        uint32_t low;
        uint32_t high;
        cursor = pull_raw(state, &low, cursor);
        cursor = pull_raw(state, &high, cursor);
        value = (int32_t)((high << 8 | low) ^ 0x8000u) - 0x8000;
        *foul |= (uint32_t)(value - table->minimum) < table->size;
    }
    *symbol = (int16_t)value;
    return cursor;
}

/* The same with any number of bytes left; null where the symbol needs more. */
static const uint8_t *pull_guarded(uint32_t *state, const struct arith_table *table,
                                   int16_t *symbol, uint32_t *foul,
                                   const struct arith_words *words)
{
    size_t left = (size_t)(words->end - words->cursor);
    if (left >= ARITH_SYMBOL_BYTES) {
        return pull_symbol(state, table, symbol, foul, words->cursor);
    }
    uint8_t scratch[ARITH_SYMBOL_BYTES] = {0};
    memcpy(scratch, words->cursor, left);
    size_t used = (size_t)(pull_symbol(state, table, symbol, foul, scratch) - scratch);
    return used <= left ? words->cursor + used : NULL;
}

/* Pulls whole rows of eight symbols while the worst row can be read, and returns how many.
 * The states are copied so that they can stay in registers. */
static size_t pull_rows(const c3d_arith_tables *tables, const uint8_t *indexes,
                        int16_t *symbols, size_t rows, uint32_t *states, uint32_t *foul,
                        struct arith_words *words)
{
    uint32_t local[ARITH_MAX_LANES];
    const uint8_t *cursor = words->cursor;
    uint32_t any_foul = 0;
    size_t row = 0;
    memcpy(local, states, sizeof(local));
    while (row < rows &&
           (size_t)(words->end - cursor) >= ARITH_MAX_LANES * ARITH_SYMBOL_BYTES) {
        ARITH_UNROLL_LANES
        for (size_t lane = 0; lane < ARITH_MAX_LANES; lane++) {
            size_t i = row * ARITH_MAX_LANES + lane;
            cursor = pull_symbol(&local[lane], &tables->table[indexes[i]], &symbols[i],
                                 &any_foul, cursor);
        }
        row++;
    }
    memcpy(states, local, sizeof(local));
    words->cursor = cursor;
    *foul |= any_foul;
    return row;
}

c3d_arith_status arith_decode_portable(const c3d_arith_tables *tables, const uint8_t *indexes,
                                       int16_t *symbols, size_t n, uint32_t *states,
                                       struct arith_words *words)
{
    size_t lanes = arith_lanes(n);
    size_t i = 0;
    uint32_t foul = 0;
    if (lanes == ARITH_MAX_LANES) {
        i = lanes * pull_rows(tables, indexes, symbols, n / lanes, states, &foul, words);
    }
    for (; i < n; i++) {
        const struct arith_table *table = &tables->table[indexes[i]];
        words->cursor = pull_guarded(&states[i % lanes], table, &symbols[i], &foul, words);
        if (words->cursor == NULL) {
            return C3D_ARITH_ERR_TRUNCATED;
        }
    }
    return foul ? C3D_ARITH_ERR_ESCAPE : C3D_ARITH_OK;
}
