#include "codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"

/* Everything but the model: what each codec of a bundle has for itself. */
static c3d_status make(c3d_shared *shared, c3d_codec **codec, c3d_error *error)
{
    const c3d_overlay *overlay = &shared->model.overlay;
    *codec = calloc(1, sizeof **codec);
    if (*codec == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for a codec; free some");
    (*codec)->shared = shared;
    if (overlay->tiles > 0) {
        (*codec)->flags = malloc(overlay->tiles + c3d_overlay_room(overlay));
        if ((*codec)->flags == NULL)
            return c3d_fail(error, C3D_ERR_MEMORY, "no memory for an overlay; free some");
        (*codec)->flag_bits = (*codec)->flags + overlay->tiles;
    }
    return c3d_pool_open(shared->model.threads, &(*codec)->pool, error);
}

static void release(c3d_shared *shared)
{
    if (atomic_fetch_sub(&shared->users, 1) > 1)
        return;
    c3d_model_free(&shared->model);
    free(shared);
}

void c3d_codec_close(c3d_codec *c)
{
    if (c == NULL)
        return;
    c3d_pool_close(c->pool);
    c3d_frame_free(&c->shared->model, &c->frame);
    free(c->work.data);
    free(c->out.data);
    free(c->flags);
    release(c->shared);
    free(c);
}

/* A codec of a model that is read: sessions, threads, known answers. */
static c3d_status start(c3d_shared *shared, const c3d_options *options, c3d_codec **codec,
                        c3d_error *error)
{
    C3D_TRY(c3d_model_start(options, &shared->model, error));
    C3D_TRY(make(shared, codec, error));
    return c3d_known_check(*codec, error);
}

static c3d_status open_bytes(const uint8_t *data, size_t size, const c3d_options *options,
                             c3d_codec **codec, c3d_error *error)
{
    c3d_shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for a codec; free some");
    atomic_init(&shared->users, 1);
    c3d_codec *made = NULL;
    c3d_status status = c3d_model_read(data, size, options, &shared->model, error);
    if (status == C3D_OK)
        status = start(shared, options, &made, error);
    if (status == C3D_OK)
        *codec = made;
    else if (made != NULL)
        c3d_codec_close(made);
    else
        release(shared);
    return status;
}

static c3d_status check_options(const c3d_options *options, c3d_error *error)
{
    if (options->size != sizeof *options)
        return c3d_fail(error, C3D_ERR_OPTION,
                        "the options are of another version; begin them with C3D_OPTIONS_INIT");
    if (options->flavour != C3D_FLAVOUR_QLINEAR && options->flavour != C3D_FLAVOUR_FLOAT)
        return c3d_fail(error, C3D_ERR_OPTION, "flavour %d is unknown; known are qlinear and float",
                        (int)options->flavour);
    if (options->threads > C3D_MAX_THREADS)
        return c3d_fail(error, C3D_ERR_OPTION, "threads is %u; choose 0 (all cores) to %u",
                        options->threads, C3D_MAX_THREADS);
    if (options->device != C3D_DEVICE_CPU)
        return c3d_fail(error, C3D_ERR_DEVICE, "device %d is not supported; choose the CPU",
                        (int)options->device);
    return C3D_OK;
}

/* Clears what the caller gets, and looks at what he gave; `from` is the path or the data. */
static c3d_status begin(const void *from, const c3d_options *options, c3d_codec **codec,
                        c3d_error *error)
{
    if (error != NULL)
        error->message[0] = '\0';
    if (codec != NULL)
        *codec = NULL;
    if (codec == NULL || from == NULL)
        return c3d_fail(error, C3D_ERR_OPTION, "a codec was to be opened with a null pointer");
    return check_options(options, error);
}

static c3d_status read_file(FILE *file, uint8_t **data, size_t *size, c3d_error *error)
{
    /* One byte more than is allowed tells a file that is too large. */
    const long length = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (length < 0 || fseek(file, 0, SEEK_SET) != 0)
        return c3d_fail(error, C3D_ERR_MISSING_INPUT, "the bundle cannot be read; check the path");
    const size_t wanted = (unsigned long)length > C3D_MAX_BUNDLE_BYTES ? C3D_MAX_BUNDLE_BYTES + 1
                                                                       : (size_t)length;
    *data = malloc(wanted + 1);
    if (*data == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for the bundle; free some");
    *size = fread(*data, 1, wanted, file);
    return ferror(file) == 0 ? C3D_OK
                             : c3d_fail(error, C3D_ERR_MISSING_INPUT,
                                        "the bundle cannot be read; check the path");
}

c3d_status c3d_codec_open(const char *path, const c3d_options *options, c3d_codec **codec,
                          c3d_error *error)
{
    const c3d_options defaults = C3D_OPTIONS_INIT;
    uint8_t *data = NULL;
    size_t size = 0;
    options = options ? options : &defaults;
    C3D_TRY(begin(path, options, codec, error));
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return c3d_fail(error, C3D_ERR_MISSING_INPUT, "no bundle at %s; check the path", path);
    c3d_status status = read_file(file, &data, &size, error);
    fclose(file);
    if (status == C3D_OK)
        status = open_bytes(data, size, options, codec, error);
    free(data);
    return status;
}

c3d_status c3d_codec_open_memory(const void *data, size_t size, const c3d_options *options,
                                 c3d_codec **codec, c3d_error *error)
{
    const c3d_options defaults = C3D_OPTIONS_INIT;
    options = options ? options : &defaults;
    C3D_TRY(begin(data, options, codec, error));
    return open_bytes(data, size, options, codec, error);
}

c3d_status c3d_codec_share(const c3d_codec *codec, c3d_codec **other, c3d_error *error)
{
    if (error != NULL)
        error->message[0] = '\0';
    if (codec == NULL || other == NULL)
        return c3d_fail(error, C3D_ERR_OPTION, "c3d_codec_share was given a null pointer");
    *other = NULL;
    c3d_codec *made = NULL;
    const c3d_status status = make(codec->shared, &made, error);
    if (made == NULL)
        return status;
    atomic_fetch_add(&codec->shared->users, 1);
    if (status == C3D_OK)
        *other = made;
    else
        c3d_codec_close(made);
    return status;
}

unsigned c3d_codec_qualities(const c3d_codec *codec)
{
    return codec ? codec->shared->model.bundle.qualities : 0;
}

void c3d_codec_id(const c3d_codec *codec, uint8_t id[C3D_ID_BYTES])
{
    if (codec != NULL)
        memcpy(id, codec->shared->model.bundle.id, C3D_ID_BYTES);
    else
        memset(id, 0, C3D_ID_BYTES);
}
