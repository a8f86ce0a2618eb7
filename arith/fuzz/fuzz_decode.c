/*
 * Decodes any bytes with any valid banks, lanes and parts. All kernels give the same status,
 * values and checksum, and what is accepted encodes to the same bytes again.
 *
 * Few bytes are a payload by chance, so every second input is encoded first and then changed.
 * scripts/fuzz builds this.
 */
#include "fuzz_input.h"

static struct fuzz_job job;

struct outcome {
    c3d_arith_status status;
    uint32_t checksum;
    int16_t *values[FUZZ_PARTS];
};

static uint8_t *encoded(unsigned lanes, size_t *length)
{
    c3d_arith_tables *tables[FUZZ_BANKS];
    uint8_t room[1 + 4 * C3D_ARITH_MAX_LANES + 4 * FUZZ_VALUES];
    fuzz_set_tables(&job, tables, 0);
    /* A wrong index leaves no payload, which is an input like any other. */
    c3d_arith_status status =
        c3d_arith_encode(job.parts, job.count, lanes, room, sizeof(room), length);
    FUZZ_CHECK(status == C3D_ARITH_OK || status == C3D_ARITH_ERR_INDEX);
    fuzz_free_tables(tables);
    return fuzz_copy(room, *length);
}

/* A payload, changed in a few places and cut or not. */
static uint8_t *changed(struct fuzz_input *input, size_t *length)
{
    uint32_t power = fuzz_byte(input) % 8u;
    uint8_t *payload = encoded(power < 7 ? 1u << power : 0u, length);
    *length -= *length > 0 && fuzz_byte(input) == 1 ? 1u : 0u;
    for (; input->left >= 3 && *length > 0;) {
        size_t at = fuzz_pair(input) % *length;
        payload[at] ^= fuzz_byte(input);
    }
    uint8_t *exact = fuzz_copy(payload, *length);
    free(payload);
    return exact;
}

static c3d_arith_status decode_parts(const uint8_t *payload, size_t length, uint32_t *checksum,
                                     int16_t **values, unsigned *lanes)
{
    c3d_arith_decoder decoder;
    c3d_arith_status status = c3d_arith_decoder_init(&decoder, payload, length);
    *lanes = c3d_arith_decoder_lanes(&decoder);
    for (size_t p = 0; p < job.count; p++) {
        const c3d_arith_part *part = &job.parts[p];
        c3d_arith_status now = c3d_arith_decoder_pull(&decoder, part->tables, part->indexes,
                                                      part->means, values[p], part->n, checksum);
        FUZZ_CHECK(status == C3D_ARITH_OK || now == status);
        status = now;
    }
    c3d_arith_status end = c3d_arith_decoder_finish(&decoder);
    FUZZ_CHECK(status == C3D_ARITH_OK || end == status);
    return end;
}

static void check_again(const struct outcome *outcome, unsigned lanes, const uint8_t *payload,
                        size_t length)
{
    c3d_arith_part parts[FUZZ_PARTS];
    uint8_t *again = fuzz_block(length);
    size_t written = 0;
    for (size_t p = 0; p < job.count; p++) {
        parts[p] = job.parts[p];
        parts[p].values = outcome->values[p];
    }
    FUZZ_CHECK(c3d_arith_encode(parts, job.count, lanes, again, length, &written) ==
               C3D_ARITH_OK);
    FUZZ_CHECK(written == length && (length == 0 || memcmp(again, payload, length) == 0));
    free(again);
}

/* The status does not depend on whether a checksum is wanted; the call for one part agrees. */
static void check_variants(const struct outcome *outcome, const uint8_t *payload, size_t length)
{
    int16_t *values[FUZZ_PARTS];
    unsigned lanes;
    for (size_t p = 0; p < job.count; p++) {
        values[p] = fuzz_block(job.parts[p].n * sizeof(int16_t));
    }
    FUZZ_CHECK(decode_parts(payload, length, NULL, values, &lanes) == outcome->status);
    if (job.count == 1) {
        const c3d_arith_part *part = &job.parts[0];
        uint32_t checksum = 0;
        FUZZ_CHECK(c3d_arith_decode(part->tables, payload, length, part->indexes, part->means,
                                    values[0], part->n, &checksum) == outcome->status);
        FUZZ_CHECK(outcome->status != C3D_ARITH_OK || checksum == outcome->checksum);
    }
    for (size_t p = 0; p < job.count; p++) {
        free(values[p]);
    }
}

static void decode_with(size_t k, const uint8_t *payload, size_t length, struct outcome *outcome)
{
    c3d_arith_tables *tables[FUZZ_BANKS];
    unsigned lanes = 0;
    fuzz_set_tables(&job, tables, k);
    outcome->checksum = 0;
    for (size_t p = 0; p < job.count; p++) {
        outcome->values[p] = fuzz_block(job.parts[p].n * sizeof(int16_t));
    }
    outcome->status = decode_parts(payload, length, &outcome->checksum, outcome->values, &lanes);
    if (outcome->status == C3D_ARITH_OK) {
        uint32_t checksum = 0;
        for (size_t p = 0; p < job.count; p++) {
            checksum = c3d_arith_checksum(checksum, outcome->values[p], job.parts[p].n);
        }
        FUZZ_CHECK(checksum == outcome->checksum);
        check_again(outcome, lanes, payload, length);
    }
    check_variants(outcome, payload, length);
    fuzz_free_tables(tables);
}

static void check_same(const struct outcome *one, const struct outcome *other)
{
    FUZZ_CHECK(one->status == other->status);
    for (size_t p = 0; p < job.count && one->status == C3D_ARITH_OK; p++) {
        size_t bytes = job.parts[p].n * sizeof(int16_t);
        FUZZ_CHECK(bytes == 0 || memcmp(one->values[p], other->values[p], bytes) == 0);
    }
}

static void free_values(const struct outcome *outcome)
{
    for (size_t p = 0; p < job.count; p++) {
        free(outcome->values[p]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    c3d_arith_kernel kernels[FUZZ_KERNELS];
    size_t length = 0;
    uint8_t change = fuzz_byte(&input) & 1u;
    fuzz_job(&input, &job);
    uint8_t *payload = change ? changed(&input, &length) : fuzz_copy(input.at, input.left);
    length = change ? length : input.left;
    struct outcome first;
    decode_with(0, payload, length, &first);
    for (size_t k = 1; k < fuzz_kernels(kernels); k++) {
        struct outcome other;
        decode_with(k, payload, length, &other);
        check_same(&first, &other);
        free_values(&other);
    }
    free_values(&first);
    free(payload);
    fuzz_free_parts(&job);
    return 0;
}
