#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "limits.h"

int c3d_wire_fault(c3d_wire *wire, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(wire->fault, sizeof wire->fault, format, args);
    va_end(args);
    return 0;
}

c3d_cursor c3d_wire_open(c3d_wire *wire, const c3d_message *message, const uint8_t *begin,
                         const uint8_t *end)
{
    return (c3d_cursor){wire, message, begin, end};
}

/* A number of at most ten bytes, seven bits in each. One of more than 64 bits is refused, where
 * Python's reader has it fail as too large in some later check. */
static int varint(c3d_cursor *c, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < 10 && c->at < c->end; i++) {
        const uint8_t byte = *c->at++;
        if (i == 9 && byte > 1)
            break;
        *value |= (uint64_t)(byte & 127) << 7 * i;
        if (byte < 128) {
            if (byte == 0 && i > 0)
                return c3d_wire_fault(c->wire, "has a number that is written longer than needed");
            return 1;
        }
    }
    return c3d_wire_fault(c->wire, "is cut off or has a number of more than 64 bits");
}

static int is_known(const c3d_message *message, uint64_t tag)
{
    for (size_t i = 0; i < C3D_WIRE_MOST_NAMES && message->fields[i].number != 0; i++)
        if (tag == ((uint64_t)message->fields[i].number << 3 | message->fields[i].type))
            return 1;
    return 0;
}

static int read_field(c3d_cursor *c, c3d_field *field)
{
    uint64_t tag, value;
    if (c->wire->left == 0)
        return c3d_wire_fault(c->wire, "has more than %u fields", C3D_MAX_GRAPH_FIELDS);
    c->wire->left--;
    if (!varint(c, &tag))
        return 0;
    if (!is_known(c->message, tag))
        return c3d_wire_fault(c->wire, "has field %llu of type %u in %s, which none of ours has",
                              (unsigned long long)(tag >> 3), (unsigned)tag & 7,
                              c->message->name);
    if (!varint(c, &value))
        return 0;
    *field = (c3d_field){(unsigned)(tag >> 3), value, c->at, c->at};
    if ((tag & 7) == C3D_WIRE_INTEGER)
        return 1;
    if (value > (uint64_t)(c->end - c->at))
        return c3d_wire_fault(c->wire, "is cut off");
    c->at += value;
    field->end = c->at;
    return 1;
}

int c3d_wire_next(c3d_cursor *c, c3d_field *field)
{
    if (c->at == c->end)
        return 0;
    return read_field(c, field) ? 1 : -1;
}

int c3d_wire_short(c3d_wire *wire, const c3d_field *field, size_t limit)
{
    if ((size_t)(field->end - field->begin) <= limit)
        return 1;
    return c3d_wire_fault(wire, "has a name of more than %zu bytes", limit);
}

int c3d_wire_twice(c3d_wire *wire) { return c3d_wire_fault(wire, "gives a single value twice"); }

int c3d_field_is(const c3d_field *field, const char *text)
{
    const size_t length = strlen(text);
    return field->begin != NULL && (size_t)(field->end - field->begin) == length &&
           memcmp(field->begin, text, length) == 0;
}
