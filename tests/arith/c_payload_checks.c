/* Checks of encoding and decoding: what is refused, in the order of the header, and how much
 * room is needed. */
#include <stdlib.h>

#include "c_checks.h"

enum { N = 300, ROOM = 1 + 4 * 64 + 4 * N };

static int16_t values[N];
static int16_t decoded[N];
static uint8_t indexes[N];
static uint8_t payload[ROOM];

/* Two tables: nothing but zero, and four groups of four values. */
static c3d_arith_tables *make_tables(c3d_arith_kernel kernel)
{
    static const uint32_t frequencies[8] = {2047, 1, 3000, 40, 70, 60, 100, 4};
    static const c3d_arith_shape shapes[2] = {{11, 0, 0, 0}, {12, 2, 2, 2}};
    c3d_arith_tables *tables = NULL;
    (void)c3d_arith_tables_create(frequencies, 8, shapes, 2, kernel, &tables);
    return tables;
}

static void make_values(void)
{
    for (int i = 0; i < N; i++) {
        values[i] = (int16_t)(i % 7 == 0 ? i * 211 - 32768 : i % 3 == 0 ? i % 17 - 8 : 0);
        indexes[i] = (uint8_t)(i % 2);
    }
}

/* The least that a wrong index costs is an answer before anything is written. */
static int check_encode_order(const c3d_arith_tables *t)
{
    static uint8_t wrong[N] = {2};
    size_t n = C3D_ARITH_MAX_VALUES;
    size_t w = 9;
    c3d_arith_part parts[2] = {{NULL, values, NULL, wrong, 1}, {t, values, NULL, wrong, n}};
    STATUS(c3d_arith_encode(parts, 2, 3, payload, 0, NULL), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_encode(NULL, 2, 3, payload, 0, &w), C3D_ARITH_ERR_ARGUMENT);
    CHECK(w == 0);
    STATUS(c3d_arith_encode(parts, 2, 3, payload, 0, &w), C3D_ARITH_ERR_ARGUMENT);
    parts[0] = (c3d_arith_part){t, NULL, NULL, wrong, 1};
    STATUS(c3d_arith_encode(parts, 2, 3, payload, 0, &w), C3D_ARITH_ERR_ARGUMENT);
    parts[0] = (c3d_arith_part){t, values, NULL, NULL, 1};
    STATUS(c3d_arith_encode(parts, 2, 3, payload, 0, &w), C3D_ARITH_ERR_ARGUMENT);
    parts[0].indexes = wrong;
    STATUS(c3d_arith_encode(parts, 2, 3, NULL, 0, &w), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_encode(parts, 2, 3, payload, 0, &w), C3D_ARITH_ERR_LANES);
    STATUS(c3d_arith_encode(parts, 2, 128, payload, 0, &w), C3D_ARITH_ERR_LANES);
    STATUS(c3d_arith_encode(parts, 2, 1, payload, 0, &w), C3D_ARITH_ERR_LENGTH);
    parts[1].n = SIZE_MAX;
    STATUS(c3d_arith_encode(parts, 2, 1, payload, 0, &w), C3D_ARITH_ERR_LENGTH);
    parts[1].n = 1;
    STATUS(c3d_arith_encode(parts, 2, 1, payload, 0, &w), C3D_ARITH_ERR_INDEX);
    parts[0].indexes = indexes;
    STATUS(c3d_arith_encode(parts, 2, 1, payload, 0, &w), C3D_ARITH_ERR_INDEX);
    parts[1].indexes = indexes;
    STATUS(c3d_arith_encode(parts, 2, 1, payload, 0, &w), C3D_ARITH_ERR_CAPACITY);
    CHECK(w == 0);
    return 0;
}

/* Without a value nothing is read or written, and every pointer may be null. */
static int check_nothing(const c3d_arith_tables *t)
{
    size_t w = 9;
    const c3d_arith_part none[2] = {{NULL, NULL, NULL, NULL, 0}, {t, NULL, NULL, NULL, 0}};
    c3d_arith_decoder decoder;
    STATUS(c3d_arith_encode(NULL, 0, 0, NULL, 0, &w), C3D_ARITH_OK);
    CHECK(w == 0);
    STATUS(c3d_arith_encode(none, 2, 64, NULL, 0, &w), C3D_ARITH_OK);
    CHECK(w == 0);
    STATUS(c3d_arith_decode(t, NULL, 0, NULL, NULL, NULL, 0, NULL), C3D_ARITH_OK);
    STATUS(c3d_arith_decode(t, NULL, 0, indexes, NULL, decoded, 1, NULL),
           C3D_ARITH_ERR_TRUNCATED);
    STATUS(c3d_arith_decoder_init(&decoder, NULL, 0), C3D_ARITH_OK);
    CHECK(c3d_arith_decoder_lanes(&decoder) == 0 && c3d_arith_decoder_lanes(NULL) == 0);
    STATUS(c3d_arith_decoder_finish(&decoder), C3D_ARITH_OK);
    CHECK(c3d_arith_bound(0) == 0 && c3d_arith_bound(C3D_ARITH_MAX_VALUES + 1) == 0);
    CHECK(c3d_arith_bound(1) == 261 && c3d_arith_bound(SIZE_MAX) == 0);
    CHECK(c3d_arith_bound(C3D_ARITH_MAX_VALUES) == 257 + ((size_t)1 << 30));
    return 0;
}

/* Every capacity is refused up to the exact one, which gives the same bytes. Each has its own
 * block, so that a sanitizer sees one byte too many. */
static int check_capacities(const c3d_arith_tables *t, size_t n, unsigned lanes)
{
    const c3d_arith_part part = {t, values, NULL, indexes, n};
    size_t length;
    size_t w;
    STATUS(c3d_arith_encode(&part, 1, lanes, payload, ROOM, &length), C3D_ARITH_OK);
    for (size_t capacity = 0; capacity <= length; capacity++) {
        uint8_t *exact = malloc(capacity + (capacity == 0));
        CHECK(exact != NULL);
        c3d_arith_status status = c3d_arith_encode(&part, 1, lanes, exact, capacity, &w);
        int same = w == length && memcmp(exact, payload, length) == 0;
        free(exact);
        CHECK(status == (capacity < length ? C3D_ARITH_ERR_CAPACITY : C3D_ARITH_OK));
        CHECK(capacity < length ? w == 0 : same);
    }
    return 0;
}

static int check_init_order(void)
{
    c3d_arith_decoder d;
    uint8_t bytes[9] = {7, 0, 0, 0, 0, 0, 0, 0, 0};
    STATUS(c3d_arith_decoder_init(NULL, bytes, 5), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_decoder_init(&d, NULL, 5), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_decoder_init(&d, bytes, 1), C3D_ARITH_ERR_LANES);
    bytes[0] = 1;
    STATUS(c3d_arith_decoder_init(&d, bytes, 8), C3D_ARITH_ERR_TRUNCATED);
    STATUS(c3d_arith_decoder_init(&d, bytes, 9), C3D_ARITH_ERR_STATE);
    bytes[3] = 1; /* the first lane is right now, the second not */
    STATUS(c3d_arith_decoder_init(&d, bytes, 9), C3D_ARITH_ERR_STATE);
    STATUS(c3d_arith_decoder_pull(&d, NULL, NULL, NULL, NULL, 1, NULL), C3D_ARITH_ERR_STATE);
    STATUS(c3d_arith_decoder_finish(&d), C3D_ARITH_ERR_STATE);
    bytes[7] = 1;
    STATUS(c3d_arith_decoder_init(&d, bytes, 9), C3D_ARITH_OK);
    CHECK(c3d_arith_decoder_lanes(&d) == 2);
    STATUS(c3d_arith_decoder_finish(&d), C3D_ARITH_ERR_TRAILING); /* states, but no values */
    STATUS(c3d_arith_decoder_finish(NULL), C3D_ARITH_ERR_ARGUMENT);
    return 0;
}

static c3d_arith_status pull_first(const c3d_arith_tables *t, const uint8_t *at, int16_t *to,
                                   size_t n)
{
    static const uint8_t states[5] = {0, 0, 0, 1, 0};
    c3d_arith_decoder d;
    (void)c3d_arith_decoder_init(&d, states, sizeof(states));
    c3d_arith_status status = c3d_arith_decoder_pull(&d, t, at, NULL, to, n, NULL);
    /* Every later call answers the same. */
    if (c3d_arith_decoder_pull(&d, t, indexes, NULL, decoded, 0, NULL) != status ||
        (status != C3D_ARITH_OK && c3d_arith_decoder_finish(&d) != status)) {
        return (c3d_arith_status)99;
    }
    return status;
}

static int check_pull_order(const c3d_arith_tables *t)
{
    static const uint8_t wrong[N] = {0, 2};
    size_t many = C3D_ARITH_MAX_VALUES + 1;
    STATUS(c3d_arith_decoder_pull(NULL, t, wrong, NULL, decoded, 1, NULL),
           C3D_ARITH_ERR_ARGUMENT);
    STATUS(pull_first(NULL, wrong, decoded, many), C3D_ARITH_ERR_ARGUMENT);
    STATUS(pull_first(t, NULL, decoded, many), C3D_ARITH_ERR_ARGUMENT);
    STATUS(pull_first(t, wrong, NULL, many), C3D_ARITH_ERR_ARGUMENT);
    STATUS(pull_first(t, wrong, decoded, many), C3D_ARITH_ERR_LENGTH);
    STATUS(pull_first(t, wrong, decoded, SIZE_MAX), C3D_ARITH_ERR_LENGTH);
    STATUS(pull_first(t, wrong, decoded, N), C3D_ARITH_ERR_INDEX);
    STATUS(pull_first(t, indexes, decoded, N), C3D_ARITH_ERR_TRUNCATED);
    STATUS(pull_first(t, indexes, decoded, 0), C3D_ARITH_OK);
    return 0;
}

int check_payloads(void)
{
    const unsigned lanes[4] = {1, 4, 16, 64};
    make_values();
    for (int k = C3D_ARITH_KERNEL_PORTABLE; k <= C3D_ARITH_KERNEL_AVX512; k++) {
        c3d_arith_tables *tables = make_tables((c3d_arith_kernel)k);
        CHECK((tables != NULL) == c3d_arith_kernel_available((c3d_arith_kernel)k));
        for (int i = 0; i < 4 && tables != NULL; i++) {
            CHECK(!check_capacities(tables, 1, lanes[i]));
            CHECK(!check_capacities(tables, N, lanes[i]));
        }
        c3d_arith_tables_destroy(tables);
    }
    c3d_arith_tables *tables = make_tables(C3D_ARITH_KERNEL_AUTO);
    int failed = check_encode_order(tables) || check_nothing(tables) || check_init_order() ||
                 check_pull_order(tables);
    c3d_arith_tables_destroy(tables);
    return failed;
}
