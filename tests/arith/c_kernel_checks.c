/* Checks that all kernels give the same bytes and values, whatever the caller has set the
 * floating-point unit to, and that both checksums agree. */
#include <stdlib.h>

#include "arith_kernels.h"
#include "c_checks.h"

#ifdef ARITH_HAS_X86
#include <immintrin.h>
#define HAS_MXCSR __attribute__((target("sse")))
#endif

enum { N = 40000, TABLES = 100, ROOM = 1 + 4 * 64 + 4 * N };

static int16_t values[N];
static int16_t means[N];
static uint8_t indexes[N];
static int16_t decoded[N];

/* Tables of all bits and folds; the first are few enough for the registers of a kernel. */
static c3d_arith_tables *make_tables(size_t count, c3d_arith_kernel kernel)
{
    static uint32_t frequencies[TABLES * 8];
    static c3d_arith_shape shapes[TABLES];
    c3d_arith_tables *tables = NULL;
    for (size_t t = 0; t < count; t++) {
        uint32_t bits = 11 + (uint32_t)t % 6;
        uint32_t fold = (uint32_t)t / 6 % 6;
        uint32_t rest = 1u << bits;
        shapes[t] = (c3d_arith_shape){(uint16_t)bits, (uint16_t)fold, 4, 2};
        for (uint32_t i = 1; i < 8; i++) {
            frequencies[8 * t + i] = 1 + i * (uint32_t)t % 9;
            rest -= frequencies[8 * t + i] << fold;
        }
        frequencies[8 * t] = rest;
    }
    (void)c3d_arith_tables_create(frequencies, 8 * count, shapes, count, kernel, &tables);
    return tables;
}

/* Zeros and small values; one in `rare` is any, and where that is 0 all are zero, and the means. */
static void make_values(size_t count, uint32_t rare)
{
    uint32_t seed = 1;
    for (int i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t any = seed >> 16;
        means[i] = (int16_t)(rare == 0 ? 0 : (int)(any % 9) - 4);
        indexes[i] = (uint8_t)((any >> 3) % count);
        uint32_t small = any % 5 == 0 ? any % 41 - 20 : 0;
        values[i] = (int16_t)(uint16_t)(rare == 0 ? 0 : seed % rare == 0 ? any : small);
    }
}

static int check_decode(const c3d_arith_part *part, const uint8_t *payload, size_t length)
{
    uint32_t checksum = 0;
    CHECK(c3d_arith_decode(part->tables, payload, length, part->indexes, part->means, decoded,
                           part->n, &checksum) == C3D_ARITH_OK);
    CHECK(part->n == 0 || memcmp(decoded, part->values, part->n * sizeof(int16_t)) == 0);
    CHECK(checksum == c3d_arith_checksum(0, part->values, part->n));
    return 0;
}

/* The payload of the kernel is the portable one's. */
static int check_same(const c3d_arith_tables *portable, const c3d_arith_tables *tables, size_t n,
                      unsigned lanes)
{
    static uint8_t wanted[ROOM];
    static uint8_t payload[ROOM];
    size_t length;
    size_t w;
    c3d_arith_part part = {portable, values, n % 2 ? means : NULL, indexes, n};
    CHECK(c3d_arith_encode(&part, 1, lanes, wanted, ROOM, &length) == C3D_ARITH_OK);
    part.tables = tables;
    CHECK(c3d_arith_encode(&part, 1, lanes, payload, ROOM, &w) == C3D_ARITH_OK);
    CHECK(w == length && memcmp(payload, wanted, length) == 0);
    return check_decode(&part, payload, length);
}

/* What the library chooses for 0 lanes is what it gives for that number. */
static int check_chosen_lanes(const c3d_arith_tables *tables, size_t n, unsigned *seen)
{
    static uint8_t chosen[ROOM];
    static uint8_t payload[ROOM];
    size_t length;
    size_t w;
    c3d_arith_decoder decoder;
    const c3d_arith_part part = {tables, values, n % 2 ? means : NULL, indexes, n};
    CHECK(c3d_arith_encode(&part, 1, 0, chosen, ROOM, &length) == C3D_ARITH_OK);
    CHECK(c3d_arith_decoder_init(&decoder, chosen, length) == C3D_ARITH_OK);
    CHECK(c3d_arith_encode(&part, 1, c3d_arith_decoder_lanes(&decoder), payload, ROOM, &w) ==
          C3D_ARITH_OK);
    CHECK(w == length && memcmp(payload, chosen, length) == 0);
    *seen |= c3d_arith_decoder_lanes(&decoder);
    return 0;
}

static int check_kernel(size_t count, c3d_arith_kernel kernel)
{
    c3d_arith_tables *portable = make_tables(count, C3D_ARITH_KERNEL_PORTABLE);
    c3d_arith_tables *tables = make_tables(count, kernel);
    int failed = portable == NULL || tables == NULL || c3d_arith_tables_kernel(tables) != kernel;
    for (unsigned lanes = 1; lanes <= 64 && !failed; lanes *= 2) {
        for (size_t n = 1; n < 200 && !failed; n++) {
            failed = check_same(portable, tables, n, lanes);
        }
        failed = failed || check_same(portable, tables, N - 1, lanes) ||
                 check_same(portable, tables, N, lanes);
    }
    c3d_arith_tables_destroy(portable);
    c3d_arith_tables_destroy(tables);
    return failed;
}

/* From nothing but zeros to nothing but any values, so that all numbers are chosen. */
static int check_choices(void)
{
    static const uint32_t rare[4] = {0, 30, 3, 1};
    unsigned seen = 0;
    c3d_arith_tables *tables = make_tables(4, C3D_ARITH_KERNEL_AUTO);
    CHECK(tables != NULL);
    for (int r = 0; r < 4; r++) {
        make_values(4, rare[r]);
        for (size_t n = 1; n <= N; n = n < N / 2 ? n * 2 + 1 : n < N ? N : n + 1) {
            if (check_chosen_lanes(tables, n, &seen)) {
                c3d_arith_tables_destroy(tables);
                return 1;
            }
        }
    }
    c3d_arith_tables_destroy(tables);
    CHECK((seen & (seen - 1)) != 0); /* more than one number */
    return 0;
}

/* 65535 of 65536 for zero: the state of one lane takes so many that no word is written. */
static int check_long_zeros(c3d_arith_kernel kernel)
{
    enum { LONG = 760000 };
    static int16_t zeros[LONG];
    static uint8_t none[LONG];
    static const uint32_t frequencies[2] = {65535, 1};
    static const c3d_arith_shape shape = {16, 0, 0, 0};
    uint8_t payload[5];
    size_t length;
    c3d_arith_tables *tables = NULL;
    CHECK(c3d_arith_tables_create(frequencies, 2, &shape, 1, kernel, &tables) == C3D_ARITH_OK);
    const c3d_arith_part part = {tables, zeros, NULL, none, LONG};
    c3d_arith_status status = c3d_arith_encode(&part, 1, 1, payload, sizeof(payload), &length);
    c3d_arith_status again =
        c3d_arith_decode(tables, payload, length, none, NULL, zeros, LONG, NULL);
    c3d_arith_tables_destroy(tables);
    STATUS(status, C3D_ARITH_OK);
    STATUS(again, C3D_ARITH_OK);
    return 0;
}

#ifdef ARITH_HAS_X86
/* Rounding downwards, upwards and towards zero; flushed denormals; traps for all exceptions.
 * The last is what would stop a program whose kernel did not set its own mode. */
static HAS_MXCSR int check_modes(c3d_arith_kernel kernel)
{
    static const unsigned modes[5] = {0x3F80, 0x5F80, 0x7F80, 0x9FC0, 0x0000};
    c3d_arith_tables *portable = make_tables(TABLES, C3D_ARITH_KERNEL_PORTABLE);
    c3d_arith_tables *tables = make_tables(TABLES, kernel);
    unsigned before = _mm_getcsr();
    int failed = portable == NULL || tables == NULL;
    for (int m = 0; m < 5 && !failed; m++) {
        _mm_setcsr(modes[m]);
        failed = check_same(portable, tables, N, 8) || check_same(portable, tables, N, 64);
        unsigned after = _mm_getcsr();
        _mm_setcsr(before);
        if (after != modes[m]) {
            printf("mode %x became %x\n", modes[m], after);
            failed = 1;
        }
    }
    c3d_arith_tables_destroy(portable);
    c3d_arith_tables_destroy(tables);
    return failed;
}
#else
static int check_modes(c3d_arith_kernel kernel)
{
    (void)kernel;
    return 0;
}
#endif

/* Lengths around the eight bytes of a step and the blocks that go side by side. */
static int check_crc(void)
{
    enum { MOST = 40000 };
    static uint8_t data[MOST];
    for (uint32_t i = 0; i < MOST; i++) {
        data[i] = (uint8_t)(i * i * 40503u >> 7);
    }
    CHECK(c3d_arith_crc32c(0, "123456789", 9) == 0xE3069283u);
    CHECK(arith_crc32c_portable(0, (const uint8_t *)"123456789", 9) == 0xE3069283u);
    CHECK(c3d_arith_crc32c(5, NULL, 0) == 5 && arith_crc32c_portable(5, data, 0) == 5);
    for (size_t length = 0; length < MOST; length += length < 80 ? 1 : 997) {
        size_t start = length % 9;
        uint32_t whole = arith_crc32c_portable(7, data, length);
        CHECK(c3d_arith_crc32c(7, data, length) == whole);
        uint32_t first = c3d_arith_crc32c(7, data, start < length ? start : length);
        CHECK(start >= length ||
              c3d_arith_crc32c(first, data + start, length - start) == whole);
    }
    const int16_t pair[2] = {0x0201, -2};
    const uint8_t as_bytes[4] = {1, 2, 0xFE, 0xFF};
    CHECK(c3d_arith_checksum(0, pair, 2) == c3d_arith_crc32c(0, as_bytes, 4));
    return 0;
}

int check_kernels(void)
{
    for (int k = C3D_ARITH_KERNEL_PORTABLE; k <= C3D_ARITH_KERNEL_AVX512; k++) {
        c3d_arith_kernel kernel = (c3d_arith_kernel)k;
        if (c3d_arith_kernel_available(kernel)) {
            make_values(4, 0);
            CHECK(!check_kernel(4, kernel));
            make_values(4, 50);
            CHECK(!check_kernel(4, kernel));
            make_values(TABLES, 3);
            CHECK(!check_kernel(TABLES, kernel) && !check_modes(kernel));
            CHECK(!check_long_zeros(kernel));
        }
    }
    return check_choices() || check_crc();
}
