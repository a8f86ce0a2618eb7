/*
 * Encodes any symbols with any valid bank into an exact buffer and decodes them again; one byte
 * less of room or of payload must be refused, and one flipped bit must not reach outside.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Iinclude fuzz/fuzz_roundtrip.c src/arith_*.c
 *   gcc -g -O1 -fsanitize=address,undefined -DC3D_FUZZ_MAIN -Iinclude fuzz/fuzz_roundtrip.c \
 *       src/arith_*.c      (then: ./a.out FILE...)
 */
#include "fuzz_input.h"

struct trip {
    c3d_arith_tables *tables;
    uint8_t *indexes;
    int16_t *symbols;
    int16_t *decoded;
    size_t n;
};

static c3d_arith_status decode_copy(const struct trip *trip, const uint8_t *payload, size_t length)
{
    uint8_t *exact = fuzz_block(length);
    memcpy(exact, payload, length);
    c3d_arith_status status = c3d_arith_decode(trip->tables, exact, length, trip->indexes,
                                               trip->decoded, trip->n);
    free(exact);
    return status;
}

static void check_payload(const struct trip *trip, uint8_t *payload, size_t length)
{
    size_t bytes = trip->n * sizeof(int16_t);
    FUZZ_CHECK(decode_copy(trip, payload, length) == C3D_ARITH_OK);
    FUZZ_CHECK(memcmp(trip->decoded, trip->symbols, bytes) == 0);
    if (length > 0) {
        FUZZ_CHECK(decode_copy(trip, payload, length - 1) == C3D_ARITH_ERR_TRUNCATED);
        size_t bit = payload[0] * (size_t)257 % (length * 8);
        payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (decode_copy(trip, payload, length) == C3D_ARITH_OK) {
            FUZZ_CHECK(memcmp(trip->decoded, trip->symbols, bytes) != 0);
        }
    }
}

/* First with all the room that can be needed, then with exactly what was, then with less. */
static void check_capacity(const struct trip *trip)
{
    size_t bound = c3d_arith_bound(trip->n);
    size_t length = 0;
    uint8_t *roomy = fuzz_block(bound);
    c3d_arith_status status = c3d_arith_encode(trip->tables, trip->symbols, trip->indexes,
                                               trip->n, roomy, bound, &length);
    if (status == C3D_ARITH_OK) {
        size_t again = 0;
        uint8_t *exact = fuzz_block(length);
        FUZZ_CHECK(c3d_arith_encode(trip->tables, trip->symbols, trip->indexes, trip->n, exact,
                                    length, &again) == C3D_ARITH_OK);
        FUZZ_CHECK(again == length && memcmp(exact, roomy, length) == 0);
        FUZZ_CHECK(length == 0 ||
                   c3d_arith_encode(trip->tables, trip->symbols, trip->indexes, trip->n, exact,
                                    length - 1, &again) == C3D_ARITH_ERR_CAPACITY);
        free(exact);
        check_payload(trip, roomy, length);
    } else {
        FUZZ_CHECK(status == C3D_ARITH_ERR_INDEX && length == 0);
    }
    free(roomy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct trip trip;
    trip.tables = fuzz_bank(&input);
    trip.n = fuzz_pair(&input) % (FUZZ_MAX_SYMBOLS + 1);
    trip.indexes = fuzz_indexes(&input, trip.n, c3d_arith_tables_count(trip.tables));
    trip.symbols = fuzz_block(trip.n * sizeof(int16_t));
    trip.decoded = fuzz_block(trip.n * sizeof(int16_t));
    for (size_t i = 0; i < trip.n; i++) {
        trip.symbols[i] = (int16_t)(INT16_MIN + fuzz_pair(&input));
    }
    check_capacity(&trip);
    free(trip.decoded);
    free(trip.symbols);
    free(trip.indexes);
    c3d_arith_tables_destroy(trip.tables);
    return 0;
}
