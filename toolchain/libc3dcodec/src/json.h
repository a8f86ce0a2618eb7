/* Strict JSON, as c3d_export.core.jsonio reads it: UTF-8, nothing ambiguous.
 *
 * A reader of our own: what the small libraries accept beyond JSON (keys that stand twice, numbers
 * like 01, broken UTF-8) would have to be looked for in a second pass anyway, and a host need not
 * install one. */
#ifndef C3D_JSON_H
#define C3D_JSON_H

#include "fail.h"

typedef enum { C3D_JSON_NULL, C3D_JSON_BOOL, C3D_JSON_INT, C3D_JSON_FLOAT, C3D_JSON_STRING,
               C3D_JSON_ARRAY, C3D_JSON_OBJECT } c3d_json_kind;

/* A value; `text` is a string's UTF-8, which may hold zeros and has none at its end. */
typedef struct c3d_json {
    c3d_json_kind kind;
    uint32_t count;     /* of the items of an array, or of the members of an object */
    int64_t number;     /* of C3D_JSON_INT; the nearest end of the range where it is beyond */
    const char *text;
    size_t length;
    const char *key;    /* of a member of an object */
    size_t key_length;
    const struct c3d_json *child, *next;
} c3d_json;

typedef struct {
    c3d_json *root; /* what c3d_json_free frees */
    char *texts;
} c3d_document;

/* Errors: BUNDLE_MANIFEST, MEMORY. On failure the document is empty. */
c3d_status c3d_json_parse(const uint8_t *data, size_t size, c3d_document *document,
                          c3d_error *error);

void c3d_json_free(c3d_document *document);

/* The member of an object, or null where `object` is none (null too) or lacks it. */
const c3d_json *c3d_json_get(const c3d_json *object, const char *key);

/* Whether a value is this string. */
int c3d_json_is(const c3d_json *value, const char *text);

/* Whether a value is a whole number, written without a point. */
int c3d_json_is_int(const c3d_json *value);

#endif
