/*
 * The block of slices:
 *     version (1 byte), count (1), count times { length (4), CRC-32C of the slice (4) },
 *     CRC-32C of all before (4), the slices.
 */
#include <string.h>

#include "arith_internal.h"

enum { VERSION = 2, ENTRY = 8, FRONT = 2, CRC = 4 };

static size_t head_bytes(size_t count)
{
    return FRONT + ENTRY * count + CRC;
}

size_t c3d_arith_slices_bound(const c3d_arith_slice *slices, size_t count)
{
    if (slices == NULL || count < 1 || count > C3D_ARITH_MAX_SLICES) {
        return 0;
    }
    size_t total = head_bytes(count);
    for (size_t s = 0; s < count; s++) {
        if (slices[s].length > (size_t)INT32_MAX - total) {
            return 0;
        }
        total += slices[s].length;
    }
    return total;
}

static c3d_arith_status check_join(const c3d_arith_slice *slices, size_t count,
                                   const uint8_t *out, size_t capacity)
{
    if (slices == NULL || out == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    for (size_t s = 0; s < count && s < C3D_ARITH_MAX_SLICES; s++) {
        if (slices[s].data == NULL && slices[s].length > 0) {
            return C3D_ARITH_ERR_ARGUMENT;
        }
    }
    if (count < 1 || count > C3D_ARITH_MAX_SLICES) {
        return C3D_ARITH_ERR_SLICES;
    }
    size_t total = c3d_arith_slices_bound(slices, count);
    if (total == 0) {
        return C3D_ARITH_ERR_LENGTH;
    }
    return capacity < total ? C3D_ARITH_ERR_CAPACITY : C3D_ARITH_OK;
}

c3d_arith_status c3d_arith_slices_join(const c3d_arith_slice *slices, size_t count,
                                       uint8_t *out, size_t capacity, size_t *written)
{
    if (written == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    *written = 0;
    c3d_arith_status status = check_join(slices, count, out, capacity);
    if (status != C3D_ARITH_OK) {
        return status;
    }
    size_t at = head_bytes(count);
    out[0] = VERSION;
    out[1] = (uint8_t)count;
    for (size_t s = 0; s < count; s++) {
        uint8_t *entry = out + FRONT + ENTRY * s;
        arith_store32(entry, (uint32_t)slices[s].length);
        arith_store32(entry + 4, c3d_arith_crc32c(0, slices[s].data, slices[s].length));
        if (slices[s].length > 0) {
            memcpy(out + at, slices[s].data, slices[s].length);
        }
        at += slices[s].length;
    }
    size_t covered = head_bytes(count) - CRC;
    arith_store32(out + covered, c3d_arith_crc32c(0, out, covered));
    *written = at;
    return C3D_ARITH_OK;
}

static c3d_arith_status read_head(const uint8_t *in, size_t length, size_t *count)
{
    if (length < FRONT) {
        return C3D_ARITH_ERR_TRUNCATED;
    }
    if (in[0] != VERSION) {
        return C3D_ARITH_ERR_VERSION;
    }
    *count = in[1];
    if (*count < 1) {
        return C3D_ARITH_ERR_SLICES;
    }
    size_t covered = head_bytes(*count) - CRC;
    if (length < covered + CRC) {
        return C3D_ARITH_ERR_TRUNCATED;
    }
    return c3d_arith_crc32c(0, in, covered) == arith_load32(in + covered)
               ? C3D_ARITH_OK
               : C3D_ARITH_ERR_CHECKSUM;
}

c3d_arith_status c3d_arith_slices_split(const uint8_t *in, size_t length,
                                        c3d_arith_slice *slices, size_t *count)
{
    if (count == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    *count = 0;
    if ((in == NULL && length > 0) || slices == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    size_t found = 0;
    c3d_arith_status status = read_head(in, length, &found);
    if (status != C3D_ARITH_OK) {
        return status;
    }
    size_t at = head_bytes(found);
    for (size_t s = 0; s < found; s++) {
        size_t bytes = arith_load32(in + FRONT + ENTRY * s);
        if (bytes > length - at) {
            return C3D_ARITH_ERR_TRUNCATED;
        }
        slices[s].data = in + at;
        slices[s].length = bytes;
        at += bytes;
    }
    if (at != length) {
        return C3D_ARITH_ERR_TRAILING;
    }
    *count = found;
    return C3D_ARITH_OK;
}

c3d_arith_status c3d_arith_slices_check(const uint8_t *in, const c3d_arith_slice *slices,
                                        size_t count, size_t position)
{
    if (in == NULL || slices == NULL) {
        return C3D_ARITH_ERR_ARGUMENT;
    }
    if (position >= count || count > C3D_ARITH_MAX_SLICES) {
        return C3D_ARITH_ERR_SLICES;
    }
    uint32_t crc = c3d_arith_crc32c(0, slices[position].data, slices[position].length);
    return crc == arith_load32(in + FRONT + ENTRY * position + 4) ? C3D_ARITH_OK
                                                                   : C3D_ARITH_ERR_CHECKSUM;
}
