/* The decoder's interface: checks before the loops and after them, and the payload's end. */
#include <string.h>

#include "arith_kernels.h"

static c3d_arith_status fail(c3d_arith_decoder *decoder, c3d_arith_status status)
{
    decoder->status = status;
    return status;
}

static c3d_arith_status read_states(c3d_arith_decoder *decoder)
{
    uint32_t power = *decoder->cursor++;
    if (power > 6) {
        return C3D_ARITH_ERR_LANES;
    }
    decoder->lanes = 1u << power;
    if ((size_t)(decoder->end - decoder->cursor) < decoder->lanes * ARITH_STATE_BYTES) {
        return C3D_ARITH_ERR_TRUNCATED;
    }
    for (uint32_t lane = 0; lane < decoder->lanes; lane++) {
        decoder->states[lane] = arith_load32(decoder->cursor);
        decoder->cursor += ARITH_STATE_BYTES;
        if (decoder->states[lane] < ARITH_STATE_LOW) {
            return C3D_ARITH_ERR_STATE;
        }
    }
    return C3D_ARITH_OK;
}

c3d_arith_status c3d_arith_decoder_init(c3d_arith_decoder *decoder, const uint8_t *in,
                                        size_t length)
{
    if (decoder == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    decoder->cursor = in;
    decoder->end = in;
    decoder->lanes = 0;
    decoder->in_tail = 0;
    decoder->pulled = 0;
    decoder->status = C3D_ARITH_OK;
    if (length == 0) {
        return C3D_ARITH_OK;
    }
    if (in == NULL) {
        return fail(decoder, C3D_ARITH_ERR_ARGUMENT);
    }
    decoder->end = in + length;
    return fail(decoder, read_states(decoder));
}

/* More values than these cannot be in what is left, even if each is the cheapest: after `period`
 * of them a state has a bit less, and after 16 times as many it needs a word. */
static int can_hold(const c3d_arith_decoder *decoder, const c3d_arith_tables *tables, size_t n)
{
    if (decoder->cursor > decoder->end) {
        return 0;
    }
    uint64_t bytes = (uint64_t)(decoder->end - decoder->cursor);
    uint64_t bits = 8 * bytes + 16 * (uint64_t)decoder->lanes;
    return (n + tables->period - 1) / tables->period <= bits;
}

/* Kernels read whole rows of words without a look at the end. So the last bytes are decoded
 * from a copy that zeros follow, and a cursor beyond its end tells that they were not enough. */
static void enter_tail(c3d_arith_decoder *decoder)
{
    size_t left = (size_t)(decoder->end - decoder->cursor);
    memcpy(decoder->tail, decoder->cursor, left);
    memset(decoder->tail + left, 0, sizeof(decoder->tail) - left);
    decoder->cursor = decoder->tail;
    decoder->end = decoder->tail + left;
    decoder->in_tail = 1;
}

static const uint8_t *limit_of(c3d_arith_decoder *decoder)
{
    if (!decoder->in_tail && (size_t)(decoder->end - decoder->cursor) < ARITH_ROW_BYTES) {
        enter_tail(decoder);
    }
    return decoder->in_tail ? decoder->end : decoder->end - ARITH_ROW_BYTES;
}

/* Rows that fill all lanes; returns how many were pulled before the words ran out. */
static size_t pull_rows(c3d_arith_decoder *decoder, struct arith_pull *pull, size_t rows)
{
    size_t done = 0;
    while (done < rows && decoder->cursor <= decoder->end) {
        pull->limit = limit_of(decoder);
        pull->cursor = decoder->cursor;
        size_t now = pull->tables->pull_rows(pull, rows - done);
        size_t moved = now * pull->lanes;
        pull->indexes += moved;
        pull->values += moved;
        if (pull->means != NULL) {
            pull->means += moved;
        }
        decoder->cursor = pull->cursor;
        done += now;
    }
    return done;
}

/* 0 where the words ran out. */
static int pull_part(c3d_arith_decoder *decoder, struct arith_pull *pull, size_t n)
{
    size_t rows = n / pull->lanes;
    size_t rest = n % pull->lanes;
    if (pull_rows(decoder, pull, rows) == rows && rest > 0 &&
        decoder->cursor <= decoder->end) {
        (void)limit_of(decoder);
        pull->cursor = decoder->cursor;
        arith_pull_row(pull, 0, (uint32_t)rest);
        decoder->cursor = pull->cursor;
    }
    return decoder->cursor <= decoder->end;
}

/* The values of some rows are still in the first cache when they are added to the checksum. A
 * wrong escape is looked at after the last: an end that comes too early is told first. */
static c3d_arith_status pull_checked(c3d_arith_decoder *decoder, struct arith_pull *pull,
                                     size_t n, uint32_t *checksum)
{
    size_t chunk = checksum == NULL ? n : (size_t)128 * pull->lanes;
    while (n > 0) {
        size_t now = n < chunk ? n : chunk;
        int16_t *first = pull->values;
        int16_t *values = pull->values;
        const uint8_t *indexes = pull->indexes;
        const int16_t *means = pull->means;
        if (!pull_part(decoder, pull, now)) {
            return C3D_ARITH_ERR_TRUNCATED;
        }
        if (checksum != NULL) {
            *checksum = c3d_arith_checksum(*checksum, first, now);
        }
        pull->values = values + now;
        pull->indexes = indexes + now;
        pull->means = means == NULL ? NULL : means + now;
        n -= now;
    }
    return pull->foul ? C3D_ARITH_ERR_ESCAPE : C3D_ARITH_OK;
}

enum { LINE = 64 / sizeof(uint32_t), MANY = 32768 };

/* Fetches the tables in order, where so many values follow that they will all be needed: what
 * has run since the last call may have pushed them out of the caches, and one by one they come
 * at the memory's latency. */
static void fetch_steps(const c3d_arith_tables *tables, size_t n)
{
#if defined(__GNUC__)
    for (const uint32_t *at = tables->steps; n >= MANY && at < tables->pushes; at += LINE) {
        __builtin_prefetch(at);
    }
#else
    (void)tables;
    (void)n;
#endif
}

static c3d_arith_status check_pull(const c3d_arith_decoder *decoder,
                                   const c3d_arith_tables *tables, const uint8_t *indexes,
                                   const int16_t *values, size_t n)
{
    if (decoder->status != C3D_ARITH_OK) {
        return decoder->status;
    }
    if (tables == NULL || (n > 0 && (indexes == NULL || values == NULL))) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    if (n > C3D_ARITH_MAX_VALUES - decoder->pulled) {
        return C3D_ARITH_ERR_LENGTH;
    }
    if (!arith_indexes_valid(tables, indexes, n)) {
        return C3D_ARITH_ERR_INDEX;
    }
    if (n > 0 && (decoder->lanes == 0 || !can_hold(decoder, tables, n))) {
        return C3D_ARITH_ERR_TRUNCATED;
    }
    return C3D_ARITH_OK;
}

c3d_arith_status c3d_arith_decoder_pull(c3d_arith_decoder *decoder,
                                        const c3d_arith_tables *tables,
                                        const uint8_t *indexes, const int16_t *means,
                                        int16_t *values, size_t n, uint32_t *checksum)
{
    if (decoder == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    c3d_arith_status status = check_pull(decoder, tables, indexes, values, n);
    if (status == C3D_ARITH_OK && n > 0) {
        struct arith_pull pull = {tables, indexes,         means,           values, decoder->lanes,
                                  0,      decoder->states, decoder->cursor, NULL};
        decoder->pulled += n;
        fetch_steps(tables, n);
        status = pull_checked(decoder, &pull, n, checksum);
    }
    return fail(decoder, status);
}

/* Both are needed: of the streams with one flipped bit, some 4 % consume their exact length
 * and yet end in a wrong state. A payload without values is empty, so that there is one only. */
c3d_arith_status c3d_arith_decoder_finish(const c3d_arith_decoder *decoder)
{
    if (decoder == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    if (decoder->status != C3D_ARITH_OK) {
        return decoder->status;
    }
    if (decoder->cursor != decoder->end || (decoder->pulled == 0 && decoder->lanes > 0)) {
        return C3D_ARITH_ERR_TRAILING;
    }
    for (uint32_t lane = 0; lane < decoder->lanes; lane++) {
        if (decoder->states[lane] != ARITH_STATE_LOW) {
            return C3D_ARITH_ERR_STATE;
        }
    }
    return C3D_ARITH_OK;
}

unsigned c3d_arith_decoder_lanes(const c3d_arith_decoder *decoder)
{
    return decoder == NULL ? 0 : decoder->lanes;
}

c3d_arith_status c3d_arith_decode(const c3d_arith_tables *tables, const uint8_t *in,
                                  size_t length, const uint8_t *indexes, const int16_t *means,
                                  int16_t *values, size_t n, uint32_t *checksum)
{
    c3d_arith_decoder decoder;
    c3d_arith_status status = c3d_arith_decoder_init(&decoder, in, length);
    if (status == C3D_ARITH_OK) {
        status = c3d_arith_decoder_pull(&decoder, tables, indexes, means, values, n, checksum);
    }
    return status == C3D_ARITH_OK ? c3d_arith_decoder_finish(&decoder) : status;
}
