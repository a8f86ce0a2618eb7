/* The command line of libc3dcodec. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "c3d_codec.h"
#include "files.h"

static const char USAGE[] =
    "usage: c3dcodec encode IN.ppm OUT.c3s --codec BUNDLE.c3b --quality Q\n"
    "       c3dcodec decode IN.c3s OUT.ppm --codec BUNDLE.c3b\n"
    "       c3dcodec info IN.c3s\n"
    "       c3dcodec bench IN.ppm --codec BUNDLE.c3b [--quality Q] [--frames N]\n"
    "\n"
    "'-' is stdin or stdout. Further options:\n"
    "  --flavour qlinear|float  how the networks compute; qlinear is the default\n"
    "  --threads N              0, the default, is one each core\n"
    "  --runtime PATH           ONNX Runtime's library; else $C3D_ONNXRUNTIME, or as the loader\n"
    "                           finds it\n"
    "\n"
    "Exit codes: 0 done, 1 internal error, 2 wrong usage, 3 an unreadable image, 4 the host lacks\n"
    "something, 5 a corrupt or foreign bundle or stream.\n";

enum { MOST_PATHS = 2 };
static const size_t MOST_STREAM = (size_t)256 << 20, MOST_IMAGE = (size_t)512 << 20;

typedef struct {
    const char *paths[MOST_PATHS];
    size_t path_count;
    const char *bundle;
    unsigned quality, frames;
    c3d_options options;
} arguments;

static int number_of(const char *name, const char *text, unsigned most, unsigned *number)
{
    char *end;
    const long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < 0 || (unsigned long)value > most)
        return tool_fail(EXIT_USAGE, "%s is %s; give a number up to %u", name, text, most);
    *number = (unsigned)value;
    return 0;
}

static int take_option(arguments *a, const char *name, const char *value)
{
    if (strcmp(name, "--codec") == 0) {
        a->bundle = value;
        return 0;
    }
    if (strcmp(name, "--runtime") == 0) {
        a->options.runtime_path = value;
        return 0;
    }
    if (strcmp(name, "--quality") == 0)
        return number_of(name, value, 255, &a->quality);
    if (strcmp(name, "--threads") == 0)
        return number_of(name, value, 1024, &a->options.threads);
    if (strcmp(name, "--frames") == 0)
        return number_of(name, value, MOST_FRAMES, &a->frames);
    if (strcmp(name, "--flavour") != 0)
        return tool_fail(EXIT_USAGE, "unknown option %s; run c3dcodec --help", name);
    a->options.flavour = strcmp(value, "float") == 0 ? C3D_FLAVOUR_FLOAT : C3D_FLAVOUR_QLINEAR;
    return strcmp(value, "float") == 0 || strcmp(value, "qlinear") == 0
               ? 0
               : tool_fail(EXIT_USAGE, "unknown flavour %s; known are qlinear and float", value);
}

static int parse_arguments(int count, char **words, arguments *a)
{
    *a = (arguments){.frames = 20, .options = C3D_OPTIONS_INIT};
    a->options.runtime_path = getenv("C3D_ONNXRUNTIME");
    for (int i = 2; i < count; i++) {
        if (strncmp(words[i], "--", 2) == 0) {
            if (i + 1 == count)
                return tool_fail(EXIT_USAGE, "%s needs a value", words[i]);
            const int code = take_option(a, words[i], words[i + 1]);
            if (code != 0)
                return code;
            i++;
        } else if (a->path_count == MOST_PATHS) {
            return tool_fail(EXIT_USAGE, "%s is one file too many", words[i]);
        } else {
            a->paths[a->path_count++] = words[i];
        }
    }
    return 0;
}

static int open_codec(arguments *a, c3d_codec **codec)
{
    c3d_error error;
    const c3d_status status = c3d_codec_open(a->bundle, &a->options, codec, &error);
    if (status != C3D_OK)
        return tool_failed(status, &error);
    if (a->quality == 0)
        a->quality = (c3d_codec_qualities(*codec) + 1) / 2;
    return 0;
}

static int encode_file(const arguments *a, c3d_codec *codec)
{
    file_bytes bytes;
    ppm_image image;
    c3d_error error;
    const uint8_t *data;
    size_t size;
    int code = read_bytes(a->paths[0], MOST_IMAGE, &bytes);
    if (code == 0)
        code = parse_ppm(a->paths[0], &bytes, &image);
    if (code == 0) {
        const c3d_status status =
            c3d_codec_encode(codec, image.rgb, image.width, image.height,
                             (size_t)image.width * 3, a->quality, &data, &size, &error);
        code = status == C3D_OK ? write_bytes(a->paths[1], "", data, size)
                                : tool_failed(status, &error);
    }
    free(bytes.data);
    return code;
}

static int decode_bytes(const arguments *a, c3d_codec *codec, const file_bytes *bytes)
{
    c3d_error error;
    c3d_stream_info info;
    char head[48];
    c3d_status status = c3d_peek(bytes->data, bytes->size, &info, &error);
    if (status != C3D_OK)
        return tool_failed(status, &error);
    const size_t stride = (size_t)info.width * 3, size = stride * info.height;
    uint8_t *rgb = malloc(size);
    if (rgb == NULL)
        return tool_fail(EXIT_HOST, "no memory for a frame of %u rows", (unsigned)info.height);
    status = c3d_codec_decode(codec, bytes->data, bytes->size, rgb, size, stride, &error);
    (void)snprintf(head, sizeof head, "P6\n%u %u\n255\n", (unsigned)info.width,
                   (unsigned)info.height);
    const int code = status == C3D_OK ? write_bytes(a->paths[1], head, rgb, size)
                                      : tool_failed(status, &error);
    free(rgb);
    return code;
}

static int decode_file(const arguments *a, c3d_codec *codec)
{
    file_bytes bytes;
    int code = read_bytes(a->paths[0], MOST_STREAM, &bytes);
    if (code == 0)
        code = decode_bytes(a, codec, &bytes);
    free(bytes.data);
    return code;
}

static int show_info(const arguments *a)
{
    file_bytes bytes;
    c3d_error error;
    c3d_stream_info info;
    int code = read_bytes(a->paths[0], MOST_STREAM, &bytes);
    if (code == 0) {
        const c3d_status status = c3d_peek(bytes.data, bytes.size, &info, &error);
        if (status != C3D_OK)
            code = tool_failed(status, &error);
    }
    if (code == 0) {
        printf("%ux%u quality %u codec ", (unsigned)info.width, (unsigned)info.height,
               info.quality);
        for (int i = 0; i < C3D_ID_BYTES; i++)
            printf("%02x", info.id[i]);
        printf(" bytes %llu\n", (unsigned long long)info.size);
    }
    free(bytes.data);
    return code;
}

static int bench_file(const arguments *a, c3d_codec *codec)
{
    file_bytes bytes;
    ppm_image image;
    if (a->frames == 0)
        return tool_fail(EXIT_USAGE, "--frames is 0; give a number from 1 on");
    int code = read_bytes(a->paths[0], MOST_IMAGE, &bytes);
    if (code == 0)
        code = parse_ppm(a->paths[0], &bytes, &image);
    if (code == 0) {
        uint8_t *rgb = malloc((size_t)image.width * image.height * 3);
        code = rgb ? bench_image(codec, &image, a->quality, a->frames, rgb)
                   : tool_fail(EXIT_HOST, "no memory for a frame");
        free(rgb);
    }
    free(bytes.data);
    return code;
}

static int with_codec(arguments *a, size_t paths, int (*work)(const arguments *, c3d_codec *))
{
    c3d_codec *codec;
    if (a->path_count != paths || a->bundle == NULL)
        return tool_fail(EXIT_USAGE, "files or --codec are missing; run c3dcodec --help");
    int code = open_codec(a, &codec);
    if (code == 0) {
        code = work(a, codec);
        c3d_codec_close(codec);
    }
    return code;
}

int main(int count, char **words)
{
    arguments a;
    if (count < 2 || strcmp(words[1], "--help") == 0) {
        fputs(USAGE, count < 2 ? stderr : stdout);
        return count < 2 ? EXIT_USAGE : EXIT_DONE;
    }
    const char *command = words[1];
    const int code = parse_arguments(count, words, &a);
    if (code != 0)
        return code;
    if (strcmp(command, "encode") == 0)
        return with_codec(&a, 2, encode_file);
    if (strcmp(command, "decode") == 0)
        return with_codec(&a, 2, decode_file);
    if (strcmp(command, "bench") == 0)
        return with_codec(&a, 1, bench_file);
    if (strcmp(command, "info") == 0)
        return a.path_count == 1 ? show_info(&a) : tool_fail(EXIT_USAGE, "info needs one file");
    return tool_fail(EXIT_USAGE, "unknown command %s; run c3dcodec --help", command);
}
