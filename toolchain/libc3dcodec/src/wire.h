/* The wire format of protobuf, as far as our graphs use it (c3d_export.runtime.wire): whole numbers
 * and byte strings. What a second reader could take in another way is refused. */
#ifndef C3D_WIRE_H
#define C3D_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum { C3D_WIRE_INTEGER = 0, C3D_WIRE_BYTES = 2, C3D_WIRE_MOST_NAMES = 7 };

/* A kind of message: the numbers of the fields that it may have, with their types. */
typedef struct {
    const char *name; /* with its article */
    struct {
        uint8_t number, type;
    } fields[C3D_WIRE_MOST_NAMES];
} c3d_message;

/* A field: its value, or where its bytes stand. */
typedef struct {
    unsigned number;
    uint64_t value;
    const uint8_t *begin, *end;
} c3d_field;

/* Counts what is left to read, and keeps what is wrong: a text for after the graph's name. */
typedef struct {
    size_t left;
    char fault[160];
} c3d_wire;

/* A message that is being read. */
typedef struct {
    c3d_wire *wire;
    const c3d_message *message;
    const uint8_t *at, *end;
} c3d_cursor;

c3d_cursor c3d_wire_open(c3d_wire *wire, const c3d_message *message, const uint8_t *begin,
                         const uint8_t *end);

/* 1 and the next field; 0 at the end; -1 with the fault set. */
int c3d_wire_next(c3d_cursor *cursor, c3d_field *field);

/* Sets the fault; returns 0. */
int c3d_wire_fault(c3d_wire *wire, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* The fault of a field that stands twice; returns 0. */
int c3d_wire_twice(c3d_wire *wire);

/* Whether a field's bytes are this text; no field is none. */
int c3d_field_is(const c3d_field *field, const char *text);

/* Whether a name is of the length that is allowed; sets the fault where it is not. */
int c3d_wire_short(c3d_wire *wire, const c3d_field *field, size_t limit);

/* How many bytes of a name, and which, to show in a message: for "%.*s". */
#define C3D_SHOWN(field) \
    ((field)->end - (field)->begin < 40 ? (int)((field)->end - (field)->begin) : 40), \
        (const char *)(field)->begin

#endif
