/* Checks of what a decoder finds in damaged payloads and blocks of slices, and in which order. */
#include <stdlib.h>

#include "c_checks.h"

/* A bank that covers zero only: every other value is escaped, as a whole word. */
static c3d_arith_tables *make_tables(void)
{
    static const uint32_t frequencies[2] = {2047, 1};
    static const c3d_arith_shape shape = {11, 0, 0, 0};
    c3d_arith_tables *tables = NULL;
    (void)c3d_arith_tables_create(frequencies, 2, &shape, 1, C3D_ARITH_KERNEL_AUTO, &tables);
    return tables;
}

/* More values than the decoder takes at once where it keeps a checksum. */
enum { N = 400 };
static const uint8_t indexes[N];
static int16_t decoded[N];

static size_t encode_escapes(const c3d_arith_tables *t, uint8_t *out, size_t capacity)
{
    static int16_t values[N];
    size_t length = 0;
    for (int i = 0; i < N; i++) {
        values[i] = 0x4321;
    }
    c3d_arith_part part = {t, values, NULL, indexes, N};
    return c3d_arith_encode(&part, 1, 1, out, capacity, &length) == C3D_ARITH_OK ? length : 0;
}

/* An escaped zero is no encoder's, but the end of the bytes is found before it, whether or not a
 * checksum is wanted. */
static int check_escapes(const c3d_arith_tables *t)
{
    uint8_t payload[5 + 4 * N];
    uint32_t checksum = 0;
    size_t length = encode_escapes(t, payload, sizeof(payload));
    size_t at = 5;
    CHECK(length > 0);
    while (payload[at] != 0x21 || payload[at + 1] != 0x43) {
        at += 2;
    }
    payload[at] = 0;
    payload[at + 1] = 0;
    STATUS(c3d_arith_decode(t, payload, length, indexes, NULL, decoded, N, NULL),
           C3D_ARITH_ERR_ESCAPE);
    STATUS(c3d_arith_decode(t, payload, length, indexes, NULL, decoded, N, &checksum),
           C3D_ARITH_ERR_ESCAPE);
    STATUS(c3d_arith_decode(t, payload, length - 2, indexes, NULL, decoded, N, NULL),
           C3D_ARITH_ERR_TRUNCATED);
    STATUS(c3d_arith_decode(t, payload, length - 2, indexes, NULL, decoded, N, &checksum),
           C3D_ARITH_ERR_TRUNCATED);
    return 0;
}

/* One zero takes the state from 65536 to 32 * 2048 + 32. */
static int check_end(const c3d_arith_tables *t)
{
    uint8_t payload[6] = {0, 32, 0, 1, 0, 0};
    STATUS(c3d_arith_decode(t, payload, 5, indexes, NULL, decoded, 1, NULL), C3D_ARITH_OK);
    payload[1]++;
    STATUS(c3d_arith_decode(t, payload, 6, indexes, NULL, decoded, 1, NULL),
           C3D_ARITH_ERR_TRAILING);
    STATUS(c3d_arith_decode(t, payload, 5, indexes, NULL, decoded, 1, NULL),
           C3D_ARITH_ERR_STATE);
    STATUS(c3d_arith_decode(t, payload, 5, indexes, NULL, decoded, 0, NULL),
           C3D_ARITH_ERR_TRAILING);
    payload[0] = 7;
    STATUS(c3d_arith_decode(t, payload, 5, indexes, NULL, decoded, 1, NULL),
           C3D_ARITH_ERR_LANES);
    return 0;
}

int check_damage(void)
{
    c3d_arith_tables *tables = make_tables();
    CHECK(tables != NULL);
    int failed = check_escapes(tables) || check_end(tables);
    c3d_arith_tables_destroy(tables);
    return failed;
}

enum { HEAD = 2 + 8 * 3 + 4, BLOCK = HEAD + 9 };
static const uint8_t bytes[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const c3d_arith_slice three[3] = {{bytes, 4}, {NULL, 0}, {bytes + 4, 5}};

/* The sizes are above what exists: they must be refused before a byte is read. */
static int check_join_order(void)
{
    static c3d_arith_slice many[256];
    uint8_t out[BLOCK];
    size_t w = 9;
    many[0] = (c3d_arith_slice){NULL, 1};
    STATUS(c3d_arith_slices_join(many, 0, out, 0, NULL), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_slices_join(NULL, 256, out, 0, &w), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_slices_join(many, 0, NULL, 0, &w), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_slices_join(many, 256, out, 0, &w), C3D_ARITH_ERR_ARGUMENT);
    CHECK(w == 0);
    many[0].data = bytes;
    many[1] = (c3d_arith_slice){bytes, INT32_MAX};
    STATUS(c3d_arith_slices_join(many, 256, out, 0, &w), C3D_ARITH_ERR_SLICES);
    STATUS(c3d_arith_slices_join(many, 0, out, 0, &w), C3D_ARITH_ERR_SLICES);
    STATUS(c3d_arith_slices_join(many, 255, out, 0, &w), C3D_ARITH_ERR_LENGTH);
    many[1].length = SIZE_MAX;
    STATUS(c3d_arith_slices_join(many, 2, out, 0, &w), C3D_ARITH_ERR_LENGTH);
    CHECK(c3d_arith_slices_bound(many, 2) == 0 && c3d_arith_slices_bound(NULL, 1) == 0);
    CHECK(c3d_arith_slices_bound(three, 0) == 0 && c3d_arith_slices_bound(many, 256) == 0);
    CHECK(c3d_arith_slices_bound(three, 3) == BLOCK);
    return 0;
}

static int check_join_capacities(void)
{
    for (size_t capacity = 0; capacity <= BLOCK; capacity++) {
        size_t w = 9;
        uint8_t *out = malloc(capacity + (capacity == 0));
        CHECK(out != NULL);
        c3d_arith_status status = c3d_arith_slices_join(three, 3, out, capacity, &w);
        free(out);
        CHECK(status == (capacity < BLOCK ? C3D_ARITH_ERR_CAPACITY : C3D_ARITH_OK));
        CHECK(w == (capacity < BLOCK ? 0 : BLOCK));
    }
    return 0;
}

static c3d_arith_status split(const uint8_t *in, size_t length, size_t *count)
{
    c3d_arith_slice slices[255];
    uint8_t *exact = malloc(length + (length == 0));
    if (exact == NULL) {
        return (c3d_arith_status)99;
    }
    memcpy(exact, in, length);
    c3d_arith_status status = c3d_arith_slices_split(exact, length, slices, count);
    free(exact);
    return status;
}

/* Where a head is wrong in several ways, the one listed first is answered. */
static int check_split_order(const uint8_t *block)
{
    uint8_t in[BLOCK + 1];
    size_t count = 9;
    memcpy(in, block, BLOCK);
    in[BLOCK] = 0;
    CHECK(split(in, BLOCK, &count) == C3D_ARITH_OK && count == 3);
    STATUS(split(in, BLOCK + 1, &count), C3D_ARITH_ERR_TRAILING);
    CHECK(count == 0);
    for (size_t length = 0; length < BLOCK; length++) {
        STATUS(split(in, length, &count), C3D_ARITH_ERR_TRUNCATED);
    }
    in[HEAD - 1] ^= 1;
    STATUS(split(in, HEAD, &count), C3D_ARITH_ERR_CHECKSUM);
    STATUS(split(in, HEAD - 1, &count), C3D_ARITH_ERR_TRUNCATED);
    in[1] = 0;
    STATUS(split(in, 2, &count), C3D_ARITH_ERR_SLICES);
    in[0] = 1;
    STATUS(split(in, 2, &count), C3D_ARITH_ERR_VERSION);
    STATUS(split(in, 1, &count), C3D_ARITH_ERR_TRUNCATED);
    return 0;
}

static int check_split_pointers(const uint8_t *block)
{
    c3d_arith_slice slices[255];
    size_t count = 9;
    STATUS(c3d_arith_slices_split(block, BLOCK, slices, NULL), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_slices_split(NULL, 1, slices, &count), C3D_ARITH_ERR_ARGUMENT);
    CHECK(count == 0);
    STATUS(c3d_arith_slices_split(block, BLOCK, NULL, &count), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_slices_split(NULL, 0, slices, &count), C3D_ARITH_ERR_TRUNCATED);
    STATUS(c3d_arith_slices_check(NULL, slices, 3, 0), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_slices_check(block, NULL, 3, 0), C3D_ARITH_ERR_ARGUMENT);
    STATUS(c3d_arith_slices_check(block, slices, 3, 3), C3D_ARITH_ERR_SLICES);
    STATUS(c3d_arith_slices_check(block, slices, 256, 0), C3D_ARITH_ERR_SLICES);
    return 0;
}

/* Damage to one slice leaves the others. */
static int check_one_slice(uint8_t *block)
{
    c3d_arith_slice slices[255];
    size_t count = 0;
    block[BLOCK - 1] ^= 0x80;
    STATUS(c3d_arith_slices_split(block, BLOCK, slices, &count), C3D_ARITH_OK);
    STATUS(c3d_arith_slices_check(block, slices, count, 0), C3D_ARITH_OK);
    STATUS(c3d_arith_slices_check(block, slices, count, 1), C3D_ARITH_OK);
    STATUS(c3d_arith_slices_check(block, slices, count, 2), C3D_ARITH_ERR_CHECKSUM);
    return 0;
}

int check_slices(void)
{
    uint8_t block[BLOCK];
    size_t w;
    STATUS(c3d_arith_slices_join(three, 3, block, BLOCK, &w), C3D_ARITH_OK);
    return check_join_order() || check_join_capacities() || check_split_order(block) ||
           check_split_pointers(block) || check_one_slice(block);
}
