/* The encoder's interface: checks, the lanes' states, the place of the payload. */
#include <string.h>

#include "arith_kernels.h"

size_t c3d_arith_bound(size_t n)
{
    if (n == 0 || n > C3D_ARITH_MAX_SYMBOLS) {
        return 0;
    }
    return arith_lanes(n) * ARITH_STATE_BYTES + n * ARITH_SYMBOL_BYTES;
}

static c3d_arith_status check_arguments(const c3d_arith_tables *tables, const int16_t *symbols,
                                        const uint8_t *indexes, size_t n, const uint8_t *out)
{
    if (tables == NULL || (n > 0 && (symbols == NULL || indexes == NULL || out == NULL))) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    if (n > C3D_ARITH_MAX_SYMBOLS) {
        return C3D_ARITH_ERR_LENGTH;
    }
    return arith_indexes_valid(tables, indexes, n) ? C3D_ARITH_OK : C3D_ARITH_ERR_INDEX;
}

/* The words are written backwards from the end of the buffer, since their number is known
 * only afterwards, and then moved down to the states. */
static c3d_arith_status encode_payload(const c3d_arith_tables *tables, const int16_t *symbols,
                                       const uint8_t *indexes, size_t n, uint8_t *out,
                                       size_t capacity, size_t *written)
{
    size_t lanes = arith_lanes(n);
    size_t head = lanes * ARITH_STATE_BYTES;
    uint32_t states[ARITH_MAX_LANES];
    if (capacity < head) {
        return C3D_ARITH_ERR_CAPACITY;
    }
    for (size_t lane = 0; lane < lanes; lane++) {
        states[lane] = ARITH_STATE_LOW;
    }
    uint8_t *end = out + capacity;
    uint8_t *first =
        arith_encode_portable(tables, symbols, indexes, n, states, out + head, end);
    if (first == NULL) {
        return C3D_ARITH_ERR_CAPACITY;
    }
    for (size_t lane = 0; lane < lanes; lane++) {
        arith_store32(out + lane * ARITH_STATE_BYTES, states[lane]);
    }
    memmove(out + head, first, (size_t)(end - first));
    *written = head + (size_t)(end - first);
    return C3D_ARITH_OK;
}

c3d_arith_status c3d_arith_encode(const c3d_arith_tables *tables, const int16_t *symbols,
                                  const uint8_t *indexes, size_t n, uint8_t *out,
                                  size_t capacity, size_t *written)
{
    if (written == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    *written = 0;
    c3d_arith_status status = check_arguments(tables, symbols, indexes, n, out);
    if (status != C3D_ARITH_OK || n == 0) {
        return status;
    }
    /* More room than the bound would only put the words further from their final place. */
    size_t bound = c3d_arith_bound(n);
    return encode_payload(tables, symbols, indexes, n, out,
                          capacity < bound ? capacity : bound, written);
}
