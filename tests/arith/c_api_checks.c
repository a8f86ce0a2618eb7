/*
 * What the Python binding cannot reach: null pointers, exact capacities, too many symbols, no
 * memory. The sources are compiled with malloc named checks_malloc. Prints the status numbers
 * that it saw; exits with 1 and a line for the first check that fails.
 */
#include <stdio.h>
#include <string.h>

#include "c3d_arith.h"

void *calloc(size_t count, size_t size);
void *checks_malloc(size_t size);

static int memory_is_full;

void *checks_malloc(size_t size)
{
    return memory_is_full ? NULL : calloc(1, size);
}

#define CHECK(condition)                                      \
    do {                                                      \
        if (!(condition)) {                                   \
            printf("line %d: %s\n", __LINE__, #condition);    \
            return 1;                                         \
        }                                                     \
    } while (0)

#define STATUS(call, expected)                                       \
    do {                                                             \
        c3d_arith_status seen = (call);                              \
        if (seen != (expected)) {                                    \
            printf("line %d: %s: %d\n", __LINE__, #call, (int)seen); \
            return 1;                                                \
        }                                                            \
        printf("%d\n", (int)seen);                                   \
    } while (0)

static const uint32_t frequencies[2] = {4095, 1};
static const int16_t minimums[1] = {0};
static const uint16_t sizes[1] = {1};

enum { MOST = 1100 };
static int16_t symbols[MOST];
static int16_t decoded[MOST];
static uint8_t indexes[MOST];
static uint8_t out[32 + 6 * MOST];

static int check_create(c3d_arith_tables **tables)
{
    STATUS(c3d_arith_tables_create(NULL, 2, minimums, sizes, 1, tables), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_tables_create(frequencies, 2, NULL, sizes, 1, tables),
           C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_tables_create(frequencies, 2, minimums, NULL, 1, tables),
           C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_tables_create(frequencies, 2, minimums, sizes, 1, NULL),
           C3D_ARITH_ERR_ARGUMENT);
    memory_is_full = 1;
    STATUS(c3d_arith_tables_create(frequencies, 2, minimums, sizes, 1, tables),
           C3D_ARITH_ERR_MEMORY);
    CHECK(*tables == NULL);
    memory_is_full = 0;
    STATUS(c3d_arith_tables_create(frequencies, 2, minimums, sizes, 1, tables), C3D_ARITH_OK);
    CHECK(c3d_arith_tables_count(*tables) == 1 && c3d_arith_tables_count(NULL) == 0);
    return 0;
}

static int check_pointers(const c3d_arith_tables *t)
{
    size_t w = 9;
    STATUS(c3d_arith_encode(NULL, symbols, indexes, 1, out, 10, &w), C3D_ARITH_ERR_ARGUMENT);
    CHECK(w == 0);
    STATUS(c3d_arith_encode(t, NULL, indexes, 1, out, 10, &w), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_encode(t, symbols, NULL, 1, out, 10, &w), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_encode(t, symbols, indexes, 1, NULL, 10, &w), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_encode(t, symbols, indexes, 1, out, 10, NULL), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_encode(t, NULL, NULL, 0, NULL, 0, &w), C3D_ARITH_OK);
    STATUS(c3d_arith_decode(NULL, out, 4, indexes, symbols, 1), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_decode(t, NULL, 4, indexes, symbols, 1), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_decode(t, out, 4, NULL, symbols, 1), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_decode(t, out, 4, indexes, NULL, 1), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_decode(t, NULL, 0, indexes, symbols, 1), C3D_ARITH_ERR_TRUNCATED);
    STATUS(c3d_arith_decode(t, NULL, 0, NULL, NULL, 0), C3D_ARITH_OK);
    return 0;
}

static int check_too_many(const c3d_arith_tables *t)
{
    size_t w;
    size_t n = C3D_ARITH_MAX_SYMBOLS + 1;
    STATUS(c3d_arith_encode(t, symbols, indexes, n, out, 10, &w), C3D_ARITH_ERR_LENGTH);
    STATUS(c3d_arith_decode(t, out, 4, indexes, symbols, n), C3D_ARITH_ERR_LENGTH);
    CHECK(c3d_arith_bound(n) == 0 && c3d_arith_bound(0) == 0);
    CHECK(c3d_arith_bound(1) == 10 && c3d_arith_bound(1024) == 32 + 6 * 1024);
    return 0;
}

/* Every capacity from 0 on is refused until the exact one, which gives the same bytes. */
static int check_capacity(const c3d_arith_tables *t, size_t n)
{
    static uint8_t exact[sizeof(out)];
    size_t length;
    size_t w;
    STATUS(c3d_arith_encode(t, symbols, indexes, n, out, sizeof(out), &length), C3D_ARITH_OK);
    for (size_t capacity = 0; capacity < length; capacity++) {
        memset(exact, 0xA5, sizeof(exact));
        CHECK(c3d_arith_encode(t, symbols, indexes, n, exact, capacity, &w) ==
              C3D_ARITH_ERR_CAPACITY);
        CHECK(w == 0 && exact[capacity] == 0xA5);
    }
    STATUS(c3d_arith_encode(t, symbols, indexes, n, exact, 0, &w), C3D_ARITH_ERR_CAPACITY);
    STATUS(c3d_arith_encode(t, symbols, indexes, n, exact, length, &w), C3D_ARITH_OK);
    CHECK(w == length && memcmp(exact, out, length) == 0);
    STATUS(c3d_arith_decode(t, exact, length, indexes, decoded, n), C3D_ARITH_OK);
    CHECK(memcmp(decoded, symbols, n * sizeof(symbols[0])) == 0);
    return 0;
}

static int check_texts(void)
{
    for (int a = 0; a <= C3D_ARITH_ERR_MEMORY; a++) {
        const char *text = c3d_arith_status_text((c3d_arith_status)a);
        CHECK(strcmp(text, c3d_arith_status_text((c3d_arith_status)99)) != 0);
        for (int b = 0; b < a; b++) {
            CHECK(strcmp(text, c3d_arith_status_text((c3d_arith_status)b)) != 0);
        }
    }
    return 0;
}

int main(void)
{
    c3d_arith_tables *tables;
    for (int i = 0; i < MOST; i++) {
        symbols[i] = (int16_t)(i % 5 == 0 ? i * 31 - 16000 : 0);
    }
    int failed = check_create(&tables) || check_pointers(tables) || check_too_many(tables) ||
                 check_capacity(tables, 1) || check_capacity(tables, 50) ||
                 check_capacity(tables, MOST) || check_texts() ||
                 c3d_arith_crc32c(0, NULL, 0) != 0;
    c3d_arith_tables_destroy(tables);
    c3d_arith_tables_destroy(NULL);
    return failed;
}
