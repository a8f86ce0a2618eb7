/*
 * Splits any bytes and joins what was accepted: the same bytes where every slice checks, others
 * where one does not. Both implementations of the checksum agree, also in two steps.
 *
 * Checksums are not met by chance, so the first byte says which of them to put right.
 * scripts/fuzz builds this.
 */
#include "arith_kernels.h"
#include "fuzz_input.h"

enum { FRONT = 2, ENTRY = 8, CRC = 4 };

/* The slices that the head at `block` describes, as far as they lie inside. */
static void right_slices(uint8_t *block, size_t length, size_t head)
{
    size_t at = head;
    for (size_t s = 0; s < block[1]; s++) {
        uint8_t *entry = block + FRONT + ENTRY * s;
        size_t bytes = arith_load32(entry);
        if (bytes > length - at) {
            return;
        }
        arith_store32(entry + 4, c3d_arith_crc32c(0, block + at, bytes));
        at += bytes;
    }
}

/* Lengths that fit: each slice as many of the bytes left as its entry's first says, the last
 * one all. */
static void right_lengths(uint8_t *block, size_t length, size_t head)
{
    size_t left = length - head;
    for (size_t s = 0; s < block[1]; s++) {
        uint8_t *entry = block + FRONT + ENTRY * s;
        size_t bytes = s + 1u == block[1] ? left : entry[0] % (left + 1);
        arith_store32(entry, (uint32_t)bytes);
        left -= bytes;
    }
}

static void put_right(uint8_t *block, size_t length, uint8_t what)
{
    size_t head = length < FRONT ? 0 : FRONT + ENTRY * (size_t)block[1] + CRC;
    if (length < FRONT || length < head) {
        return;
    }
    if (what & 1u) {
        right_lengths(block, length, head);
    }
    if (what & 2u) {
        right_slices(block, length, head);
    }
    if (what & 4u) {
        arith_store32(block + head - CRC, c3d_arith_crc32c(0, block, head - CRC));
    }
}

static void check_join(const c3d_arith_slice *slices, size_t count, const uint8_t *block,
                       size_t length, int intact)
{
    size_t written = 0;
    uint8_t *again = fuzz_block(length);
    FUZZ_CHECK(c3d_arith_slices_bound(slices, count) == length);
    FUZZ_CHECK(c3d_arith_slices_join(slices, count, again, length - 1, &written) ==
               C3D_ARITH_ERR_CAPACITY);
    FUZZ_CHECK(c3d_arith_slices_join(slices, count, again, length, &written) == C3D_ARITH_OK);
    FUZZ_CHECK(written == length && (memcmp(again, block, length) == 0) == intact);
    free(again);
}

static void check_block(const uint8_t *block, size_t length)
{
    c3d_arith_slice *slices = fuzz_block(C3D_ARITH_MAX_SLICES * sizeof(*slices));
    size_t count = 99;
    int intact = 1;
    c3d_arith_status status = c3d_arith_slices_split(block, length, slices, &count);
    if (status == C3D_ARITH_OK) {
        for (size_t s = 0; s < count; s++) {
            c3d_arith_status checked = c3d_arith_slices_check(block, slices, count, s);
            FUZZ_CHECK(checked == C3D_ARITH_OK || checked == C3D_ARITH_ERR_CHECKSUM);
            intact &= checked == C3D_ARITH_OK;
        }
        FUZZ_CHECK(c3d_arith_slices_check(block, slices, count, count) == C3D_ARITH_ERR_SLICES);
        check_join(slices, count, block, length, intact);
    } else {
        FUZZ_CHECK(count == 0);
    }
    free(slices);
}

static void check_crc(const uint8_t *data, size_t size, size_t cut)
{
    uint32_t whole = c3d_arith_crc32c(0, data, size);
    FUZZ_CHECK(whole == arith_crc32c_portable(0, data, size));
    FUZZ_CHECK(c3d_arith_crc32c(c3d_arith_crc32c(0, data, cut), data + cut, size - cut) == whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint8_t what = fuzz_byte(&input);
    size_t cut = fuzz_byte(&input);
    size_t length = input.left;
    uint8_t *block = fuzz_copy(input.at, length);
    if (length > 0) {
        block[0] = what & 8u ? 2 : block[0];
        put_right(block, length, what);
        check_crc(block, length, cut % (length + 1));
    }
    check_block(block, length);
    free(block);
    return 0;
}
