#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int tool_fail(int code, const char *format, ...)
{
    va_list args;
    fputs("c3dcodec: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return code;
}

int tool_failed(c3d_status status, const c3d_error *error)
{
    return tool_fail(c3d_status_exit_code(status), "%s",
                     error->message[0] ? error->message : c3d_status_text(status));
}

/* Doubles the room until the end is reached. */
static int read_stream(FILE *file, const char *path, size_t limit, file_bytes *bytes)
{
    size_t room = (size_t)1 << 16;
    *bytes = (file_bytes){NULL, 0};
    for (;;) {
        uint8_t *grown = realloc(bytes->data, room);
        if (grown == NULL)
            return tool_fail(EXIT_HOST, "no memory for %s", path);
        bytes->data = grown;
        bytes->size += fread(bytes->data + bytes->size, 1, room - bytes->size, file);
        if (bytes->size < room)
            break;
        if (bytes->size > limit)
            return tool_fail(EXIT_INVALID, "%s is larger than %zu bytes", path, limit);
        room *= 2;
    }
    return ferror(file) ? tool_fail(EXIT_USAGE, "%s cannot be read: %s", path, strerror(errno)) : 0;
}

int read_bytes(const char *path, size_t limit, file_bytes *bytes)
{
    *bytes = (file_bytes){NULL, 0};
    if (strcmp(path, "-") == 0)
        return read_stream(stdin, "stdin", limit, bytes);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return tool_fail(EXIT_USAGE, "%s cannot be opened: %s", path, strerror(errno));
    const int code = read_stream(file, path, limit, bytes);
    fclose(file);
    return code;
}

static int put(FILE *file, const char *head, const uint8_t *data, size_t size)
{
    return fputs(head, file) >= 0 && fwrite(data, 1, size, file) == size && fflush(file) == 0;
}

/* The new name is on the disk only when the folder is. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    const int descriptor = folder ? open(folder, O_RDONLY) : -1;
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
    free(folder);
}

static int write_atomic(const char *path, const char *part, const char *head, const uint8_t *data,
                        size_t size)
{
    FILE *file = fopen(part, "wb");
    if (file == NULL)
        return tool_fail(EXIT_HOST, "%s cannot be written: %s", path, strerror(errno));
    int done = put(file, head, data, size) && fsync(fileno(file)) == 0;
    done = fclose(file) == 0 && done;
    if (done && rename(part, path) == 0) {
        sync_folder(path);
        return 0;
    }
    const int reason = errno;
    remove(part);
    return tool_fail(EXIT_HOST, "%s cannot be written: %s", path, strerror(reason));
}

int write_bytes(const char *path, const char *head, const uint8_t *data, size_t size)
{
    if (strcmp(path, "-") == 0)
        return put(stdout, head, data, size)
                   ? 0
                   : tool_fail(EXIT_HOST, "stdout cannot be written: %s", strerror(errno));
    const size_t room = strlen(path) + 32;
    char *part = malloc(room);
    if (part == NULL)
        return tool_fail(EXIT_HOST, "no memory for a file name");
    (void)snprintf(part, room, "%s.%ld.part", path, (long)getpid());
    const int code = write_atomic(path, part, head, data, size);
    free(part);
    return code;
}

/* A number of a PPM's head, behind spaces and comments. */
static int head_number(const file_bytes *bytes, size_t *at, uint32_t *number)
{
    const uint8_t *data = bytes->data;
    while (*at < bytes->size && (strchr(" \t\r\n", data[*at]) != NULL || data[*at] == '#')) {
        if (data[*at] == '#')
            while (*at < bytes->size && data[*at] != '\n')
                ++*at;
        else if (data[*at] == '\0')
            return 0;
        else
            ++*at;
    }
    const size_t first = *at;
    for (*number = 0; *at < bytes->size && data[*at] >= '0' && data[*at] <= '9'; ++*at)
        *number = *number > 99999 ? 999999 : *number * 10 + (uint32_t)(data[*at] - '0');
    return *at > first;
}

int parse_ppm(const char *path, const file_bytes *bytes, ppm_image *image)
{
    size_t at = 2;
    uint32_t most;
    if (bytes->size < 2 || memcmp(bytes->data, "P6", 2) != 0)
        return tool_fail(EXIT_INVALID, "%s is no binary PPM (P6); convert it", path);
    if (!head_number(bytes, &at, &image->width) || !head_number(bytes, &at, &image->height) ||
        !head_number(bytes, &at, &most) || at == bytes->size)
        return tool_fail(EXIT_INVALID, "%s has a damaged head", path);
    if (most != 255)
        return tool_fail(EXIT_INVALID, "%s has %u as its largest value; only 255 is supported",
                         path, (unsigned)most);
    at++; /* one space ends the head */
    image->rgb = bytes->data + at;
    const uint64_t wanted = (uint64_t)image->width * image->height * 3;
    if (bytes->size - at != wanted)
        return tool_fail(EXIT_INVALID, "%s has %zu bytes of pixels, and %ux%u need %llu", path,
                         bytes->size - at, (unsigned)image->width, (unsigned)image->height,
                         (unsigned long long)wanted);
    return 0;
}
