/* The container of a `.c3b`: a stored zip that has exactly one valid form for its members. */
#ifndef C3D_ARCHIVE_H
#define C3D_ARCHIVE_H

#include "fail.h"
#include "limits.h"

/* Points into the bundle. */
typedef struct {
    const uint8_t *name; /* no zero at its end */
    size_t name_length;
    const uint8_t *data;
    size_t size;
} c3d_member;

typedef struct {
    c3d_member members[C3D_MAX_MEMBERS]; /* in the order of their names */
    size_t count;
} c3d_archive;

/* Finds the members. Errors, as c3d_export.runtime.archive has them: BUNDLE_FORMAT,
 * BUNDLE_MEMBER. */
c3d_status c3d_archive_read(const uint8_t *data, size_t size, c3d_archive *archive,
                            c3d_error *error);

/* The member of this name, or null. */
const c3d_member *c3d_archive_find(const c3d_archive *archive, const char *name);

#endif
