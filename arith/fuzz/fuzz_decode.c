/*
 * Decodes any bytes with any valid bank. What is accepted must encode to the same bytes again.
 * With the input's first byte odd, the rest is instead offered as a bank.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude fuzz/fuzz_decode.c src/arith_*.c
 *   gcc -g -O1 -fsanitize=address,undefined -DC3D_FUZZ_MAIN -Iinclude fuzz/fuzz_decode.c \
 *       src/arith_*.c      (then: ./a.out FILE...)
 */
#include "fuzz_input.h"

static void offer_bank(struct fuzz_input input)
{
    size_t count = fuzz_byte(&input) % (C3D_ARITH_MAX_TABLES + 2u);
    int16_t *minimums = fuzz_block(count * sizeof(int16_t));
    uint16_t *sizes = fuzz_block(count * sizeof(uint16_t));
    for (size_t t = 0; t < count; t++) {
        minimums[t] = (int16_t)(INT16_MIN + fuzz_pair(&input));
        sizes[t] = fuzz_pair(&input) % (C3D_ARITH_MAX_SIZE + 2u);
    }
    size_t length = input.left / sizeof(uint16_t);
    uint32_t *frequencies = fuzz_block(length * sizeof(uint32_t));
    for (size_t i = 0; i < length; i++) {
        frequencies[i] = fuzz_pair(&input);
    }
    c3d_arith_tables *tables = NULL;
    c3d_arith_status status =
        c3d_arith_tables_create(frequencies, length, minimums, sizes, count, &tables);
    FUZZ_CHECK((status == C3D_ARITH_OK) == (tables != NULL));
    c3d_arith_tables_destroy(tables);
    free(frequencies);
    free(sizes);
    free(minimums);
}

static void check_same(const c3d_arith_tables *tables, const int16_t *symbols,
                       const uint8_t *indexes, size_t n, const uint8_t *payload, size_t length)
{
    uint8_t *again = fuzz_block(length);
    size_t written = 0;
    FUZZ_CHECK(c3d_arith_encode(tables, symbols, indexes, n, again, length, &written) ==
               C3D_ARITH_OK);
    FUZZ_CHECK(written == length && memcmp(again, payload, length) == 0);
    free(again);
}

static void offer_payload(struct fuzz_input input)
{
    c3d_arith_tables *tables = fuzz_bank(&input);
    size_t n = fuzz_pair(&input) % (FUZZ_MAX_SYMBOLS + 1);
    uint8_t *indexes = fuzz_indexes(&input, n, c3d_arith_tables_count(tables));
    int16_t *symbols = fuzz_block(n * sizeof(int16_t));
    uint8_t *payload = fuzz_block(input.left);
    memcpy(payload, input.at, input.left);
    if (c3d_arith_decode(tables, payload, input.left, indexes, symbols, n) == C3D_ARITH_OK) {
        check_same(tables, symbols, indexes, n, payload, input.left);
    }
    free(payload);
    free(symbols);
    free(indexes);
    c3d_arith_tables_destroy(tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    if (fuzz_byte(&input) & 1u) {
        offer_bank(input);
    } else {
        offer_payload(input);
    }
    return 0;
}
