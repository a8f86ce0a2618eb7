/* The decoder's interface: checks before the loop, and after it. */
#include "arith_kernels.h"

static c3d_arith_status check_arguments(const c3d_arith_tables *tables, const uint8_t *in,
                                        size_t length, const uint8_t *indexes,
                                        const int16_t *symbols, size_t n)
{
    if (tables == NULL || (length > 0 && in == NULL) ||
        (n > 0 && (indexes == NULL || symbols == NULL))) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    if (n > C3D_ARITH_MAX_SYMBOLS) {
        return C3D_ARITH_ERR_LENGTH;
    }
    return arith_indexes_valid(tables, indexes, n) ? C3D_ARITH_OK : C3D_ARITH_ERR_INDEX;
}

static c3d_arith_status read_states(struct arith_words *words, size_t lanes, uint32_t *states)
{
    if ((size_t)(words->end - words->cursor) < lanes * ARITH_STATE_BYTES) {
        return C3D_ARITH_ERR_TRUNCATED;
    }
    for (size_t lane = 0; lane < lanes; lane++) {
        states[lane] = arith_load32(words->cursor);
        words->cursor += ARITH_STATE_BYTES;
        if (states[lane] < ARITH_STATE_LOW) {
            return C3D_ARITH_ERR_STATE;
        }
    }
    return C3D_ARITH_OK;
}

/* Both are needed: of the streams with one flipped bit, some 4 % consume their exact length
 * and yet end in a wrong state. */
static c3d_arith_status check_end(const struct arith_words *words, size_t lanes,
                                  const uint32_t *states)
{
    if (words->cursor != words->end) {
        return C3D_ARITH_ERR_TRAILING;
    }
    for (size_t lane = 0; lane < lanes; lane++) {
        if (states[lane] != ARITH_STATE_LOW) {
            return C3D_ARITH_ERR_STATE;
        }
    }
    return C3D_ARITH_OK;
}

c3d_arith_status c3d_arith_decode(const c3d_arith_tables *tables, const uint8_t *in,
                                  size_t length, const uint8_t *indexes, int16_t *symbols,
                                  size_t n)
{
    c3d_arith_status status = check_arguments(tables, in, length, indexes, symbols, n);
    if (status != C3D_ARITH_OK) {
        return status;
    }
    if (n == 0) {
        return length == 0 ? C3D_ARITH_OK : C3D_ARITH_ERR_TRAILING;
    }
    if (length == 0) {
        return C3D_ARITH_ERR_TRUNCATED;
    }
    uint32_t states[ARITH_MAX_LANES];
    struct arith_words words = {in, in + length};
    status = read_states(&words, arith_lanes(n), states);
    if (status == C3D_ARITH_OK) {
        status = arith_decode_portable(tables, indexes, symbols, n, states, &words);
    }
    return status == C3D_ARITH_OK ? check_end(&words, arith_lanes(n), states) : status;
}
