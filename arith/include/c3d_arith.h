/*
 * c3d_arith: an interleaved rANS entropy coder with one frequency table per symbol.
 *
 * The library knows int16 values, tables of integer frequencies, and bytes. It needs libc
 * only. No function keeps a global, prints, exits, or asserts; every failure is a status, and
 * only the two functions that make and free a bank touch the heap. All functions are safe to
 * call from several threads at once, also with the same tables, which never change after their
 * creation. The bitstream is specified in docs/arith-format.md; kernels for several
 * instruction sets read and write the same one, bit for bit.
 */
#ifndef C3D_ARITH_H
#define C3D_ARITH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An index is one byte, so a bank holds 256 tables at most. */
#define C3D_ARITH_MAX_TABLES 256u

/* The frequencies of a table sum to 2^bits. Below 11 bits the loss is felt; above 16 a state
 * of 32 bits could need two words for one symbol. */
#define C3D_ARITH_MIN_BITS 11u
#define C3D_ARITH_MAX_BITS 16u

/* A group holds 2^fold neighbouring values of equal frequency. */
#define C3D_ARITH_MAX_FOLD 5u

/* Groups on each side of zero, so that a group's number fits ten bits of a table's entry. */
#define C3D_ARITH_MAX_GROUPS 511u

/* All frequencies of a table but the zero's, added up: a look-up table has an entry for each,
 * and at most 8 KiB so that the tables of 64 scales outlive a network's run in the caches. */
#define C3D_ARITH_MAX_UNITS 2047u

/* Values of one payload: keeps every size below 2^31 bytes, so that no 32-bit host overflows. */
#define C3D_ARITH_MAX_VALUES ((size_t)1 << 28)

/* Independent states of one payload. */
#define C3D_ARITH_MAX_LANES 64u

#define C3D_ARITH_MAX_SLICES 255u

/* The numbers are part of the interface: they never change, new ones are appended. */
typedef enum c3d_arith_status {
    C3D_ARITH_OK = 0,
    C3D_ARITH_ERR_ARGUMENT = 1,      /* a null pointer where data is needed */
    C3D_ARITH_ERR_LENGTH = 2,        /* more than C3D_ARITH_MAX_VALUES values */
    C3D_ARITH_ERR_INDEX = 3,         /* a table index at or above the bank's count */
    C3D_ARITH_ERR_CAPACITY = 4,      /* the output does not fit its buffer */
    C3D_ARITH_ERR_TRUNCATED = 5,     /* the bytes end before the last value */
    C3D_ARITH_ERR_TRAILING = 6,      /* bytes are left after the last value */
    C3D_ARITH_ERR_STATE = 7,         /* a lane starts or ends in a state no encoder leaves */
    C3D_ARITH_ERR_ESCAPE = 8,        /* an escaped value that no encoder escapes like that */
    C3D_ARITH_ERR_TABLES_COUNT = 9,  /* number of tables outside 1..256 */
    C3D_ARITH_ERR_TABLES_SIZE = 10,  /* more than 511 groups on one side of zero */
    C3D_ARITH_ERR_TABLES_RANGE = 11, /* bits outside 11..16, or a fold above 5 */
    C3D_ARITH_ERR_TABLES_LENGTH = 12, /* frequencies are not as many as the shapes ask for */
    C3D_ARITH_ERR_TABLES_ZERO = 13,  /* a frequency of zero, or no weight at all */
    C3D_ARITH_ERR_TABLES_SUM = 14,   /* the frequencies of a table do not sum to 2^bits */
    C3D_ARITH_ERR_MEMORY = 15,       /* the bank could not be allocated */
    C3D_ARITH_ERR_TABLES_UNITS = 16, /* the frequencies but the zero's sum to more than 2047 */
    C3D_ARITH_ERR_LANES = 17,        /* a number of lanes that is no power of two up to 64 */
    C3D_ARITH_ERR_KERNEL = 18,       /* a kernel that this processor or build does not have */
    C3D_ARITH_ERR_VERSION = 19,      /* slices of another format version */
    C3D_ARITH_ERR_SLICES = 20,       /* a number of slices outside 1..255 */
    C3D_ARITH_ERR_CHECKSUM = 21      /* a slice's bytes are not the ones that were written */
} c3d_arith_status;

/* One line of English for a status, without a final stop. Never null, also for a number that
 * is no status; the text is static and must not be freed. */
const char *c3d_arith_status_text(c3d_arith_status status);

/* The inner loops for an instruction set. All give the same bytes, values and statuses. */
typedef enum c3d_arith_kernel {
    C3D_ARITH_KERNEL_AUTO = 0, /* the fastest that this processor has */
    C3D_ARITH_KERNEL_PORTABLE = 1,
    C3D_ARITH_KERNEL_AVX2 = 2,  /* with BMI2, FMA and POPCNT: Haswell, Zen and later */
    C3D_ARITH_KERNEL_AVX512 = 3 /* F, BW, DQ and VL: Skylake-X, Zen 4 and later */
} c3d_arith_kernel;

/* 1 where this processor and build have the kernel, else 0. */
int c3d_arith_kernel_available(c3d_arith_kernel kernel);

/*
 * What a table covers. A value v that is not zero has the rank u = v - 1 for v > 0 and u = v
 * for v < 0, and the group floor(u / 2^fold). The table has frequencies for the groups
 * -below .. above - 1; a value of any other group is escaped.
 */
typedef struct c3d_arith_shape {
    uint16_t bits;  /* 11..16 */
    uint16_t fold;  /* 0..5 */
    uint16_t below; /* 0..511 */
    uint16_t above; /* 0..511 */
} c3d_arith_shape;

/* An immutable bank of tables, ready for encoding and decoding. */
typedef struct c3d_arith_tables c3d_arith_tables;

/*
 * Builds a bank of `count` tables (1..256) of the given shapes. `frequencies` holds, table
 * after table: the zero's, those of the groups -below .. above - 1, the escape's; `length` is
 * the number of all. Each is 1 or more, and for each table
 *     zero + (groups + escape) * 2^fold = 2^bits,  groups + escape <= 2047.
 * `kernel` is for tests and measurements; give C3D_ARITH_KERNEL_AUTO.
 *
 * On success *tables owns the bank: free it with c3d_arith_tables_destroy. The arguments are
 * copied. On failure *tables is null.
 * Errors, in the order of the checks: ARGUMENT, KERNEL, TABLES_COUNT, then for all tables
 * TABLES_RANGE and TABLES_SIZE, then TABLES_LENGTH, then table by table TABLES_ZERO,
 * TABLES_UNITS and TABLES_SUM, then MEMORY.
 */
c3d_arith_status c3d_arith_tables_create(const uint32_t *frequencies, size_t length,
                                         const c3d_arith_shape *shapes, size_t count,
                                         c3d_arith_kernel kernel, c3d_arith_tables **tables);

/* Frees a bank; null is allowed. No call that uses the bank may still be running. */
void c3d_arith_tables_destroy(c3d_arith_tables *tables);

/* The number of tables of a bank, or 0 for null. */
size_t c3d_arith_tables_count(const c3d_arith_tables *tables);

/* The kernel that a bank uses, never AUTO but for null. */
c3d_arith_kernel c3d_arith_tables_kernel(const c3d_arith_tables *tables);

/* The bytes that a bank occupies. */
size_t c3d_arith_tables_bytes(const c3d_arith_tables *tables);

/*
 * Turns counts of symbols into a table, in integers only, so that every host builds the same.
 * `weights` holds below + above + 2 of them, in the order of the frequencies (zero, groups,
 * escape), at least one of them above zero. Reads fold, below and above of *shape and sets its
 * bits: as many as the unit limit allows without a fold, 11 + fold with one. Writes as many
 * frequencies as there are weights, by Webster's method (docs/arith-format.md).
 * Errors, in the order of the checks: ARGUMENT, TABLES_RANGE, TABLES_SIZE, TABLES_ZERO.
 */
c3d_arith_status c3d_arith_table_build(const uint32_t *weights, c3d_arith_shape *shape,
                                       uint32_t *frequencies);

/* Values that are coded one after the other with one bank. `means` may be null for zeros: what
 * is coded is values[i] - means[i], modulo 2^16, with table indexes[i]. */
typedef struct c3d_arith_part {
    const c3d_arith_tables *tables;
    const int16_t *values;
    const int16_t *means;
    const uint8_t *indexes;
    size_t n;
} c3d_arith_part;

/* The most bytes that n values can take in all parts together: 0 for n = 0, and 0 where n is
 * above C3D_ARITH_MAX_VALUES (encoding then answers LENGTH). */
size_t c3d_arith_bound(size_t n);

/*
 * Encodes `count` parts as one payload; a decoder can pull the first part, compute what the
 * indexes of the second depend on, and go on. Every int16 can be coded. `lanes` is a power of
 * two up to 64 (more are faster and cost 4 bytes each), or 0 to choose by the size. The
 * payload is written to the start of `out` and its length to *written, 0 for no values. It
 * always fits c3d_arith_bound bytes; a smaller capacity works where the payload fits it
 * exactly. The arrays must not overlap `out` and must not change during the call; pointers may
 * be null where nothing is read or written.
 *
 * Errors, in the order of the checks: ARGUMENT, LANES, LENGTH, INDEX, CAPACITY. *written is
 * then 0 (where it is not null) and the content of `out` unspecified.
 */
c3d_arith_status c3d_arith_encode(const c3d_arith_part *parts, size_t count, unsigned lanes,
                                  uint8_t *out, size_t capacity, size_t *written);

/* A payload that is being decoded. The caller owns it, on the stack or anywhere; its fields are
 * private, and it must not be copied or moved after c3d_arith_decoder_init. */
typedef struct c3d_arith_decoder {
    const uint8_t *cursor;
    const uint8_t *end;
    uint32_t lanes;   /* 0 for an empty payload */
    uint32_t in_tail; /* whether cursor and end point into `tail` */
    size_t pulled;
    c3d_arith_status status;
    uint32_t states[C3D_ARITH_MAX_LANES];
    uint8_t tail[512];
} c3d_arith_decoder;

/*
 * Begins to decode a payload of exactly `length` bytes, which must stay until the end.
 * Errors, in the order of the checks: ARGUMENT, LANES, TRUNCATED where the states are not all
 * there, STATE where one is below 2^16. Every later call then answers the same.
 */
c3d_arith_status c3d_arith_decoder_init(c3d_arith_decoder *decoder, const uint8_t *in,
                                        size_t length);

/*
 * Decodes the next n values, which must be a whole part, with the tables, indexes and means
 * that encoded it. Where `checksum` is not null it is brought up to date as by
 * c3d_arith_checksum. The arrays must not overlap and must not change during the call.
 *
 * Errors, in the order of the checks: ARGUMENT, LENGTH, INDEX; TRUNCATED where the payload
 * cannot hold n values, or ends within them; ESCAPE. The content of `values` is then
 * unspecified, and every later call answers the same. The time is proportional to n whatever
 * the payload.
 */
c3d_arith_status c3d_arith_decoder_pull(c3d_arith_decoder *decoder,
                                        const c3d_arith_tables *tables,
                                        const uint8_t *indexes, const int16_t *means,
                                        int16_t *values, size_t n, uint32_t *checksum);

/*
 * Checks that the payload ends where its last value did. What was decoded is what the encoder
 * was given: encoding it again with as many lanes gives the same payload. A changed payload may
 * still decode to other values, so keep a checksum of them, or of the payload.
 * Errors, in the order of the checks: ARGUMENT, an earlier error, TRAILING, STATE.
 */
c3d_arith_status c3d_arith_decoder_finish(const c3d_arith_decoder *decoder);

/* The number of lanes of a payload that is being decoded, 0 for an empty one. */
unsigned c3d_arith_decoder_lanes(const c3d_arith_decoder *decoder);

/* Decodes a payload of one part: init, pull, finish. */
c3d_arith_status c3d_arith_decode(const c3d_arith_tables *tables, const uint8_t *in,
                                  size_t length, const uint8_t *indexes, const int16_t *means,
                                  int16_t *values, size_t n, uint32_t *checksum);

/* Independent payloads in one block: coded by several threads, damaged one by one. */
typedef struct c3d_arith_slice {
    const uint8_t *data;
    size_t length;
} c3d_arith_slice;

/* The bytes of `count` slices in one block, or 0 where count is outside 1..255, a slice is
 * above 2^31 - 1 bytes or the block would be. */
size_t c3d_arith_slices_bound(const c3d_arith_slice *slices, size_t count);

/*
 * Joins slices into one block: a head with their lengths and checksums, then their bytes.
 * Errors, in the order of the checks: ARGUMENT, SLICES, LENGTH, CAPACITY.
 */
c3d_arith_status c3d_arith_slices_join(const c3d_arith_slice *slices, size_t count,
                                       uint8_t *out, size_t capacity, size_t *written);

/*
 * Finds the slices of a block of exactly `length` bytes; `slices` has room for 255 and points
 * into the block afterwards. *count is their number. The head has a checksum of its own; that
 * of a slice is compared by c3d_arith_slices_check, so that damage to one leaves the others.
 * Errors, in the order of the checks: ARGUMENT, TRUNCATED, VERSION, SLICES, TRUNCATED,
 * CHECKSUM, TRUNCATED, TRAILING. *count is then 0.
 */
c3d_arith_status c3d_arith_slices_split(const uint8_t *in, size_t length,
                                        c3d_arith_slice *slices, size_t *count);

/* Whether the slice at `position` of a block that was split has the bytes that were written.
 * Errors: ARGUMENT, SLICES for a position that the block does not have, CHECKSUM. */
c3d_arith_status c3d_arith_slices_check(const uint8_t *in, const c3d_arith_slice *slices,
                                        size_t count, size_t position);

/* CRC-32C (Castagnoli) of `length` bytes, going on from `crc`: 0 at the start, else the value
 * of the bytes before, so crc(b, crc(a, 0)) is the checksum of a followed by b. `data` may be
 * null where length is 0. It cannot fail. */
uint32_t c3d_arith_crc32c(uint32_t crc, const void *data, size_t length);

/* CRC-32C of n values, each as two bytes of two's complement, the low one first, whatever the
 * host's byte order. */
uint32_t c3d_arith_checksum(uint32_t crc, const int16_t *values, size_t n);

#ifdef __cplusplus
}
#endif

#endif
