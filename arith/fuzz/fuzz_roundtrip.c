/*
 * Encodes any values with any valid banks, means, lanes and parts, and decodes them again. All
 * kernels give the same bytes in a buffer of the exact size; one byte less of room or payload
 * is refused, and one more of payload; a flipped bit gives other values or an error.
 * scripts/fuzz builds this.
 */
#include "fuzz_input.h"

static struct fuzz_job job;

static c3d_arith_status decode(const uint8_t *payload, size_t length, int16_t **values)
{
    uint8_t *exact = fuzz_copy(payload, length);
    c3d_arith_decoder decoder;
    c3d_arith_status status = c3d_arith_decoder_init(&decoder, exact, length);
    for (size_t p = 0; p < job.count && status == C3D_ARITH_OK; p++) {
        const c3d_arith_part *part = &job.parts[p];
        status = c3d_arith_decoder_pull(&decoder, part->tables, part->indexes, part->means,
                                        values[p], part->n, NULL);
    }
    if (status == C3D_ARITH_OK) {
        status = c3d_arith_decoder_finish(&decoder);
    }
    free(exact);
    return status;
}

static int is_same(int16_t **values)
{
    int same = 1;
    for (size_t p = 0; p < job.count; p++) {
        size_t bytes = job.parts[p].n * sizeof(int16_t);
        same &= bytes == 0 || memcmp(values[p], job.parts[p].values, bytes) == 0;
    }
    return same;
}

/* The byte of the lanes stays: another number of lanes could, in principle, give the values. */
static void check_flip(uint8_t *payload, size_t length, uint32_t where, int16_t **values)
{
    size_t bit = 8 + where % (8 * (length - 1));
    payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
    FUZZ_CHECK(decode(payload, length, values) != C3D_ARITH_OK || !is_same(values));
    payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void check_payload(const uint8_t *payload, size_t length, uint32_t where)
{
    int16_t *values[FUZZ_PARTS];
    uint8_t *longer = fuzz_block(length + 1);
    for (size_t p = 0; p < job.count; p++) {
        values[p] = fuzz_block(job.parts[p].n * sizeof(int16_t));
    }
    FUZZ_CHECK(decode(payload, length, values) == C3D_ARITH_OK && is_same(values));
    if (length > 0) {
        memcpy(longer, payload, length);
        longer[length] = (uint8_t)where;
        FUZZ_CHECK(decode(payload, length - 1, values) == C3D_ARITH_ERR_TRUNCATED);
        FUZZ_CHECK(decode(longer, length + 1, values) == C3D_ARITH_ERR_TRAILING);
        check_flip(longer, length, where, values);
    }
    for (size_t p = 0; p < job.count; p++) {
        free(values[p]);
    }
    free(longer);
}

static void check_room(unsigned lanes, const uint8_t *payload, size_t length)
{
    uint8_t *exact = fuzz_block(length);
    size_t written = 0;
    FUZZ_CHECK(c3d_arith_encode(job.parts, job.count, lanes, exact, length, &written) ==
               C3D_ARITH_OK);
    FUZZ_CHECK(written == length && (length == 0 || memcmp(exact, payload, length) == 0));
    free(exact);
    if (length > 0) {
        uint8_t *less = fuzz_block(length - 1);
        FUZZ_CHECK(c3d_arith_encode(job.parts, job.count, lanes, less, length - 1, &written) ==
                   C3D_ARITH_ERR_CAPACITY);
        FUZZ_CHECK(written == 0);
        free(less);
    }
}

static size_t total(void)
{
    size_t n = 0;
    for (size_t p = 0; p < job.count; p++) {
        n += job.parts[p].n;
    }
    return n;
}

/* Encodes with all the room that can be needed; returns null where an index is wrong. */
static uint8_t *encode(unsigned lanes, size_t *length)
{
    size_t bound = c3d_arith_bound(total());
    uint8_t *roomy = fuzz_block(bound);
    c3d_arith_status status =
        c3d_arith_encode(job.parts, job.count, lanes, roomy, bound, length);
    FUZZ_CHECK(status == C3D_ARITH_OK || (status == C3D_ARITH_ERR_INDEX && *length == 0));
    if (status != C3D_ARITH_OK) {
        free(roomy);
        return NULL;
    }
    uint8_t *payload = fuzz_block(*length + 1); /* never null, also for no values */
    if (*length > 0) {
        memcpy(payload, roomy, *length);
    }
    free(roomy);
    return payload;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    c3d_arith_kernel kernels[FUZZ_KERNELS];
    uint32_t power = fuzz_byte(&input) % 8u;
    unsigned lanes = power < 7 ? 1u << power : 0u;
    uint32_t where = fuzz_pair(&input);
    uint8_t *payload = NULL;
    size_t length = 0;
    fuzz_job(&input, &job);
    for (size_t k = 0; k < fuzz_kernels(kernels); k++) {
        c3d_arith_tables *tables[FUZZ_BANKS];
        fuzz_set_tables(&job, tables, k);
        payload = k == 0 ? encode(lanes, &length) : payload;
        if (payload != NULL) {
            check_room(lanes, payload, length);
            check_payload(payload, length, where);
        }
        fuzz_free_tables(tables);
    }
    free(payload);
    fuzz_free_parts(&job);
    return 0;
}
