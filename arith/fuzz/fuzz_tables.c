/*
 * Offers any shapes and frequencies as a bank, and any weights to the builder. The status of a
 * bank is what the header's list of checks says, and what the builder makes is a valid bank.
 * scripts/fuzz builds this.
 */
#include "fuzz_input.h"

static struct fuzz_bank bank;

/* The header's list, once more and in its plainest form. */
static c3d_arith_status expected_table(const c3d_arith_shape *shape, const uint32_t *frequencies)
{
    uint64_t units = 0;
    for (size_t i = 0; i < fuzz_entries(shape); i++) {
        if (frequencies[i] == 0) {
            return C3D_ARITH_ERR_TABLES_ZERO;
        }
        units += i == 0 ? 0 : frequencies[i];
    }
    if (units > 2047) {
        return C3D_ARITH_ERR_TABLES_UNITS;
    }
    return frequencies[0] + units * (1u << shape->fold) == (uint64_t)1 << shape->bits
               ? C3D_ARITH_OK
               : C3D_ARITH_ERR_TABLES_SUM;
}

static c3d_arith_status expected_bank(const uint32_t *frequencies, size_t length,
                                      const c3d_arith_shape *shapes, size_t count)
{
    size_t entries = 0;
    if (count < 1 || count > 256) {
        return C3D_ARITH_ERR_TABLES_COUNT;
    }
    for (size_t t = 0; t < count; t++) {
        if (shapes[t].bits < 11 || shapes[t].bits > 16 || shapes[t].fold > 5) {
            return C3D_ARITH_ERR_TABLES_RANGE;
        }
        if (shapes[t].below > 511 || shapes[t].above > 511) {
            return C3D_ARITH_ERR_TABLES_SIZE;
        }
        entries += fuzz_entries(&shapes[t]);
    }
    if (entries != length) {
        return C3D_ARITH_ERR_TABLES_LENGTH;
    }
    for (size_t t = 0; t < count; t++) {
        c3d_arith_status status = expected_table(&shapes[t], frequencies);
        if (status != C3D_ARITH_OK) {
            return status;
        }
        frequencies += fuzz_entries(&shapes[t]);
    }
    return C3D_ARITH_OK;
}

/* Every value of one table, there and back: a wrong look-up shows as another value. */
static void check_usable(const c3d_arith_tables *tables, uint8_t index)
{
    enum { N = 2100 };
    static int16_t values[N];
    static int16_t decoded[N];
    static uint8_t indexes[N];
    static uint8_t payload[1 + 4 * C3D_ARITH_MAX_LANES + 4 * N];
    size_t length = 0;
    for (int i = 0; i < N; i++) {
        values[i] = (int16_t)(i < 1100 ? i - 550 : i * 31 - 32768);
        indexes[i] = index;
    }
    c3d_arith_part part = {tables, values, NULL, indexes, N};
    FUZZ_CHECK(c3d_arith_encode(&part, 1, 0, payload, sizeof(payload), &length) == C3D_ARITH_OK);
    FUZZ_CHECK(c3d_arith_decode(tables, payload, length, indexes, NULL, decoded, N, NULL) ==
               C3D_ARITH_OK);
    FUZZ_CHECK(memcmp(values, decoded, sizeof(values)) == 0);
}

static void offer_bank(const uint32_t *frequencies, size_t length, const c3d_arith_shape *shapes,
                       size_t count, unsigned kernel)
{
    c3d_arith_tables *tables = NULL;
    c3d_arith_status expected = c3d_arith_kernel_available((c3d_arith_kernel)kernel)
                                    ? expected_bank(frequencies, length, shapes, count)
                                    : C3D_ARITH_ERR_KERNEL;
    FUZZ_CHECK(c3d_arith_tables_create(frequencies, length, shapes, count,
                                       (c3d_arith_kernel)kernel, &tables) == expected);
    FUZZ_CHECK((expected == C3D_ARITH_OK) == (tables != NULL));
    if (tables != NULL) {
        FUZZ_CHECK(c3d_arith_tables_count(tables) == count);
        FUZZ_CHECK(c3d_arith_tables_bytes(tables) >= sizeof(uint32_t) * length);
        check_usable(tables, (uint8_t)(count - 1));
    }
    c3d_arith_tables_destroy(tables);
}

/* Nothing but the input's bytes. */
static void offer_anything(struct fuzz_input *input)
{
    unsigned kernel = fuzz_byte(input) % 6u;
    size_t count = fuzz_pair(input) % (C3D_ARITH_MAX_TABLES + 3u);
    c3d_arith_shape *shapes = fuzz_block((count + 1) * sizeof(*shapes));
    for (size_t t = 0; t < count; t++) {
        shapes[t].bits = fuzz_byte(input) % 18u;
        shapes[t].fold = fuzz_byte(input) % 7u;
        shapes[t].below = fuzz_pair(input);
        shapes[t].above = fuzz_pair(input);
    }
    size_t length = input->left / sizeof(uint32_t);
    uint32_t *frequencies = fuzz_block((length + 1) * sizeof(uint32_t));
    for (size_t i = 0; i < length; i++) {
        frequencies[i] = fuzz_pair(input) | (uint32_t)fuzz_pair(input) << 16;
    }
    offer_bank(frequencies, length, shapes, count, kernel);
    free(frequencies);
    free(shapes);
}

/* A valid bank in exact blocks, with a few changes; one frequency more may be offered than
 * the shapes ask for, or one less. */
static void offer_changed(struct fuzz_input *input)
{
    unsigned kernel = fuzz_byte(input) % 6u;
    fuzz_bank(input, &bank);
    uint8_t other = fuzz_byte(input);
    size_t length = bank.length + (other == 1) - (other == 2);
    while (input->left >= 4) {
        bank.frequencies[fuzz_pair(input) % length] += (uint32_t)fuzz_pair(input) - 0x8000u;
    }
    if (fuzz_byte(input) == 1) {
        bank.shapes[fuzz_byte(input) % bank.count].above = fuzz_byte(input);
    }
    size_t bytes = length * sizeof(uint32_t);
    uint32_t *frequencies = fuzz_block(bytes);
    c3d_arith_shape *shapes = fuzz_block(bank.count * sizeof(*shapes));
    bank.frequencies[bank.length] = 1;
    memcpy(frequencies, bank.frequencies, bytes);
    memcpy(shapes, bank.shapes, bank.count * sizeof(*shapes));
    offer_bank(frequencies, length, shapes, bank.count, kernel);
    free(frequencies);
    free(shapes);
}

static c3d_arith_status expected_build(const c3d_arith_shape *shape, uint32_t any)
{
    if (shape->fold > 5) {
        return C3D_ARITH_ERR_TABLES_RANGE;
    }
    if (shape->below > 511 || shape->above > 511) {
        return C3D_ARITH_ERR_TABLES_SIZE;
    }
    return any == 0 ? C3D_ARITH_ERR_TABLES_ZERO : C3D_ARITH_OK;
}

static void offer_weights(struct fuzz_input *input)
{
    c3d_arith_shape shape = {0, fuzz_byte(input) % 7u, fuzz_pair(input) % 513u,
                             fuzz_pair(input) % 513u};
    size_t n = fuzz_entries(&shape);
    uint32_t *weights = fuzz_block(n * sizeof(uint32_t));
    uint32_t *frequencies = fuzz_block(n * sizeof(uint32_t));
    uint32_t any = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t shift = fuzz_byte(input) % 33u;
        uint32_t all = fuzz_byte(input) * 0x01010101u;
        weights[i] = shift < 32 ? all >> shift : 0;
        any |= weights[i];
    }
    c3d_arith_status expected = expected_build(&shape, any);
    FUZZ_CHECK(c3d_arith_table_build(weights, &shape, frequencies) == expected);
    if (expected == C3D_ARITH_OK) {
        FUZZ_CHECK(expected_bank(frequencies, n, &shape, 1) == C3D_ARITH_OK);
        offer_bank(frequencies, n, &shape, 1, C3D_ARITH_KERNEL_AUTO);
    }
    free(weights);
    free(frequencies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    switch (fuzz_byte(&input) % 3u) {
    case 0:
        offer_anything(&input);
        break;
    case 1:
        offer_changed(&input);
        break;
    default:
        offer_weights(&input);
        break;
    }
    return 0;
}
