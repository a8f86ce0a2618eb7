/* Known answers: does this host compute what the exporting host computed? The same integers, frame
 * and noise as c3d_export.runtime.known. */
#include <stdlib.h>
#include <string.h>

#include "codec.h"

/* Latents of the noise: odd, and no multiple of 4. The frame is no multiple of 16. */
enum { ROWS = 5, COLUMNS = 9, HEIGHT = 72, WIDTH = 104 };

static void put_noise(uint8_t *to, size_t size, uint32_t seed)
{
    for (size_t i = 0; i < size; i++) {
        uint32_t state = ((uint32_t)i + seed * 7919u + 1u) * 2654435761u;
        state ^= state >> 15;
        to[i] = (uint8_t)(state * 2246822519u >> 24);
    }
}

static void put_frame(uint8_t *to)
{
    for (uint32_t row = 0; row < HEIGHT; row++) {
        for (uint32_t column = 0; column < WIDTH; column++) {
            uint32_t state = (row * WIDTH + column + 1u) * 2654435761u;
            state ^= state >> 15;
            const uint32_t noise = state * 2246822519u >> 26;
            const uint32_t edges = (row / 11 + column / 17) % 3 * 60;
            const uint32_t ramp[3] = {row * 255 / HEIGHT, column * 255 / WIDTH,
                                      (row + column) % 256};
            for (int k = 0; k < 3; k++) {
                const uint32_t level = ramp[k] / 2 + edges + noise;
                *to++ = (uint8_t)(level < 255 ? level : 255);
            }
        }
    }
}

/* The inputs and outputs of every graph on the grid of the noise, as c3d_frame binds them. */
static void list_tensors(const c3d_codec *c, c3d_tensor inputs[C3D_GRAPHS][C3D_MOST_INPUTS],
                         c3d_tensor outputs[C3D_GRAPHS][C3D_MOST_OUTPUTS])
{
    const c3d_frame *f = &c->frame;
    const c3d_bundle *b = &c->shared->model.bundle;
    const c3d_geometry *g = &f->geometry;
    const size_t h = g->rows, w = g->columns, hh = g->hyper_rows, hw = g->hyper_columns;
    const size_t others = b->latents - b->base, eighth = C3D_BLOCK_BYTES / 4;
    const c3d_tensor in[C3D_GRAPHS][C3D_MOST_INPUTS] = {
        {{f->patches, 2 * h, 2 * w, eighth}, {f->blocks, h, w, C3D_BLOCK_BYTES}},
        {{f->activity, 4 * hh, 4 * hw, b->base + b->latents + C3D_PLANES}},
        {{f->z_hat, hh, hw, b->hyper + C3D_PLANES}},
        {{f->features, h, w, b->features}, {f->known, h, w, 2 * b->base + C3D_PLANES}},
        {{f->features, h, w, b->features}, {f->known, h, w, 2 * b->base + C3D_PLANES}},
        {{f->seen, h, w, b->latents + C3D_PLANES}, {f->spread, h, w, c->shared->model.spread}},
    };
    const c3d_tensor out[C3D_GRAPHS][C3D_MOST_OUTPUTS] = {
        {{f->head_sum, h, w, 4 * b->latents}, {f->linear_sum, h, w, 4 * b->latents}},
        {{f->z_out, hh, hw, b->hyper}},
        {{f->features_padded, 4 * hh, 4 * hw, b->features},
         {f->index[C3D_FIRST], 4 * hh, 4 * hw, b->base},
         {f->mean[C3D_FIRST], 4 * hh, 4 * hw, b->base}},
        {{f->index[C3D_SECOND], h, w, b->base}, {f->mean[C3D_SECOND], h, w, b->base}},
        {{f->index[C3D_OTHERS], h, w, others}, {f->mean[C3D_OTHERS], h, w, others}},
        {{f->correction, 2 * h, 2 * w, eighth}, {f->pixels_sum, h, w, 4 * C3D_BLOCK_BYTES}},
    };
    memcpy(inputs, in, sizeof in);
    memcpy(outputs, out, sizeof out);
}

static size_t bytes(const c3d_tensor *t) { return t->rows * t->columns * t->channels; }

static c3d_status differs(const char *where, c3d_error *error)
{
    return c3d_fail(error, C3D_ERR_KNOWN_ANSWER,
                    "this host computes other numbers than the bundle was made with, first in %s;"
                    " try the other flavour, and run c3d-export doctor", where);
}

static int is(uint32_t crc, int64_t wanted) { return (int64_t)crc == wanted; }

static c3d_status does_not_run(c3d_status status, c3d_error *error)
{
    char reason[160] = "";
    if (status != C3D_ERR_RUNTIME)
        return status;
    if (error != NULL)
        memcpy(reason, error->message, sizeof reason - 1);
    return c3d_fail(error, C3D_ERR_BUNDLE_FORMAT, "the bundle's graphs do not run: %s", reason);
}

static c3d_status check_graph(c3d_codec *c, c3d_graph graph, const c3d_tensor *inputs,
                              const c3d_tensor *outputs, c3d_error *error)
{
    const c3d_ports *ports = &c3d_graph_ports[graph];
    const int64_t *wanted = c->shared->model.bundle.answers.outputs[graph];
    for (size_t i = 0; i < c3d_port_count(ports->inputs, C3D_MOST_INPUTS); i++)
        put_noise(inputs[i].data, bytes(&inputs[i]), (uint32_t)graph);
    C3D_TRY(c3d_runtime_run(&c->shared->model.runtime, graph, &c->frame.bindings[graph], error));
    for (size_t i = 0; i < c3d_port_count(ports->outputs, C3D_MOST_OUTPUTS); i++)
        if (!is(c3d_arith_crc32c(0, outputs[i].data, bytes(&outputs[i])), wanted[i]))
            return differs(ports->name, error);
    return C3D_OK;
}

/* Every raw output of every graph on noise: coded frames alone do not show most units of a mean or
 * an index. */
static c3d_status check_graphs(c3d_codec *c, c3d_error *error)
{
    c3d_tensor inputs[C3D_GRAPHS][C3D_MOST_INPUTS], outputs[C3D_GRAPHS][C3D_MOST_OUTPUTS];
    c->frame.geometry = c3d_geometry_of(COLUMNS * C3D_BLOCK, ROWS * C3D_BLOCK);
    for (int group = 0; group < C3D_GROUPS; group++)
        C3D_TRY(c3d_frame_prepare(&c->shared->model, &c->frame, (c3d_group)group, error));
    list_tensors(c, inputs, outputs);
    for (int graph = 0; graph < C3D_GRAPHS; graph++)
        C3D_TRY(check_graph(c, (c3d_graph)graph, inputs[graph], outputs[graph], error));
    return C3D_OK;
}

static c3d_status check_frames(c3d_codec *c, uint8_t *frame, uint8_t *decoded, c3d_error *error)
{
    const c3d_answers *answers = &c->shared->model.bundle.answers;
    const size_t stride = (size_t)WIDTH * 3, all = stride * HEIGHT;
    put_frame(frame);
    for (size_t i = 0; i < answers->frame_count; i++) {
        const uint8_t *data;
        size_t size;
        C3D_TRY(c3d_codec_encode(c, frame, WIDTH, HEIGHT, stride, answers->frames[i].quality,
                                 &data, &size, error));
        C3D_TRY(c3d_codec_decode(c, data, size, decoded, all, stride, error));
        if (!is(c3d_arith_crc32c(0, data + C3D_HEADER_BYTES, size - C3D_HEADER_BYTES),
                answers->frames[i].payload) ||
            !is(c3d_arith_crc32c(0, decoded, all), answers->frames[i].frame))
            return differs("a frame", error);
    }
    return C3D_OK;
}

c3d_status c3d_known_check(c3d_codec *c, c3d_error *error)
{
    enum { BYTES = HEIGHT * WIDTH * 3 };
    uint8_t *frames = malloc(2 * BYTES);
    if (frames == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for the known answers; free some");
    c3d_status status = check_graphs(c, error);
    if (status == C3D_OK)
        status = check_frames(c, frames, frames + BYTES, error);
    free(frames);
    /* The arrays were filled with noise, the padding among it. */
    c3d_frame_free(&c->shared->model, &c->frame);
    return does_not_run(status, error);
}
