/* The encoder's interface: checks, the choice of lanes, the place of the payload. */
#include <string.h>

#include "arith_kernels.h"

size_t c3d_arith_bound(size_t n)
{
    if (n == 0 || n > C3D_ARITH_MAX_VALUES) {
        return 0;
    }
    return 1u + C3D_ARITH_MAX_LANES * ARITH_STATE_BYTES + n * ARITH_VALUE_BYTES;
}

static c3d_arith_status check_pointers(const c3d_arith_part *parts, size_t count,
                                       const uint8_t *out)
{
    if (parts == NULL && count > 0) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    for (size_t p = 0; p < count; p++) {
        const c3d_arith_part *part = &parts[p];
        if (part->n > 0 && (part->tables == NULL || part->values == NULL ||
                            part->indexes == NULL || out == NULL)) {
            return C3D_ARITH_ERR_ARGUMENT;
        }
    }
    return C3D_ARITH_OK;
}

static c3d_arith_status check_parts(const c3d_arith_part *parts, size_t count, size_t *total)
{
    *total = 0;
    for (size_t p = 0; p < count; p++) {
        if (parts[p].n > C3D_ARITH_MAX_VALUES - *total) {
            return C3D_ARITH_ERR_LENGTH;
        }
        *total += parts[p].n;
    }
    for (size_t p = 0; p < count; p++) {
        if (parts[p].n > 0 && !arith_indexes_valid(parts[p].tables, parts[p].indexes, parts[p].n)) {
            return C3D_ARITH_ERR_INDEX;
        }
    }
    return C3D_ARITH_OK;
}

/* floor(log2) times 2^8, good to a sixteenth of a bit: for an estimate only. */
static uint32_t rough_log2(uint32_t value)
{
    uint32_t whole = 0;
    while (value >> whole > 1) {
        whole++;
    }
    return (whole << 8) + (uint32_t)(((uint64_t)value << 8 >> whole) - 256u);
}

static uint64_t rough_bits(const struct arith_table *table, int32_t value)
{
    int32_t group = arith_group(arith_rank(value), table->fold);
    if (value == 0) {
        return ((uint64_t)table->bits << 8) - rough_log2(table->zero);
    }
    if (group < -(int32_t)table->below || group >= (int32_t)table->above) {
        return (uint64_t)(table->bits + 16u) << 8;
    }
    return ((uint64_t)table->bits << 8) - rough_log2(table->pushes[group] & ARITH_UNIT_MASK);
}

enum { SAMPLE = 61 }; /* a prime, so that no period of the values is met */

/* Bytes that the parts will take, from each 61st value. */
static uint64_t rough_bytes(const c3d_arith_part *parts, size_t count)
{
    uint64_t bits = 0;
    for (size_t p = 0; p < count; p++) {
        const c3d_arith_part *part = &parts[p];
        for (size_t i = 0; i < part->n; i += SAMPLE) {
            uint32_t mean = part->means == NULL ? 0u : (uint16_t)part->means[i];
            bits += rough_bits(&part->tables->table[part->indexes[i]],
                               arith_signed((uint16_t)part->values[i] - mean));
        }
    }
    return bits * SAMPLE >> 11;
}

/* A lane costs four bytes: above sixteen, about a hundredth of the payload at most. Sixteen are
 * half as fast as thirty-two, which are nearly as fast as sixty-four; fewer than sixteen would
 * leave the vector kernels idle where there are enough values to make their speed count. */
static unsigned choose_lanes(const c3d_arith_part *parts, size_t count, size_t total)
{
    uint64_t bytes = rough_bytes(parts, count);
    if (bytes >= 65536) {
        return 64;
    }
    if (bytes >= 12288) {
        return 32;
    }
    if (total >= 8192) {
        return 16;
    }
    return total >= 1024 ? 8 : 1;
}

/* The last values of a part that do not fill a row. */
static int push_short_row(struct arith_push *push, size_t start, uint32_t width,
                          const uint8_t *floor)
{
    uint8_t scratch[ARITH_ROW_BYTES];
    uint8_t *end = scratch + sizeof(scratch);
    uint8_t *cursor = push->cursor;
    push->cursor = end;
    arith_push_row(push, start, width);
    size_t used = (size_t)(end - push->cursor);
    if ((size_t)(cursor - floor) < used) {
        return 0;
    }
    memcpy(cursor - used, push->cursor, used);
    push->cursor = cursor - used;
    return 1;
}

/* Pushes a part from its end to its start; 0 where the room above `floor` is too small. */
static int push_part(struct arith_push *push, size_t n, uint8_t *floor)
{
    size_t rows = n / push->lanes;
    size_t rest = n % push->lanes;
    if (rest > 0 && !push_short_row(push, rows * push->lanes, (uint32_t)rest, floor)) {
        return 0;
    }
    while (rows > 0) {
        if ((size_t)(push->cursor - floor) >= ARITH_ROW_BYTES + ARITH_PUSH_SLACK) {
            push->limit = floor + ARITH_ROW_BYTES + ARITH_PUSH_SLACK;
            rows -= push->tables->push_rows(push, rows);
        } else {
            rows--;
            if (!push_short_row(push, rows * push->lanes, push->lanes, floor)) {
                return 0;
            }
        }
    }
    return 1;
}

/* The words are written backwards from the end of the buffer, since their number is known
 * only afterwards, and then moved down to the states. */
static c3d_arith_status encode_payload(const c3d_arith_part *parts, size_t count,
                                       unsigned lanes, uint8_t *out, size_t capacity,
                                       size_t *written)
{
    size_t head = 1u + lanes * ARITH_STATE_BYTES;
    uint32_t states[C3D_ARITH_MAX_LANES];
    if (capacity < head) {
        return C3D_ARITH_ERR_CAPACITY;
    }
    for (unsigned lane = 0; lane < lanes; lane++) {
        states[lane] = ARITH_STATE_LOW;
    }
    uint8_t *end = out + capacity;
    uint8_t *cursor = end;
    for (size_t p = count; p-- > 0;) {
        struct arith_push push = {parts[p].tables, parts[p].indexes, parts[p].means,
                                  parts[p].values, lanes,            states,
                                  cursor,          NULL};
        if (!push_part(&push, parts[p].n, out + head)) {
            return C3D_ARITH_ERR_CAPACITY;
        }
        cursor = push.cursor;
    }
    uint8_t power = 0;
    while (1u << power < lanes) {
        power++;
    }
    out[0] = power;
    for (unsigned lane = 0; lane < lanes; lane++) {
        arith_store32(out + 1 + lane * ARITH_STATE_BYTES, states[lane]);
    }
    memmove(out + head, cursor, (size_t)(end - cursor));
    *written = head + (size_t)(end - cursor);
    return C3D_ARITH_OK;
}

c3d_arith_status c3d_arith_encode(const c3d_arith_part *parts, size_t count, unsigned lanes,
                                  uint8_t *out, size_t capacity, size_t *written)
{
    if (written == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    *written = 0;
    c3d_arith_status status = check_pointers(parts, count, out);
    if (status != C3D_ARITH_OK) {
        return status;
    }
    if (lanes > C3D_ARITH_MAX_LANES || (lanes & (lanes - 1)) != 0) {
        return C3D_ARITH_ERR_LANES;
    }
    size_t total;
    status = check_parts(parts, count, &total);
    if (status != C3D_ARITH_OK || total == 0) {
        return status;
    }
    unsigned chosen = lanes != 0 ? lanes : choose_lanes(parts, count, total);
    /* More room than the bound would only put the words further from their final place. */
    size_t bound = c3d_arith_bound(total);
    return encode_payload(parts, count, chosen, out, capacity < bound ? capacity : bound,
                          written);
}
