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
        return "more than 268435456 symbols in one call";
    case C3D_ARITH_ERR_INDEX:
        return "a table index is not below the number of tables";
    case C3D_ARITH_ERR_CAPACITY:
        return "the payload does not fit the output buffer";
    case C3D_ARITH_ERR_TRUNCATED:
        return "the payload ends before the last symbol";
    case C3D_ARITH_ERR_TRAILING:
        return "the payload goes on after the last symbol";
    case C3D_ARITH_ERR_STATE:
        return "the payload is corrupt: a coder state is not one that an encoder leaves";
    case C3D_ARITH_ERR_ESCAPE:
        return "the payload is corrupt: a value is escaped although its table covers it";
    case C3D_ARITH_ERR_TABLES_COUNT:
        return "a bank must have 1 to 256 tables";
    case C3D_ARITH_ERR_TABLES_SIZE:
        return "a table must cover 1 to 1024 symbols";
    case C3D_ARITH_ERR_TABLES_RANGE:
        return "a table covers symbols beyond 32767";
    case C3D_ARITH_ERR_TABLES_LENGTH:
        return "the number of frequencies is not the sum of the table sizes plus one each";
    case C3D_ARITH_ERR_TABLES_ZERO:
        return "a frequency is zero";
    case C3D_ARITH_ERR_TABLES_SUM:
        return "the frequencies of a table do not sum to 4096";
    case C3D_ARITH_ERR_MEMORY:
        return "not enough memory for the tables";
    }
    return "unknown status";
}
