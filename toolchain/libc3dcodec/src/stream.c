#include "stream.h"

#include <stdio.h>
#include <string.h>

#include "limits.h"

static const uint8_t MAGIC[4] = {0x89, 'C', '3', 'S'};

static uint32_t get(const uint8_t *p, size_t bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint32_t)p[i] << 8 * i;
    return value;
}

static void put(uint8_t *p, size_t bytes, uint32_t value)
{
    for (size_t i = 0; i < bytes; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static c3d_status truncated(size_t size, uint64_t wanted, c3d_error *error)
{
    return c3d_fail(error, C3D_ERR_STREAM_TRUNCATED,
                    "the stream ends after %zu of %llu bytes; fetch the stream again", size,
                    (unsigned long long)wanted);
}

/* Checks 1 to 4. */
static c3d_status check_start(const uint8_t *data, size_t size, c3d_error *error)
{
    if (size == 0)
        return c3d_fail(error, C3D_ERR_STREAM_TRUNCATED,
                        "the stream is empty; fetch the stream again");
    if (memcmp(data, MAGIC, size < sizeof MAGIC ? size : sizeof MAGIC) != 0)
        return c3d_fail(error, C3D_ERR_STREAM_MAGIC, "this is no .c3s stream; check the file");
    if (size > sizeof MAGIC && data[4] != C3D_PLAIN && data[4] != C3D_OVERLAID)
        return c3d_fail(error, C3D_ERR_STREAM_VERSION,
                        "the stream has version %u, and this library reads %d and %d; update it",
                        data[4], C3D_PLAIN, C3D_OVERLAID);
    return size < C3D_HEADER_BYTES ? truncated(size, C3D_HEADER_BYTES, error) : C3D_OK;
}

/* Checks 7 to 9. */
static c3d_status check_ranges(const c3d_stream_info *info, c3d_error *error)
{
    if (info->quality == 0)
        return c3d_fail(error, C3D_ERR_STREAM_HEADER,
                        "the stream has rate point 0; no encoder writes this");
    if (!c3d_size_fits(info->width, info->height))
        return c3d_fail(error, C3D_ERR_STREAM_HEADER,
                        "the stream has a frame of %ux%u pixels; no encoder writes this",
                        (unsigned)info->width, (unsigned)info->height);
    if (info->size > C3D_MAX_STREAM_BYTES)
        return c3d_fail(error, C3D_ERR_STREAM_HEADER,
                        "the stream has more than %zu bytes; no encoder writes this",
                        C3D_MAX_STREAM_BYTES);
    return C3D_OK;
}

/* Checks 1 to 9. */
static c3d_status parse_header(const uint8_t *data, size_t size, c3d_stream_info *info,
                               uint32_t *latents_crc, c3d_error *error)
{
    C3D_TRY(check_start(data, size, error));
    if (get(data + 28, 4) != c3d_arith_crc32c(0, data, 28))
        return c3d_fail(error, C3D_ERR_STREAM_CHECKSUM,
                        "the stream's header is damaged; fetch the stream again");
    if (data[5] != 0 || data[7] != 0)
        return c3d_fail(error, C3D_ERR_STREAM_HEADER,
                        "the stream's reserved bits are set; update the library");
    info->quality = data[6];
    info->width = get(data + 8, 2);
    info->height = get(data + 10, 2);
    memcpy(info->id, data + 12, C3D_ID_BYTES);
    info->size = (uint64_t)C3D_HEADER_BYTES + get(data + 20, 4);
    *latents_crc = get(data + 24, 4);
    return check_ranges(info, error);
}

/* Check 15; the message names all slices that are damaged, as far as it has room. */
static c3d_status check_slices(const uint8_t *block, const c3d_stream *stream, c3d_error *error)
{
    char names[160];
    size_t used = 0, damaged = 0;
    for (size_t i = 0; i < stream->count; i++) {
        if (c3d_arith_slices_check(block, stream->slices, stream->count, i) == C3D_ARITH_OK)
            continue;
        const int wrote = snprintf(names + used, sizeof names - used, "%s%zu",
                                   damaged++ > 0 ? ", " : "", i + 1);
        used += wrote > 0 && (size_t)wrote < sizeof names - used ? (size_t)wrote : 0;
    }
    if (damaged == 0)
        return C3D_OK;
    names[used] = '\0';
    return c3d_fail(error, C3D_ERR_STREAM_CHECKSUM,
                    "slice %s of %zu is damaged; fetch the stream again", names, stream->count);
}

static c3d_status take_flags(c3d_stream *stream, unsigned version, c3d_error *error)
{
    stream->version = version;
    stream->flags = (c3d_arith_slice){NULL, 0};
    if (version != C3D_OVERLAID)
        return C3D_OK;
    if (stream->count < 2)
        return c3d_fail(error, C3D_ERR_STREAM_HEADER,
                        "the stream has flags of an overlay and no slice; no encoder writes this");
    stream->flags = stream->slices[--stream->count];
    return C3D_OK;
}

c3d_status c3d_stream_parse(const uint8_t *data, size_t size, c3d_stream *stream,
                            c3d_error *error)
{
    C3D_TRY(parse_header(data, size, &stream->info, &stream->latents_crc, error));
    const uint64_t wanted = stream->info.size;
    if (size < wanted)
        return truncated(size, wanted, error);
    if (size > wanted)
        return c3d_fail(error, C3D_ERR_STREAM_TRAILING,
                        "%llu bytes follow the end of the stream; remove them",
                        (unsigned long long)(size - wanted));
    const uint8_t *block = data + C3D_HEADER_BYTES;
    const c3d_arith_status split = c3d_arith_slices_split(block, size - C3D_HEADER_BYTES,
                                                          stream->slices, &stream->count);
    if (split == C3D_ARITH_OK) {
        C3D_TRY(check_slices(block, stream, error));
        return take_flags(stream, data[4], error);
    }
    const c3d_status status = split == C3D_ARITH_ERR_VERSION    ? C3D_ERR_STREAM_VERSION
                              : split == C3D_ARITH_ERR_CHECKSUM ? C3D_ERR_STREAM_CHECKSUM
                                                                : C3D_ERR_STREAM_HEADER;
    return c3d_fail(error, status, "the list of the slices is wrong: %s; fetch the stream again",
                    c3d_arith_status_text(split));
}

c3d_status c3d_peek(const void *data, size_t size, c3d_stream_info *info, c3d_error *error)
{
    uint32_t latents_crc;
    if (error != NULL)
        error->message[0] = '\0';
    if (info == NULL || (data == NULL && size > 0))
        return c3d_fail(error, C3D_ERR_OPTION, "c3d_peek was given a null pointer");
    return parse_header(data, size, info, &latents_crc, error);
}

c3d_status c3d_stream_head(unsigned version, const c3d_stream_info *info, size_t block_bytes,
                           uint32_t latents_crc, uint8_t head[C3D_HEADER_BYTES],
                           c3d_error *error)
{
    if (block_bytes > C3D_MAX_STREAM_BYTES - C3D_HEADER_BYTES)
        return c3d_fail(error, C3D_ERR_INTERNAL, "cannot write a stream of %zu bytes",
                        block_bytes);
    memset(head, 0, C3D_HEADER_BYTES);
    memcpy(head, MAGIC, sizeof MAGIC);
    head[4] = (uint8_t)version;
    head[6] = (uint8_t)info->quality;
    put(head + 8, 2, info->width);
    put(head + 10, 2, info->height);
    memcpy(head + 12, info->id, C3D_ID_BYTES);
    put(head + 20, 4, (uint32_t)block_bytes);
    put(head + 24, 4, latents_crc);
    put(head + 28, 4, c3d_arith_crc32c(0, head, 28));
    return C3D_OK;
}
