/*
 * c3d_arith: an interleaved rANS entropy coder with one frequency table per symbol.
 *
 * The library knows symbols (int16), tables of integer frequencies, and bytes. It needs libc
 * only. No function keeps a global, prints, exits, or asserts; every failure is a status.
 * All functions are safe to call from several threads at once, also with the same tables,
 * which never change after their creation. The bitstream is specified in
 * docs/arith-format.md.
 */
#ifndef C3D_ARITH_H
#define C3D_ARITH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every table's frequencies sum to 2^12: larger tables would fall out of the caches. */
#define C3D_ARITH_PRECISION 12u
#define C3D_ARITH_TOTAL (1u << C3D_ARITH_PRECISION)

/* An index is one byte, so a bank holds 256 tables at most. */
#define C3D_ARITH_MAX_TABLES 256u

/* Covered symbols of one table: wider ones would spend most of the 4096 on their tails. */
#define C3D_ARITH_MAX_SIZE 1024u

/* Symbols of one call: keeps every size below 2^31 bytes, so that no 32-bit host overflows. */
#define C3D_ARITH_MAX_SYMBOLS ((size_t)1 << 28)

/* The numbers are part of the interface: they never change, new ones are appended. */
typedef enum c3d_arith_status {
    C3D_ARITH_OK = 0,
    C3D_ARITH_ERR_ARGUMENT = 1,      /* a null pointer where data is needed */
    C3D_ARITH_ERR_LENGTH = 2,        /* more than C3D_ARITH_MAX_SYMBOLS symbols */
    C3D_ARITH_ERR_INDEX = 3,         /* a table index at or above the bank's count */
    C3D_ARITH_ERR_CAPACITY = 4,      /* the payload does not fit the output buffer */
    C3D_ARITH_ERR_TRUNCATED = 5,     /* the payload ends before the last symbol */
    C3D_ARITH_ERR_TRAILING = 6,      /* bytes are left after the last symbol */
    C3D_ARITH_ERR_STATE = 7,         /* a lane starts or ends in a state no encoder leaves */
    C3D_ARITH_ERR_ESCAPE = 8,        /* an escaped value that its table covers */
    C3D_ARITH_ERR_TABLES_COUNT = 9,  /* number of tables outside 1..256 */
    C3D_ARITH_ERR_TABLES_SIZE = 10,  /* size of a table outside 1..1024 */
    C3D_ARITH_ERR_TABLES_RANGE = 11, /* a table reaches beyond 32767 */
    C3D_ARITH_ERR_TABLES_LENGTH = 12, /* frequencies are not as many as the sizes ask for */
    C3D_ARITH_ERR_TABLES_ZERO = 13,  /* a frequency of zero */
    C3D_ARITH_ERR_TABLES_SUM = 14,   /* the frequencies of a table do not sum to 4096 */
    C3D_ARITH_ERR_MEMORY = 15        /* the bank could not be allocated */
} c3d_arith_status;

/* An immutable bank of tables, ready for encoding and decoding. */
typedef struct c3d_arith_tables c3d_arith_tables;

/* One line of English for a status, without a final stop. Never null, also for a number that
 * is no status; the text is static and must not be freed. */
const char *c3d_arith_status_text(c3d_arith_status status);

/*
 * Builds a bank of `count` tables (1..256). Table t covers the symbols
 * minimums[t] .. minimums[t] + sizes[t] - 1, with sizes[t] in 1..1024 and the last symbol at
 * most 32767. `frequencies` holds, table after table, sizes[t] frequencies in the order of
 * the symbols and then the frequency of the escape; each is 1 or more and each table sums to
 * 4096. `length` is the number of all frequencies.
 *
 * On success *tables owns the bank: free it with c3d_arith_tables_destroy. The arguments are
 * copied. On failure *tables is null.
 * Errors, in the order of the checks: ARGUMENT, TABLES_COUNT, then for all tables TABLES_SIZE
 * and TABLES_RANGE, then TABLES_LENGTH, then table by table TABLES_ZERO and TABLES_SUM, then
 * MEMORY.
 */
c3d_arith_status c3d_arith_tables_create(const uint32_t *frequencies, size_t length,
                                         const int16_t *minimums, const uint16_t *sizes,
                                         size_t count, c3d_arith_tables **tables);

/* Frees a bank; null is allowed. No call that uses the bank may still be running. */
void c3d_arith_tables_destroy(c3d_arith_tables *tables);

/* The number of tables of a bank, or 0 for null. */
size_t c3d_arith_tables_count(const c3d_arith_tables *tables);

/* The most bytes that n symbols can take, with any tables: 0 for n = 0, and 0 where n is
 * above C3D_ARITH_MAX_SYMBOLS (encoding then answers LENGTH). */
size_t c3d_arith_bound(size_t n);

/*
 * Encodes n symbols (0 .. C3D_ARITH_MAX_SYMBOLS); symbol i uses table indexes[i]. Every int16
 * value can be coded: a table escapes what it does not cover. The payload is written to the
 * start of `out` and its length to *written, 0 for n = 0. It always fits c3d_arith_bound(n)
 * bytes; a smaller capacity works where the payload fits it exactly. The arrays must not
 * overlap and must not change during the call. `symbols`, `indexes` and `out` may be null
 * where n is 0.
 *
 * Errors, in the order of the checks: ARGUMENT, LENGTH, INDEX, CAPACITY. *written is then 0
 * (where it is not null) and the content of `out` unspecified.
 */
c3d_arith_status c3d_arith_encode(const c3d_arith_tables *tables, const int16_t *symbols,
                                  const uint8_t *indexes, size_t n, uint8_t *out,
                                  size_t capacity, size_t *written);

/*
 * Decodes n symbols from a payload of exactly `length` bytes, with the tables and the indexes
 * that encoded it. What it accepts is what the encoder writes, byte for byte: encoding the
 * symbols again gives the same payload. A changed payload may still decode to other symbols,
 * so keep a checksum of the symbols. The arrays must not overlap and must not change during
 * the call. `in`, `indexes` and `symbols` may be null where length or n is 0.
 *
 * Errors, in the order of the checks: ARGUMENT, LENGTH, INDEX; TRAILING for n = 0 with a
 * payload; TRUNCATED where the states are not all there, STATE where one is below 2^16;
 * TRUNCATED, ESCAPE, TRAILING, STATE after the symbols. The content of `symbols` is then
 * unspecified. The time is proportional to n whatever the payload.
 */
c3d_arith_status c3d_arith_decode(const c3d_arith_tables *tables, const uint8_t *in,
                                  size_t length, const uint8_t *indexes, int16_t *symbols,
                                  size_t n);

/* CRC-32C (Castagnoli) of `length` bytes, going on from `crc`: 0 at the start, else the value
 * of the bytes before, so crc(b, crc(a, 0)) is the checksum of a followed by b. `data` may be
 * null where length is 0. It cannot fail. */
uint32_t c3d_arith_crc32c(uint32_t crc, const void *data, size_t length);

#ifdef __cplusplus
}
#endif

#endif
