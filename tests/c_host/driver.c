/* Runs cases of the tests in one process: reads them from stdin, writes a line for each.
 *
 *     driver BUNDLE RUNTIME FLAVOUR THREADS
 *
 * A case is a letter, three numbers and the length of its bytes, each 4 bytes, and the bytes:
 *     b  open these bytes as a bundle
 *     e  encode pixels: width, height, quality   -> the stream's bytes as hexadecimal
 *     d  decode a stream                         -> the SHA-256 of the pixels
 *     p  peek into a stream
 *     h  SHA-256 of these bytes
 *     m  open these bytes as a bundle, encode and decode, with each allocation failing once
 *        -> how many there are (only where the library was compiled with the hooks)
 * A line is the status as a number, a space, and the result or the message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c3d_codec.h"
#include "sha256.h"

typedef struct {
    uint32_t a, b, c, size;
} numbers;

enum { GAP = 7 };

static void show(c3d_status status, const c3d_error *error)
{
    printf("%d %s\n", (int)status, error->message);
}

static void show_digest(const uint8_t *data, size_t size)
{
    uint8_t digest[C3D_SHA256_BYTES];
    c3d_sha256(data, size, digest);
    printf("0 ");
    for (int i = 0; i < C3D_SHA256_BYTES; i++)
        printf("%02x", digest[i]);
    printf("\n");
}

static void open_case(const uint8_t *data, const numbers *n, const c3d_options *options)
{
    c3d_error error;
    c3d_codec *codec;
    const c3d_status status = c3d_codec_open_memory(data, n->size, options, &codec, &error);
    if ((status == C3D_OK) != (codec != NULL))
        abort();
    show(status, &error);
    c3d_codec_close(codec);
}

/* Rows with gaps must give the same stream as rows without. */
static void encode_case(const uint8_t *data, const numbers *n, c3d_codec *codec)
{
    const size_t row = (size_t)n->a * 3, stride = row + GAP;
    const uint8_t *found, *again;
    size_t size, size_again;
    c3d_error error;
    uint8_t *wide = malloc(stride * n->b);
    const c3d_status status =
        c3d_codec_encode(codec, data, n->a, n->b, row, n->c, &found, &size, &error);
    uint8_t *kept = malloc(size + 1);
    if (status != C3D_OK || wide == NULL || kept == NULL) {
        show(status, &error);
    } else {
        memcpy(kept, found, size);
        for (size_t y = 0; y < n->b; y++)
            memcpy(wide + y * stride, data + y * row, row);
        if (c3d_codec_encode(codec, wide, n->a, n->b, stride, n->c, &again, &size_again, NULL) !=
                C3D_OK ||
            size_again != size || memcmp(kept, again, size) != 0)
            abort();
        printf("0 ");
        for (size_t i = 0; i < size; i++)
            printf("%02x", kept[i]);
        printf("\n");
    }
    free(kept);
    free(wide);
}

/* Rows without gaps must get the same pixels. */
static void decode_again(const uint8_t *data, size_t size, c3d_codec *codec, const uint8_t *rgb,
                         size_t row, size_t rows)
{
    uint8_t *again = malloc(row * rows);
    if (again == NULL ||
        c3d_codec_decode(codec, data, size, again, row * rows, row, NULL) != C3D_OK ||
        memcmp(again, rgb, row * rows) != 0)
        abort();
    free(again);
}

/* Decoded into rows with gaps, which must stay as they were. */
static void decode_case(const uint8_t *data, const numbers *n, c3d_codec *codec)
{
    c3d_stream_info info = {0};
    c3d_error error;
    const int known = c3d_peek(data, n->size, &info, &error) == C3D_OK;
    const size_t row = (size_t)info.width * 3, stride = row + GAP;
    const size_t size = known ? stride * (info.height - 1) + row : 1;
    /* Zeroed pages that nothing touches cost nothing: a stream may claim a large frame. */
    uint8_t *rgb = calloc(size, 1);
    if (rgb == NULL)
        abort();
    const c3d_status status = c3d_codec_decode(codec, data, n->size, rgb, size, stride, &error);
    if (status == C3D_OK) {
        for (size_t y = 0; y < info.height; y++) {
            for (size_t i = row; y + 1 < info.height && i < stride; i++)
                if (rgb[y * stride + i] != 0)
                    abort();
            memmove(rgb + y * row, rgb + y * stride, row);
        }
        decode_again(data, n->size, codec, rgb, row, info.height);
        show_digest(rgb, row * info.height);
    } else {
        show(status, &error);
    }
    free(rgb);
}

static void peek_case(const uint8_t *data, const numbers *n)
{
    c3d_stream_info info;
    c3d_error error;
    const c3d_status status = c3d_peek(data, n->size, &info, &error);
    if (status != C3D_OK)
        show(status, &error);
    else
        printf("0 %u %u %u %llu\n", (unsigned)info.width, (unsigned)info.height, info.quality,
               (unsigned long long)info.size);
}

#ifdef HOOKED
#include "hooks.h"

/* Encodes and decodes a frame; whatever fails must say that memory ran out. */
static c3d_status code_frame(const uint8_t *bundle, size_t size, const c3d_options *options)
{
    enum { WIDTH = 40, HEIGHT = 20, STRIDE = 3 * WIDTH };
    static uint8_t rgb[STRIDE * HEIGHT];
    c3d_codec *codec, *other = NULL;
    const uint8_t *data;
    size_t length;
    c3d_error error;
    c3d_status status = c3d_codec_open_memory(bundle, size, options, &codec, &error);
    if (status == C3D_OK)
        status = c3d_codec_share(codec, &other, &error);
    /* What failed may be tried again with the same codec. */
    for (int round = 0; round < 2 && other != NULL; round++) {
        c3d_status again = c3d_codec_encode(other, rgb, WIDTH, HEIGHT, STRIDE, 1, &data, &length,
                                            &error);
        if (again == C3D_OK)
            again = c3d_codec_decode(other, data, length, rgb, sizeof rgb, STRIDE, &error);
        if (round == 1 && again != C3D_OK)
            abort();
        status = status == C3D_OK ? again : status;
    }
    c3d_codec_close(other);
    c3d_codec_close(codec);
    return status;
}

static void memory_case(const uint8_t *data, const numbers *n, const c3d_options *options)
{
    int count = 0;
    c3d_status status;
    do {
        hooks_fail_at(++count);
        status = code_frame(data, n->size, options);
        if (status != (hooks_failed() ? C3D_ERR_MEMORY : C3D_OK))
            abort();
    } while (hooks_failed());
    hooks_fail_at(0);
    printf("0 %d\n", count - 1);
}
#endif

static int run_cases(c3d_codec *codec, const c3d_options *options)
{
    int letter;
    while ((letter = getchar()) != EOF) {
        numbers n;
        if (fread(&n, sizeof n, 1, stdin) != 1)
            return 1;
        /* Exactly as long as the case, so that a sanitizer sees what is read beyond it. */
        uint8_t *data = malloc(n.size);
        if (n.size > 0 && (data == NULL || fread(data, 1, n.size, stdin) != n.size))
            return 1;
        static const uint8_t NOTHING = 0;
        const uint8_t *from = n.size > 0 ? data : &NOTHING;
        if (letter == 'b')
            open_case(from, &n, options);
        else if (letter == 'e')
            encode_case(from, &n, codec);
        else if (letter == 'd')
            decode_case(from, &n, codec);
        else if (letter == 'p')
            peek_case(from, &n);
#ifdef HOOKED
        else if (letter == 'm')
            memory_case(from, &n, options);
#endif
        else
            show_digest(from, n.size);
        free(data);
    }
    return 0;
}

int main(int count, char **words)
{
    c3d_options options = C3D_OPTIONS_INIT;
    c3d_codec *opened, *codec;
    c3d_error error;
    if (count != 5)
        return 2;
    options.runtime_path = words[2];
    options.flavour = strcmp(words[3], "float") == 0 ? C3D_FLAVOUR_FLOAT : C3D_FLAVOUR_QLINEAR;
    options.threads = (unsigned)atoi(words[4]);
    if (c3d_codec_open(words[1], &options, &opened, &error) != C3D_OK ||
        c3d_codec_share(opened, &codec, &error) != C3D_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    /* What is shared outlives the codec that it came from. */
    c3d_codec_close(opened);
    const int code = run_cases(codec, &options);
    c3d_codec_close(codec);
    return code;
}
