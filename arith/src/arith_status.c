/* The texts of the statuses. */
#include "c3d_arith.h"

const char *c3d_arith_status_text(c3d_arith_status status)
{
    switch (status) {
    case C3D_ARITH_OK:
        return "no error";
    case C3D_ARITH_ERR_ARGUMENT:
        return "a required argument is missing";
    case C3D_ARITH_ERR_LENGTH:
        return "more than 268435456 values in one payload";
    case C3D_ARITH_ERR_INDEX:
        return "a table index is not below the number of tables";
    case C3D_ARITH_ERR_CAPACITY:
        return "the output does not fit its buffer";
    case C3D_ARITH_ERR_TRUNCATED:
        return "the payload ends before the last value";
    case C3D_ARITH_ERR_TRAILING:
        return "the payload goes on after the last value";
    case C3D_ARITH_ERR_STATE:
        return "the payload is corrupt: a coder state is not one that an encoder leaves";
    case C3D_ARITH_ERR_ESCAPE:
        return "the payload is corrupt: a value is escaped as no encoder does it";
    case C3D_ARITH_ERR_TABLES_COUNT:
        return "a bank must have 1 to 256 tables";
    case C3D_ARITH_ERR_TABLES_SIZE:
        return "a table must have at most 511 groups on each side of zero";
    case C3D_ARITH_ERR_TABLES_RANGE:
        return "a table must have 11 to 16 bits and a fold of 0 to 5";
    case C3D_ARITH_ERR_TABLES_LENGTH:
        return "the number of frequencies is not what the shapes of the tables ask for";
    case C3D_ARITH_ERR_TABLES_ZERO:
        return "a frequency is zero, or all weights are";
    case C3D_ARITH_ERR_TABLES_SUM:
        return "the frequencies of a table do not sum to two to the power of its bits";
    case C3D_ARITH_ERR_MEMORY:
        return "not enough memory for the tables";
    case C3D_ARITH_ERR_TABLES_UNITS:
        return "the frequencies of a table, without the zero's, sum to more than 2047";
    case C3D_ARITH_ERR_LANES:
        return "a number of lanes that is no power of two up to 64";
    case C3D_ARITH_ERR_KERNEL:
        return "this processor or build does not have the kernel";
    case C3D_ARITH_ERR_VERSION:
        return "the slices are of a format version that this library does not read";
    case C3D_ARITH_ERR_SLICES:
        return "a number of slices outside 1 to 255";
    case C3D_ARITH_ERR_CHECKSUM:
        return "a checksum does not hold: the bytes are not the ones that were written";
    }
    return "unknown status";
}
