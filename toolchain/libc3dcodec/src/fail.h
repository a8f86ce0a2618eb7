/* One line for the caller, and the status that goes with it. */
#ifndef C3D_FAIL_H
#define C3D_FAIL_H

#include "c3d_codec.h"

#if defined(__GNUC__)
#define C3D_PRINTF __attribute__((format(printf, 3, 4)))
#else
#define C3D_PRINTF
#endif

/* Writes the message (error may be null) and returns the status. Bytes of names from outside that
 * are no printable ASCII become question marks: a message stays one line. */
c3d_status c3d_fail(c3d_error *error, c3d_status status, const char *format, ...) C3D_PRINTF;

/* Goes on where the call was done, and returns its status where not. */
#define C3D_TRY(call)                     \
    do {                                  \
        const c3d_status tried = (call);  \
        if (tried != C3D_OK)              \
            return tried;                 \
    } while (0)

#endif
