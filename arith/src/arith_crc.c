/* CRC-32C, eight bytes at a time (slicing-by-8), in portable C. */
#include "arith_crc_tables.h"
#include "arith_internal.h"

static uint32_t step_byte(uint32_t remainder, uint8_t byte)
{
    return arith_crc_tables[0][(remainder ^ byte) & 0xFFu] ^ remainder >> 8;
}

/* Four bytes of a slice, of which the first has `after` - 1 bytes behind it. */
static uint32_t step_word(uint32_t word, size_t after)
{
    return arith_crc_tables[after - 1][word & 0xFFu] ^
           arith_crc_tables[after - 2][word >> 8 & 0xFFu] ^
           arith_crc_tables[after - 3][word >> 16 & 0xFFu] ^
           arith_crc_tables[after - 4][word >> 24];
}

uint32_t c3d_arith_crc32c(uint32_t crc, const void *data, size_t length)
{
    const uint8_t *at = data;
    uint32_t remainder = ~crc;
    for (; length >= 8; length -= 8, at += 8) {
        remainder = step_word(remainder ^ arith_load32(at), 8) ^ step_word(arith_load32(at + 4), 4);
    }
    for (; length > 0; length--, at++) {
        remainder = step_byte(remainder, *at);
    }
    return ~remainder;
}
