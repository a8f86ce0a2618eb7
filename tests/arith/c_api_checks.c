/*
 * What the Python binding cannot reach: null pointers, exact capacities, too many values, no
 * memory, and the order of the checks. All are given wrong at first and put right one by one,
 * in the order in which the header lists the errors.
 *
 * The sources are compiled with malloc and free named checks_malloc and checks_free. Prints the
 * numbers of the statuses that it saw; exits with 1 and a line for the first that is wrong.
 */
#include "c_checks.h"

#undef malloc /* this file's own are the real ones */
#undef free
void *calloc(size_t count, size_t size);
void free(void *block);
void *checks_malloc(size_t size);
void checks_free(void *block);

static int allocations;
static int full_from = 1 << 30; /* the first allocation that fails */

void *checks_malloc(size_t size)
{
    void *block = allocations < full_from ? calloc(1, size) : NULL;
    allocations++;
    return block;
}

void checks_free(void *block)
{
    allocations -= block != NULL;
    free(block);
}

static const uint32_t plain[2] = {2047, 1};
static const c3d_arith_shape shape = {11, 0, 0, 0};

static c3d_arith_status create(const uint32_t *frequencies, size_t length,
                               const c3d_arith_shape *shapes, size_t count, int kernel)
{
    c3d_arith_tables *tables = (c3d_arith_tables *)(void *)&allocations;
    c3d_arith_status status = c3d_arith_tables_create(frequencies, length, shapes, count,
                                                      (c3d_arith_kernel)kernel, &tables);
    if ((status == C3D_ARITH_OK) != (tables != NULL)) {
        printf("status %d, but the tables are %p\n", (int)status, (void *)tables);
        return (c3d_arith_status)99;
    }
    c3d_arith_tables_destroy(tables);
    return status;
}

static int check_create_order(void)
{
    static const uint32_t zero[4] = {1, 0, 3000, 1};
    static const uint32_t units[4] = {1, 1, 3000, 1};
    static const uint32_t sum[4] = {1, 1, 2000, 1};
    c3d_arith_shape wrong = {17, 6, 512, 512};
    STATUS(create(NULL, 0, &wrong, 0, 4), C3D_ARITH_ERR_ARGUMENT);
    STATUS(create(zero, 0, NULL, 0, 4), C3D_ARITH_ERR_ARGUMENT);
    STATUS(create(zero, 0, &wrong, 0, 4), C3D_ARITH_ERR_KERNEL);
    STATUS(create(zero, 0, &wrong, 0, -1), C3D_ARITH_ERR_KERNEL);
    STATUS(create(zero, 0, &wrong, 0, 1), C3D_ARITH_ERR_TABLES_COUNT);
    STATUS(create(zero, 0, &wrong, 257, 1), C3D_ARITH_ERR_TABLES_COUNT);
    STATUS(create(zero, 0, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_RANGE);
    wrong.bits = 10;
    wrong.fold = 0;
    STATUS(create(zero, 0, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_RANGE);
    wrong.bits = 11;
    wrong.fold = 6;
    STATUS(create(zero, 0, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_RANGE);
    wrong.fold = 0;
    STATUS(create(zero, 0, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_SIZE);
    wrong.below = 1;
    STATUS(create(zero, 0, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_SIZE);
    wrong.above = 1;
    STATUS(create(zero, 3, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_LENGTH);
    STATUS(create(zero, 5, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_LENGTH);
    STATUS(create(zero, 4, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_ZERO);
    STATUS(create(units, 4, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_UNITS);
    full_from = 0;
    STATUS(create(sum, 4, &wrong, 1, 1), C3D_ARITH_ERR_TABLES_SUM);
    full_from = 1 << 30;
    STATUS(c3d_arith_tables_create(plain, 2, &shape, 1, C3D_ARITH_KERNEL_AUTO, NULL),
           C3D_ARITH_ERR_ARGUMENT);
    return 0;
}

/* The faults of the first table come before those of the second. */
static int check_table_by_table(void)
{
    const c3d_arith_shape shapes[2] = {{11, 0, 0, 0}, {11, 0, 0, 0}};
    const c3d_arith_shape second[2] = {{11, 0, 0, 0}, {11, 7, 0, 0}};
    const uint32_t sum_then_zero[4] = {2046, 1, 0, 1};
    const uint32_t second_sum[4] = {2047, 1, 2046, 1};
    STATUS(create(sum_then_zero, 4, second, 2, 1), C3D_ARITH_ERR_TABLES_RANGE);
    STATUS(create(sum_then_zero, 4, shapes, 2, 1), C3D_ARITH_ERR_TABLES_SUM);
    STATUS(create(second_sum, 4, shapes, 2, 1), C3D_ARITH_ERR_TABLES_SUM);
    return 0;
}

/* Each allocation fails in turn until none does; nothing of a failure is kept. */
static int check_memory(void)
{
    int failures = 0;
    for (full_from = 0;; full_from++) {
        int before = allocations;
        c3d_arith_status status = create(plain, 2, &shape, 1, 0);
        if (status == C3D_ARITH_OK) {
            CHECK(allocations == before);
            break;
        }
        STATUS(status, C3D_ARITH_ERR_MEMORY);
        allocations = 0;
        failures++;
    }
    CHECK(failures == 1);
    full_from = 1 << 30;
    return 0;
}

/* The builder's table of any weights is a valid bank; the heavier of two groups never has less.
 * Shares of uneven weights sum to more than there is, since none is below one; of even ones to
 * less. */
static int check_built(uint32_t seed, uint16_t fold, uint32_t uneven)
{
    enum { GROUPS = 20, ENTRIES = 2 * GROUPS + 2 };
    uint32_t weights[ENTRIES];
    uint32_t frequencies[ENTRIES];
    c3d_arith_shape built = {0, fold, GROUPS, GROUPS};
    for (uint32_t i = 0; i < ENTRIES; i++) {
        seed = seed * 1664525u + 1013904223u;
        weights[i] = 1000 + (seed >> 24) + uneven * (seed >> (seed >> 8) % 31) / 2;
    }
    STATUS(c3d_arith_table_build(weights, &built, frequencies), C3D_ARITH_OK);
    STATUS(create(frequencies, ENTRIES, &built, 1, 0), C3D_ARITH_OK);
    for (int a = 1; a < ENTRIES; a++) {
        for (int b = 1; b < ENTRIES; b++) {
            CHECK(weights[a] <= weights[b] || frequencies[a] >= frequencies[b]);
        }
    }
    return 0;
}

/* The limits themselves are allowed. */
static int check_largest(void)
{
    static uint32_t frequencies[256 * 1024];
    static c3d_arith_shape shapes[256];
    c3d_arith_tables *tables;
    for (size_t t = 0; t < 256; t++) {
        shapes[t] = (c3d_arith_shape){16, 5, 511, 511};
        for (size_t i = 0; i < 1024; i++) {
            frequencies[1024 * t + i] = i == 1023 ? 1025 : i > 0 ? 1 : 65536 - 2047 * 32;
        }
    }
    STATUS(c3d_arith_tables_create(frequencies, 256 * 1024, shapes, 256, C3D_ARITH_KERNEL_AUTO,
                                   &tables),
           C3D_ARITH_OK);
    CHECK(c3d_arith_tables_count(tables) == 256);
    CHECK(c3d_arith_tables_kernel(tables) != C3D_ARITH_KERNEL_AUTO);
    CHECK(c3d_arith_kernel_available(c3d_arith_tables_kernel(tables)));
    CHECK(c3d_arith_tables_bytes(tables) < (size_t)5 << 20);
    c3d_arith_tables_destroy(tables);
    c3d_arith_tables_destroy(NULL);
    CHECK(c3d_arith_tables_count(NULL) == 0 && c3d_arith_tables_bytes(NULL) == 0);
    CHECK(c3d_arith_tables_kernel(NULL) == C3D_ARITH_KERNEL_AUTO);
    return 0;
}

static int check_build(void)
{
    static uint32_t weights[1024];
    static uint32_t frequencies[1024];
    c3d_arith_shape built = {99, 6, 512, 512};
    STATUS(c3d_arith_table_build(NULL, &built, frequencies), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_table_build(weights, NULL, frequencies), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_table_build(weights, &built, NULL), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_table_build(weights, &built, frequencies), C3D_ARITH_ERR_TABLES_RANGE);
    built.fold = 0;
    STATUS(c3d_arith_table_build(weights, &built, frequencies), C3D_ARITH_ERR_TABLES_SIZE);
    built.below = 511;
    STATUS(c3d_arith_table_build(weights, &built, frequencies), C3D_ARITH_ERR_TABLES_SIZE);
    built.above = 511;
    STATUS(c3d_arith_table_build(weights, &built, frequencies), C3D_ARITH_ERR_TABLES_ZERO);
    weights[1023] = UINT32_MAX;
    for (uint16_t fold = 0; fold <= 5; fold++) {
        built = (c3d_arith_shape){0, fold, 511, 511};
        STATUS(c3d_arith_table_build(weights, &built, frequencies), C3D_ARITH_OK);
        CHECK(built.bits == 11 + fold);
        STATUS(create(frequencies, 1024, &built, 1, 0), C3D_ARITH_OK);
    }
    for (uint32_t seed = 0; seed < 60; seed++) {
        CHECK(!check_built(seed, (uint16_t)(seed % 6), seed % 2));
    }
    /* A table of zeros can have all the bits. */
    const uint32_t zeros[2] = {UINT32_MAX, 0};
    built = (c3d_arith_shape){0, 0, 0, 0};
    STATUS(c3d_arith_table_build(zeros, &built, frequencies), C3D_ARITH_OK);
    CHECK(built.bits == 16 && frequencies[0] == 65535 && frequencies[1] == 1);
    return 0;
}

static int check_texts(void)
{
    const char *unknown = c3d_arith_status_text((c3d_arith_status)99);
    CHECK(strcmp(unknown, c3d_arith_status_text((c3d_arith_status)-1)) == 0);
    for (int a = 0; a <= C3D_ARITH_ERR_CHECKSUM; a++) {
        const char *text = c3d_arith_status_text((c3d_arith_status)a);
        CHECK(text[0] != '\0' && text[strlen(text) - 1] != '.');
        CHECK(strcmp(text, unknown) != 0);
        for (int b = 0; b < a; b++) {
            CHECK(strcmp(text, c3d_arith_status_text((c3d_arith_status)b)) != 0);
        }
    }
    CHECK(strcmp(unknown, c3d_arith_status_text((c3d_arith_status)(C3D_ARITH_ERR_CHECKSUM + 1))) ==
          0);
    return 0;
}

int main(void)
{
    return check_create_order() || check_table_by_table() || check_memory() || check_largest() ||
           check_build() || check_texts() || check_payloads() || check_damage() ||
           check_slices() || check_kernels() || allocations != 0;
}
