/* CRC-32C: eight bytes at a time (slicing-by-8) in portable C, by its instruction on x86. */
#include <string.h>

#include "arith_crc_tables.h"
#include "arith_kernels.h"

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

uint32_t arith_crc32c_portable(uint32_t crc, const uint8_t *at, size_t length)
{
    uint32_t remainder = ~crc;
    for (; length >= 8; length -= 8, at += 8) {
        remainder = step_word(remainder ^ arith_load32(at), 8) ^ step_word(arith_load32(at + 4), 4);
    }
    for (; length > 0; length--, at++) {
        remainder = step_byte(remainder, *at);
    }
    return ~remainder;
}

#if defined(ARITH_HAS_X86) && defined(__x86_64__)
#include <immintrin.h>

/* What BLOCK zero bytes after it make of a remainder. */
static uint32_t pass_block(uint32_t remainder)
{
    return arith_crc_shift[0][remainder & 0xFFu] ^ arith_crc_shift[1][remainder >> 8 & 0xFFu] ^
           arith_crc_shift[2][remainder >> 16 & 0xFFu] ^ arith_crc_shift[3][remainder >> 24];
}

static inline uint64_t load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

/* The instruction takes three cycles and can start in each: three blocks go side by side. */
__attribute__((target("sse4.2"))) uint32_t arith_crc32c_sse42(uint32_t crc, const uint8_t *at,
                                                              size_t length)
{
    const size_t block = ARITH_CRC_BLOCK;
    uint64_t a = (uint32_t)~crc;
    for (; length >= 3 * block; length -= 3 * block, at += 3 * block) {
        uint64_t b = 0;
        uint64_t c = 0;
        for (size_t i = 0; i < block; i += 8) {
            a = _mm_crc32_u64(a, load64(at + i));
            b = _mm_crc32_u64(b, load64(at + block + i));
            c = _mm_crc32_u64(c, load64(at + 2 * block + i));
        }
        a = pass_block(pass_block((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
    }
    for (; length >= 8; length -= 8, at += 8) {
        a = _mm_crc32_u64(a, load64(at));
    }
    for (; length > 0; length--, at++) {
        a = _mm_crc32_u8((uint32_t)a, *at);
    }
    return ~(uint32_t)a;
}

uint32_t c3d_arith_crc32c(uint32_t crc, const void *data, size_t length)
{
    return arith_crc32c_has_sse42() ? arith_crc32c_sse42(crc, data, length)
                                    : arith_crc32c_portable(crc, data, length);
}
#else
uint32_t c3d_arith_crc32c(uint32_t crc, const void *data, size_t length)
{
    return arith_crc32c_portable(crc, data, length);
}
#endif

/* The bytes of the values in the order of the host are those of the format on nearly all. */
static int is_little_endian(void)
{
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first == 1;
}

uint32_t c3d_arith_checksum(uint32_t crc, const int16_t *values, size_t n)
{
    if (is_little_endian()) {
        return c3d_arith_crc32c(crc, values, n * sizeof(*values));
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t bytes[2];
        arith_store16(bytes, (uint16_t)values[i]);
        crc = c3d_arith_crc32c(crc, bytes, sizeof(bytes));
    }
    return crc;
}
