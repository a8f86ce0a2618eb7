/* Files of the command line: whole files in memory, and PPM, the one image format that needs no
 * library. Every function prints what is wrong and returns the exit code, 0 for done. */
#ifndef C3D_TOOL_FILES_H
#define C3D_TOOL_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "c3d_codec.h"

enum { EXIT_DONE = 0, EXIT_INTERNAL = 1, EXIT_USAGE = 2, EXIT_INVALID = 3, EXIT_HOST = 4 };

typedef struct {
    uint8_t *data; /* to be freed */
    size_t size;
} file_bytes;

/* Prints a line to stderr and returns the code. */
int tool_fail(int code, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* The same for a call of the library that failed. */
int tool_failed(c3d_status status, const c3d_error *error);

/* Reads a file, or stdin for "-"; at most `limit` bytes. */
int read_bytes(const char *path, size_t limit, file_bytes *bytes);

/* Writes `head` and `data` to stdout for "-", else to a file that is there whole or not at all. */
int write_bytes(const char *path, const char *head, const uint8_t *data, size_t size);

/* An image within a file's bytes. */
typedef struct {
    uint32_t width, height;
    const uint8_t *rgb;
} ppm_image;

/* Finds the image of a binary PPM (P6) of 8 bits. */
int parse_ppm(const char *path, const file_bytes *bytes, ppm_image *image);

#endif
