/* The decoder's inner loop in portable C, and the parts of it that every kernel uses. */
#include "arith_kernels.h"

/* Takes a value other than zero off a state. Returns 1 for an escape, which leaves its low bits
 * in those of *value. */
static inline uint32_t pull_other(const struct arith_table *table, uint32_t *state,
                                  uint32_t rest, int32_t *value)
{
    uint32_t step = table->steps[rest >> table->fold];
    *state = (step & ARITH_UNIT_MASK) * (*state >> table->bits) +
             (step >> ARITH_UNIT_BITS & ARITH_UNIT_MASK);
    int32_t group = (int32_t)(step >> ARITH_GROUP_SHIFT ^ 512u) - 512;
    int32_t rank = group * (1 << table->fold) + (int32_t)arith_low_bits((int32_t)rest, table->fold);
    *value = rank + (rank >= 0);
    return group == ARITH_STEP_ESCAPE;
}

/* The branch is often mispredicted, and yet faster than to compute both ways and to choose. */
static inline uint32_t pull_value(const struct arith_table *table, uint32_t *state,
                                  int32_t *value)
{
    uint32_t slot = *state & table->mask;
    if (slot >= table->zero) {
        return pull_other(table, state, slot - table->zero, value);
    }
    *state = table->zero * (*state >> table->bits) + slot;
    *value = 0;
    return 0;
}

void arith_pull_row(struct arith_pull *pull, size_t start, uint32_t width)
{
    uint64_t escaped = 0;
    const uint8_t *cursor = pull->cursor;
    for (uint32_t lane = 0; lane < width; lane++) {
        size_t i = start + lane;
        uint32_t x = pull->states[lane];
        int32_t value;
        uint32_t escape = pull_value(&pull->tables->table[pull->indexes[i]], &x, &value);
        escaped |= (uint64_t)escape << lane;
        uint32_t mean = pull->means != NULL ? (uint16_t)pull->means[i] : 0u;
        pull->values[i] = (int16_t)arith_signed((uint32_t)value + mean);

        /* One word is enough: a pull leaves one at least. It is read in any case. */
        uint32_t low = x < ARITH_STATE_LOW;
        uint32_t filled = x << 16 | arith_load16(cursor);
        pull->states[lane] = low ? filled : x;
        cursor += low * ARITH_WORD_BYTES;
    }
    pull->cursor = cursor;
    if (escaped != 0) {
        arith_pull_escapes(pull, start, escaped);
    }
}

void arith_pull_escapes(struct arith_pull *pull, size_t start, uint64_t escaped)
{
    for (size_t i = start; escaped != 0; escaped >>= 1, i++) {
        if (escaped & 1u) {
            const struct arith_table *table = &pull->tables->table[pull->indexes[i]];
            uint32_t mean = pull->means != NULL ? (uint16_t)pull->means[i] : 0u;
            uint32_t raw = arith_load16(pull->cursor);
            pull->cursor += ARITH_WORD_BYTES;
            int32_t value = arith_signed(raw);
            int32_t rank = arith_rank(value);
            int32_t group = arith_group(rank, table->fold);
            uint32_t low = ((uint16_t)pull->values[i] - mean) & ((1u << table->fold) - 1u);
            pull->foul |= low != arith_low_bits(rank, table->fold) || value == 0 ||
                          (group >= -(int32_t)table->below && group < (int32_t)table->above);
            pull->values[i] = (int16_t)arith_signed(raw + mean);
        }
    }
}

size_t arith_pull_rows_portable(struct arith_pull *pull, size_t rows)
{
    size_t row = 0;
    while (row < rows && pull->cursor <= pull->limit) {
        arith_pull_row(pull, row * pull->lanes, pull->lanes);
        row++;
    }
    return row;
}
