/* The encoder's inner loop in portable C, and the parts of it that every kernel uses. */
#include "arith_kernels.h"

/* The difference of a value and its mean, modulo 2^16. */
static inline int32_t coded_value(const struct arith_push *push, size_t i)
{
    uint32_t mean = push->means != NULL ? (uint16_t)push->means[i] : 0u;
    return arith_signed((uint16_t)push->values[i] - mean);
}

/* What is to be pushed on a state: the slots of a value are base + (n << fold | low) for n from
 * 0 to frequency - 1. */
struct symbol {
    uint32_t frequency;
    uint32_t base;
    uint32_t low;
    uint8_t fold;
    uint8_t bits;
};

static inline int32_t clamp_group(int32_t group, int32_t reach)
{
    group = group < -reach ? -reach : group;
    return group >= reach ? reach - 1 : group;
}

/* Returns 1 for a value that the table does not cover. The branch is often mispredicted, and yet
 * faster than to compute both ways and to choose. */
static inline uint32_t find(const struct arith_table *table, int32_t value, struct symbol *found)
{
    found->bits = table->bits;
    if (value == 0) {
        found->frequency = table->zero;
        found->base = 0;
        found->low = 0;
        found->fold = 0;
        return 0;
    }
    uint32_t fold = table->fold;
    int32_t rank = arith_rank(value);
    uint32_t entry = table->pushes[clamp_group(arith_group(rank, fold), table->reach)];
    found->frequency = entry & ARITH_UNIT_MASK;
    found->base = table->zero + ((entry >> ARITH_UNIT_BITS & ARITH_UNIT_MASK) << fold);
    found->low = arith_low_bits(rank, fold);
    found->fold = (uint8_t)fold;
    return entry >> 31;
}

/* Puts one value on a state; returns where the words now begin. The word is stored in any case
 * and the cursor moves only if it counts. */
static inline uint8_t *push_symbol(const struct symbol *found, uint32_t *state, uint8_t *cursor)
{
    uint32_t x = *state;
    uint32_t full = (uint64_t)x >= (uint64_t)found->frequency << (32u - found->bits);
    arith_store16(cursor - ARITH_WORD_BYTES, x);
    x >>= full * 16u;
    uint32_t quotient = x / found->frequency;
    uint32_t rest = x - quotient * found->frequency;
    *state = (quotient << found->bits) + found->base + (rest << found->fold | found->low);
    return cursor - full * ARITH_WORD_BYTES;
}

void arith_push_escapes(struct arith_push *push, size_t start, uint64_t escaped)
{
    for (uint32_t lane = C3D_ARITH_MAX_LANES; escaped != 0 && lane-- > 0;) {
        if (escaped >> lane & 1u) {
            push->cursor -= ARITH_WORD_BYTES;
            arith_store16(push->cursor, (uint32_t)coded_value(push, start + lane));
        }
    }
}

void arith_push_row(struct arith_push *push, size_t start, uint32_t width)
{
    struct symbol found[C3D_ARITH_MAX_LANES];
    uint64_t escaped = 0;
    for (uint32_t lane = 0; lane < width; lane++) {
        size_t i = start + lane;
        const struct arith_table *table = &push->tables->table[push->indexes[i]];
        escaped |= (uint64_t)find(table, coded_value(push, i), &found[lane]) << lane;
    }
    arith_push_escapes(push, start, escaped);
    uint8_t *cursor = push->cursor;
    for (uint32_t lane = width; lane-- > 0;) {
        cursor = push_symbol(&found[lane], &push->states[lane], cursor);
    }
    push->cursor = cursor;
}

size_t arith_push_rows_portable(struct arith_push *push, size_t rows)
{
    size_t done = 0;
    while (done < rows && push->cursor >= push->limit) {
        done++;
        arith_push_row(push, (rows - done) * push->lanes, push->lanes);
    }
    return done;
}
