/* The bank: all checks first, then one allocation, then a build that cannot fail. */
#include <stdlib.h>
#include <string.h>

#include "arith_kernels.h"

static c3d_arith_status check_shapes(const c3d_arith_shape *shapes, size_t count)
{
    for (size_t t = 0; t < count; t++) {
        if (shapes[t].bits < C3D_ARITH_MIN_BITS || shapes[t].bits > C3D_ARITH_MAX_BITS ||
            shapes[t].fold > C3D_ARITH_MAX_FOLD) {
            return C3D_ARITH_ERR_TABLES_RANGE;
        }
        if (shapes[t].below > C3D_ARITH_MAX_GROUPS || shapes[t].above > C3D_ARITH_MAX_GROUPS) {
            return C3D_ARITH_ERR_TABLES_SIZE;
        }
    }
    return C3D_ARITH_OK;
}

/* Zero, groups, escape. */
static size_t entries_of(const c3d_arith_shape *shape)
{
    return (size_t)shape->below + shape->above + 2;
}

static c3d_arith_status check_table(const c3d_arith_shape *shape, const uint32_t *frequencies)
{
    size_t entries = entries_of(shape);
    uint64_t units = 0; /* 1023 frequencies of 32 bits cannot wrap it */
    for (size_t i = 0; i < entries; i++) {
        if (frequencies[i] == 0) {
            return C3D_ARITH_ERR_TABLES_ZERO;
        }
        units += i > 0 ? frequencies[i] : 0;
    }
    if (units > C3D_ARITH_MAX_UNITS) {
        return C3D_ARITH_ERR_TABLES_UNITS;
    }
    uint64_t sum = frequencies[0] + (units << shape->fold);
    return sum == (uint64_t)1 << shape->bits ? C3D_ARITH_OK : C3D_ARITH_ERR_TABLES_SUM;
}

static c3d_arith_status check_bank(const uint32_t *frequencies, size_t length,
                                   const c3d_arith_shape *shapes, size_t count)
{
    if (count < 1 || count > C3D_ARITH_MAX_TABLES) {
        return C3D_ARITH_ERR_TABLES_COUNT;
    }
    c3d_arith_status status = check_shapes(shapes, count);
    size_t entries = 0;
    for (size_t t = 0; t < count; t++) {
        entries += entries_of(&shapes[t]);
    }
    if (status == C3D_ARITH_OK && length != entries) {
        status = C3D_ARITH_ERR_TABLES_LENGTH;
    }
    for (size_t t = 0; t < count && status == C3D_ARITH_OK; t++) {
        status = check_table(&shapes[t], frequencies);
        frequencies += entries_of(&shapes[t]);
    }
    return status;
}

static uint32_t units_of(const c3d_arith_shape *shape, const uint32_t *frequencies)
{
    return ((1u << shape->bits) - frequencies[0]) >> shape->fold;
}

static uint32_t step_room(const c3d_arith_shape *shape, const uint32_t *frequencies)
{
    uint32_t units = units_of(shape, frequencies);
    return (units + ARITH_STEP_BLOCK - 1) / ARITH_STEP_BLOCK * ARITH_STEP_BLOCK;
}

/* The escape is one group further on both sides, so that a clamped group finds it. */
static uint32_t reach_of(const c3d_arith_shape *shape)
{
    return (shape->below > shape->above ? shape->below : shape->above) + 1u;
}

/* At most 3 MiB, so the sums cannot wrap. */
static c3d_arith_tables *allocate_bank(const uint32_t *frequencies,
                                       const c3d_arith_shape *shapes, size_t count)
{
    size_t steps = 0;
    size_t pushes = 0;
    for (size_t t = 0; t < count; t++) {
        steps += step_room(&shapes[t], frequencies);
        pushes += 2u * reach_of(&shapes[t]);
        frequencies += entries_of(&shapes[t]);
    }
    size_t bytes = sizeof(c3d_arith_tables) + (steps + pushes) * sizeof(uint32_t);
    c3d_arith_tables *tables = malloc(bytes);
    if (tables != NULL) {
        memset(tables, 0, bytes);
        tables->count = count;
        tables->bytes = bytes;
        tables->steps = (const uint32_t *)(const void *)(tables + 1);
        tables->pushes = tables->steps + steps;
    }
    return tables;
}

/* A pull from a state of 2^k or more, for k >= 16, takes off it what the likeliest value leaves
 * to the others, once for each 2^bits in 2^k. The share of a value says its cost on average
 * only: a long run of zeros can take less. */
static uint32_t period_of(const c3d_arith_shape *shape, const uint32_t *frequencies)
{
    uint32_t most = frequencies[0];
    for (size_t i = 1; i < entries_of(shape); i++) {
        most = frequencies[i] > most ? frequencies[i] : most;
    }
    uint32_t rest = (1u << shape->bits) - most;
    return ((1u << shape->bits) + rest - 1) / rest;
}

static void fill_group(uint32_t *steps, uint32_t *push, int32_t group, uint32_t frequency,
                       uint32_t start)
{
    *push = frequency | start << ARITH_UNIT_BITS;
    for (uint32_t offset = 0; offset < frequency; offset++) {
        steps[start + offset] = frequency | offset << ARITH_UNIT_BITS |
                                (uint32_t)group << ARITH_GROUP_SHIFT;
    }
}

/* Groups ascending, then the escape. */
static void fill_table(const c3d_arith_shape *shape, const uint32_t *frequencies,
                       uint32_t *steps, uint32_t *pushes)
{
    int32_t below = shape->below;
    int32_t above = shape->above;
    int32_t reach = (int32_t)reach_of(shape);
    uint32_t start = 0;
    uint32_t escape = 0;
    frequencies++;
    for (int32_t group = -below; group < above; group++, frequencies++) {
        fill_group(steps, &pushes[group], group, *frequencies, start);
        start += *frequencies;
    }
    fill_group(steps, &escape, ARITH_STEP_ESCAPE, *frequencies, start);
    for (int32_t group = -reach; group < reach; group++) {
        if (group < -below || group >= above) {
            pushes[group] = escape | ARITH_PUSH_ESCAPE;
        }
    }
}

static void describe_table(const c3d_arith_shape *shape, uint32_t zero, c3d_arith_tables *bank,
                           size_t t)
{
    uint32_t base = bank->step_bases[t];
    struct arith_table *table = &bank->table[t];
    table->steps = bank->steps + base;
    table->pushes = bank->pushes + ARITH_PUSH_AT(bank->push_bases[t]);
    table->zero = zero;
    table->mask = (1u << shape->bits) - 1u;
    table->reach = (uint16_t)reach_of(shape);
    table->below = shape->below;
    table->above = shape->above;
    table->bits = (uint8_t)shape->bits;
    table->fold = (uint8_t)shape->fold;
    bank->heads[t] = zero | (base / ARITH_STEP_BLOCK & 0x3FFu) << 16 |
                     (uint32_t)shape->fold << 26 |
                     (uint32_t)(shape->bits - C3D_ARITH_MIN_BITS) << 29;
}

static void build_bank(const uint32_t *frequencies, const c3d_arith_shape *shapes,
                       c3d_arith_tables *bank)
{
    uint32_t *pool = (uint32_t *)(void *)(bank + 1);
    uint32_t step = 0;
    uint32_t push = (uint32_t)(bank->pushes - bank->steps);
    uint32_t first_push = push;
    for (size_t t = 0; t < bank->count; t++) {
        uint32_t reach = reach_of(&shapes[t]);
        uint32_t period = period_of(&shapes[t], frequencies);
        bank->period = period > bank->period ? period : bank->period;
        bank->step_bases[t] = step;
        bank->push_bases[t] = (push - first_push + reach) | reach << 20;
        fill_table(&shapes[t], frequencies, pool + step, pool + push + reach);
        describe_table(&shapes[t], frequencies[0], bank, t);
        step += step_room(&shapes[t], frequencies);
        push += 2u * reach;
        frequencies += entries_of(&shapes[t]);
    }
    for (size_t t = bank->count; t < C3D_ARITH_MAX_TABLES; t++) {
        bank->table[t] = bank->table[0];
        bank->heads[t] = bank->heads[0];
        bank->step_bases[t] = bank->step_bases[0];
        bank->push_bases[t] = bank->push_bases[0];
    }
}

c3d_arith_status c3d_arith_tables_create(const uint32_t *frequencies, size_t length,
                                         const c3d_arith_shape *shapes, size_t count,
                                         c3d_arith_kernel kernel, c3d_arith_tables **tables)
{
    if (tables == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    *tables = NULL;
    if (frequencies == NULL || shapes == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    if (!c3d_arith_kernel_available(kernel)) {
        return C3D_ARITH_ERR_KERNEL;
    }
    c3d_arith_status status = check_bank(frequencies, length, shapes, count);
    if (status != C3D_ARITH_OK) {
        return status;
    }
    c3d_arith_tables *bank = allocate_bank(frequencies, shapes, count);
    if (bank == NULL) {
        return C3D_ARITH_ERR_MEMORY;
    }
    bank->kernel = arith_resolve_kernel(kernel);
    bank->pull_rows = arith_pull_kernel(bank->kernel);
    bank->push_rows = arith_push_kernel(bank->kernel);
    build_bank(frequencies, shapes, bank);
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

c3d_arith_kernel c3d_arith_tables_kernel(const c3d_arith_tables *tables)
{
    return tables == NULL ? C3D_ARITH_KERNEL_AUTO : tables->kernel;
}

size_t c3d_arith_tables_bytes(const c3d_arith_tables *tables)
{
    return tables == NULL ? 0 : tables->bytes;
}

int arith_indexes_valid(const c3d_arith_tables *tables, const uint8_t *indexes, size_t n)
{
    uint8_t highest = 0; /* no early exit: the loop is a plain vector maximum */
    for (size_t i = 0; i < n; i++) {
        highest = indexes[i] > highest ? indexes[i] : highest;
    }
    return highest < tables->count;
}
