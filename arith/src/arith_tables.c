/* The bank: all checks first, then one allocation, then a build that cannot fail. */
#include <stdlib.h>

#include "arith_internal.h"

static c3d_arith_status check_shapes(const int16_t *minimums, const uint16_t *sizes,
                                     size_t count)
{
    for (size_t t = 0; t < count; t++) {
        if (sizes[t] < 1 || sizes[t] > C3D_ARITH_MAX_SIZE) {
            return C3D_ARITH_ERR_TABLES_SIZE;
        }
        if ((int32_t)minimums[t] + (int32_t)sizes[t] - 1 > INT16_MAX) {
            return C3D_ARITH_ERR_TABLES_RANGE;
        }
    }
    return C3D_ARITH_OK;
}

static size_t total_entries(const uint16_t *sizes, size_t count)
{
    size_t entries = 0;
    for (size_t t = 0; t < count; t++) {
        entries += (size_t)sizes[t] + 1;
    }
    return entries;
}

static c3d_arith_status check_table(const uint32_t *frequencies, size_t entries)
{
    uint64_t sum = 0; /* 1025 frequencies of 32 bits cannot wrap it */
    for (size_t i = 0; i < entries; i++) {
        if (frequencies[i] == 0) {
            return C3D_ARITH_ERR_TABLES_ZERO;
        }
        sum += frequencies[i];
    }
    return sum == C3D_ARITH_TOTAL ? C3D_ARITH_OK : C3D_ARITH_ERR_TABLES_SUM;
}

static c3d_arith_status check_bank(const uint32_t *frequencies, size_t length,
                                   const int16_t *minimums, const uint16_t *sizes, size_t count)
{
    if (count < 1 || count > C3D_ARITH_MAX_TABLES) {
        return C3D_ARITH_ERR_TABLES_COUNT;
    }
    c3d_arith_status status = check_shapes(minimums, sizes, count);
    if (status == C3D_ARITH_OK && length != total_entries(sizes, count)) {
        status = C3D_ARITH_ERR_TABLES_LENGTH;
    }
    for (size_t t = 0; t < count && status == C3D_ARITH_OK; t++) {
        status = check_table(frequencies, (size_t)sizes[t] + 1);
        frequencies += (size_t)sizes[t] + 1;
    }
    return status;
}

/* The parts of the one block behind the bank, in the order of falling alignment. */
struct parts {
    struct arith_push *pushes;
    uint32_t *steps;
    uint8_t *highs;
};

static size_t wide_tables(const uint16_t *sizes, size_t count)
{
    size_t wide = 0;
    for (size_t t = 0; t < count; t++) {
        wide += sizes[t] > ARITH_NARROW_SIZE;
    }
    return wide;
}

/* At most 9 MiB (256 tables of 1024 symbols), so the sums cannot wrap. */
static c3d_arith_tables *allocate_bank(const uint16_t *sizes, size_t count, struct parts *parts)
{
    size_t entries = total_entries(sizes, count);
    size_t push_bytes = entries * sizeof(struct arith_push);
    size_t step_bytes = count * C3D_ARITH_TOTAL * sizeof(uint32_t);
    size_t high_bytes = wide_tables(sizes, count) * C3D_ARITH_TOTAL;

    c3d_arith_tables *tables =
        malloc(sizeof(c3d_arith_tables) + push_bytes + step_bytes + high_bytes);
    if (tables != NULL) {
        parts->pushes = (struct arith_push *)(void *)(tables + 1);
        parts->steps = (uint32_t *)(void *)(parts->pushes + entries);
        parts->highs = (uint8_t *)(void *)(parts->steps + count * C3D_ARITH_TOTAL);
        tables->count = count;
    }
    return tables;
}

static struct arith_push make_push(uint32_t frequency, uint32_t start)
{
    struct arith_push push;
    push.reciprocal = (((uint64_t)1 << 44) + frequency - 1) / frequency;
    push.limit = frequency << 20; /* 2^16 / 4096 * 2^16 states a unit; f < 4096 fits */
    push.start = (uint16_t)start;
    push.complement = (uint16_t)(C3D_ARITH_TOTAL - frequency);
    return push;
}

static void fill_steps(uint32_t *steps, uint8_t *highs, uint32_t position, uint32_t frequency,
                       uint32_t start)
{
    for (uint32_t offset = 0; offset < frequency; offset++) {
        steps[start + offset] = (position & 0xFFu) << 24 | frequency << 12 | offset;
        if (highs != NULL) {
            highs[start + offset] = (uint8_t)(position >> 8);
        }
    }
}

static void build_table(const uint32_t *frequencies, uint32_t size, struct parts *parts,
                        struct arith_table *table)
{
    uint8_t *highs = size > ARITH_NARROW_SIZE ? parts->highs : NULL;
    uint32_t start = 0;
    for (uint32_t position = 0; position <= size; position++) {
        parts->pushes[position] = make_push(frequencies[position], start);
        fill_steps(parts->steps, highs, position, frequencies[position], start);
        start += frequencies[position];
    }
    table->pushes = parts->pushes;
    table->steps = parts->steps;
    table->highs = highs;
    table->size = size;
    parts->pushes += size + 1;
    parts->steps += C3D_ARITH_TOTAL;
    parts->highs += highs != NULL ? C3D_ARITH_TOTAL : 0;
}

static void build_bank(const uint32_t *frequencies, const int16_t *minimums,
                       const uint16_t *sizes, struct parts parts, c3d_arith_tables *tables)
{
    for (size_t t = 0; t < tables->count; t++) {
        build_table(frequencies, sizes[t], &parts, &tables->table[t]);
        tables->table[t].minimum = minimums[t];
        frequencies += (size_t)sizes[t] + 1;
    }
    for (size_t t = tables->count; t < C3D_ARITH_MAX_TABLES; t++) {
        tables->table[t] = tables->table[0];
    }
}

c3d_arith_status c3d_arith_tables_create(const uint32_t *frequencies, size_t length,
                                         const int16_t *minimums, const uint16_t *sizes,
                                         size_t count, c3d_arith_tables **tables)
{
    if (tables == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    *tables = NULL;
    if (frequencies == NULL || minimums == NULL || sizes == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    c3d_arith_status status = check_bank(frequencies, length, minimums, sizes, count);
    if (status != C3D_ARITH_OK) {
        return status;
    }
    struct parts parts;
    c3d_arith_tables *bank = allocate_bank(sizes, count, &parts);
    if (bank == NULL) {
        return C3D_ARITH_ERR_MEMORY;
    }
    build_bank(frequencies, minimums, sizes, parts, bank);
    *tables = bank;
    return C3D_ARITH_OK;
}

void c3d_arith_tables_destroy(c3d_arith_tables *tables)
{
    free(tables);
}

size_t c3d_arith_tables_count(const c3d_arith_tables *tables)
{
    return tables == NULL ? 0 : tables->count;
}

int arith_indexes_valid(const c3d_arith_tables *tables, const uint8_t *indexes, size_t n)
{
    uint8_t highest = 0; /* no early exit: the loop is a plain vector maximum */
    for (size_t i = 0; i < n; i++) {
        highest = indexes[i] > highest ? indexes[i] : highest;
    }
    return highest < tables->count;
}
