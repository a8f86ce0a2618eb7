/* The strings and numbers of a JSON document. */
#ifndef C3D_JSON_TEXT_H
#define C3D_JSON_TEXT_H

#include "json.h"

/* Where the reader is. A fault is set once, by whoever finds it. */
typedef struct {
    const uint8_t *at, *end;
    char *text; /* room for the strings that are to come */
    c3d_json *nodes;
    const char *fault;
} c3d_json_reader;

int c3d_json_fault(c3d_json_reader *reader, const char *fault);

/* Reads a string behind its opening quote; 0 with a fault set where it is none. */
int c3d_json_string(c3d_json_reader *reader, const char **text, size_t *length);

/* Reads a number that begins here. */
int c3d_json_number(c3d_json_reader *reader, c3d_json *value);

#endif
