#include <string.h>

#include "bundle.h"

static c3d_status incomplete(c3d_error *error)
{
    return c3d_fail(error, C3D_ERR_BUNDLE_MANIFEST,
                    "the bundle's known answers do not cover every output of every graph and three"
                    " qualities, each once; get it again from its maker");
}

static int read_graph(const c3d_json *answer, const c3d_ports *ports, int64_t *outputs)
{
    const c3d_json *listed = c3d_json_get(answer, "outputs");
    const size_t count = c3d_port_count(ports->outputs, C3D_MOST_OUTPUTS);
    if (answer->count != 2 || !c3d_json_is(c3d_json_get(answer, "graph"), ports->name) ||
        listed == NULL || listed->count != count)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const c3d_json *crc = c3d_json_get(listed, ports->outputs[i].name);
        if (!c3d_json_is_int(crc))
            return 0;
        outputs[i] = crc->number;
    }
    return 1;
}

static int read_frame(const c3d_json *answer, unsigned quality, c3d_answers *answers)
{
    const c3d_json *asked = c3d_json_get(answer, "quality");
    const c3d_json *payload = c3d_json_get(answer, "payload");
    const c3d_json *frame = c3d_json_get(answer, "frame");
    if (answer->count != 3 || !c3d_json_is_int(asked) || asked->number != quality ||
        !c3d_json_is_int(payload) || !c3d_json_is_int(frame))
        return 0;
    const size_t i = answers->frame_count++;
    answers->frames[i].quality = quality;
    answers->frames[i].payload = payload->number;
    answers->frames[i].frame = frame->number;
    return 1;
}

c3d_status c3d_answers_read(const c3d_json *manifest, c3d_bundle *b, c3d_error *error)
{
    const c3d_json *listed = c3d_json_get(manifest, "known_answers");
    const unsigned qualities[] = {1, (b->qualities + 1) / 2, b->qualities};
    if (listed == NULL || listed->kind != C3D_JSON_ARRAY || listed->count == 0)
        return c3d_fail(error, C3D_ERR_BUNDLE_MANIFEST,
                        "the bundle has no known answers; get it again from its maker");
    const c3d_json *answer = listed->child;
    for (int graph = 0; graph < C3D_GRAPHS; graph++, answer = answer->next)
        if (answer == NULL ||
            !read_graph(answer, &c3d_graph_ports[graph], b->answers.outputs[graph]))
            return incomplete(error);
    for (size_t i = 0; i < C3D_FRAME_ANSWERS; i++) {
        if (i > 0 && qualities[i] == qualities[i - 1])
            continue;
        if (answer == NULL || !read_frame(answer, qualities[i], &b->answers))
            return incomplete(error);
        answer = answer->next;
    }
    return answer == NULL ? C3D_OK : incomplete(error);
}
