#include "bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graphcheck.h"
#include "sha256.h"
#include "signatures.h"

#define MANIFEST "manifest.json"

enum { VERSION = 5 };

static c3d_status check_version(const c3d_json *manifest, c3d_error *error)
{
    const c3d_json *version = c3d_json_get(manifest, "version");
    if (!c3d_json_is(c3d_json_get(manifest, "format"), "c3d-export bundle"))
        return c3d_fail(error, C3D_ERR_BUNDLE_MANIFEST,
                        "the manifest is not that of a c3d-export bundle");
    if (!c3d_json_is_int(version) || version->number != VERSION)
        return c3d_fail(error, C3D_ERR_BUNDLE_VERSION,
                        "the bundle has another format version, this library reads %d; update it,"
                        " or bundle the network again if the file is older", VERSION);
    return C3D_OK;
}

static const c3d_json *find_listed(const c3d_json *listed, const c3d_member *member)
{
    const c3d_json *item = listed->child;
    while (item != NULL && (item->key_length != member->name_length ||
                            memcmp(item->key, member->name, member->name_length) != 0))
        item = item->next;
    return item;
}

static int matches(const c3d_json *listed, const c3d_member *member)
{
    static const char DIGITS[] = "0123456789abcdef";
    uint8_t digest[C3D_SHA256_BYTES];
    char text[2 * C3D_SHA256_BYTES + 1] = "";
    const c3d_json *size = c3d_json_get(listed, "size");
    if (listed->count != 2 || !c3d_json_is_int(size) || size->number < 0 ||
        (uint64_t)size->number != member->size)
        return 0;
    c3d_sha256(member->data, member->size, digest);
    for (size_t i = 0; i < C3D_SHA256_BYTES; i++) {
        text[2 * i] = DIGITS[digest[i] >> 4];
        text[2 * i + 1] = DIGITS[digest[i] & 15];
    }
    return c3d_json_is(c3d_json_get(listed, "sha256"), text);
}

/* The members that the manifest lists are all but itself and the signatures. */
static c3d_status check_members(const c3d_json *manifest, const c3d_archive *archive,
                                c3d_error *error)
{
    const c3d_member *own = c3d_archive_find(archive, MANIFEST);
    const c3d_member *signatures = c3d_archive_find(archive, C3D_SIGNATURES);
    const c3d_json *listed = c3d_json_get(manifest, "members");
    const c3d_member *members = archive->members;
    int same = listed != NULL && listed->kind == C3D_JSON_OBJECT &&
               listed->count == archive->count - 1 - (signatures != NULL);
    for (size_t i = 0; same && i < archive->count; i++)
        same = &members[i] == own || &members[i] == signatures ||
               find_listed(listed, &members[i]) != NULL;
    if (!same)
        return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER,
                        "the bundle's members are not those that its manifest lists");
    for (size_t i = 0; i < archive->count; i++)
        if (&members[i] != own && &members[i] != signatures &&
            !matches(find_listed(listed, &members[i]), &members[i]))
            return c3d_fail(error, C3D_ERR_BUNDLE_HASH,
                            "member %.*s differs from its hash; fetch the bundle again",
                            (int)members[i].name_length, (const char *)members[i].name);
    return C3D_OK;
}

static c3d_status check_signatures(const c3d_archive *archive, c3d_error *error)
{
    const c3d_member *signatures = c3d_archive_find(archive, C3D_SIGNATURES);
    return signatures == NULL ? C3D_OK : c3d_signatures_check(signatures, error);
}

/* Protobuf merges what is concatenated: nodes first, then the weights that both flavours share. */
static c3d_status read_graph(const c3d_archive *archive, c3d_graph graph, c3d_flavour flavour,
                             uint8_t **data, size_t *size, c3d_error *error)
{
    const char *const parts[2] = {c3d_flavour_names[flavour], "weights"};
    const c3d_member *found[2];
    for (int i = 0; i < 2; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "graphs/%s.%s", c3d_graph_ports[graph].name, parts[i]);
        found[i] = c3d_archive_find(archive, path);
        if (found[i] == NULL)
            return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER, "the bundle lacks %s", path);
    }
    *size = found[0]->size + found[1]->size;
    *data = malloc(*size + 1);
    if (*data == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for a graph; free some");
    memcpy(*data, found[0]->data, found[0]->size);
    memcpy(*data + found[0]->size, found[1]->data, found[1]->size);
    return c3d_graph_check(*data, *size, graph, flavour, error);
}

/* Both flavours are looked at, so that a bundle is sound or not whatever the flavour. */
static c3d_status read_graphs(const c3d_archive *archive, c3d_flavour wanted, c3d_bundle *b,
                              c3d_error *error)
{
    for (int graph = 0; graph < C3D_GRAPHS; graph++) {
        for (int flavour = 0; flavour < 2; flavour++) {
            uint8_t *data = NULL;
            size_t size = 0;
            const c3d_status status = read_graph(archive, (c3d_graph)graph, (c3d_flavour)flavour,
                                                 &data, &size, error);
            if (status == C3D_OK && flavour == (int)wanted) {
                b->graphs[graph].data = data;
                b->graphs[graph].size = size;
                continue;
            }
            free(data);
            C3D_TRY(status);
        }
    }
    return C3D_OK;
}

static c3d_status read_size(const c3d_json *spec, const char *name, size_t *size,
                            c3d_error *error)
{
    const c3d_json *value = c3d_json_get(spec, name);
    if (!c3d_json_is_int(value))
        return c3d_fail(error, C3D_ERR_BUNDLE_MANIFEST, "the manifest lacks %s", name);
    /* What is out of range fits no array. */
    *size = value->number < 0 || value->number > INT32_MAX ? 0 : (size_t)value->number;
    return C3D_OK;
}

static c3d_status read_spec(const c3d_json *manifest, c3d_bundle *b, c3d_error *error)
{
    const c3d_json *spec = c3d_json_get(manifest, "spec");
    size_t qualities = 0;
    C3D_TRY(read_size(spec, "qualities", &qualities, error));
    C3D_TRY(read_size(spec, "latents", &b->latents, error));
    C3D_TRY(read_size(spec, "hyper", &b->hyper, error));
    C3D_TRY(read_size(spec, "base", &b->base, error));
    C3D_TRY(read_size(spec, "planes", &b->planes, error));
    b->qualities = (unsigned)qualities;
    const c3d_json *stage = c3d_json_get(spec, "h_s");
    if (stage != NULL && stage->kind == C3D_JSON_ARRAY && stage->count > 2) {
        const c3d_json *last = stage->child->next->next;
        if (c3d_json_is_int(last) && last->number > 0 && last->number <= INT16_MAX)
            b->features = (size_t)last->number;
    }
    return C3D_OK;
}

static c3d_status read_checked(const c3d_archive *archive, const c3d_json *manifest,
                               c3d_flavour flavour, c3d_bundle *b, c3d_error *error)
{
    C3D_TRY(check_version(manifest, error));
    C3D_TRY(check_signatures(archive, error));
    C3D_TRY(check_members(manifest, archive, error));
    C3D_TRY(c3d_arrays_read(archive, b->arrays, error));
    C3D_TRY(read_graphs(archive, flavour, b, error));
    C3D_TRY(read_spec(manifest, b, error));
    C3D_TRY(c3d_arrays_check(b, error));
    return c3d_answers_read(manifest, b, error);
}

static c3d_status read_members(const c3d_archive *archive, c3d_flavour flavour, c3d_bundle *b,
                               c3d_error *error)
{
    uint8_t digest[C3D_SHA256_BYTES];
    c3d_document manifest;
    const c3d_member *member = c3d_archive_find(archive, MANIFEST);
    if (member == NULL)
        return c3d_fail(error, C3D_ERR_BUNDLE_MANIFEST, "the bundle has no " MANIFEST);
    C3D_TRY(c3d_json_parse(member->data, member->size, &manifest, error));
    c3d_sha256(member->data, member->size, digest);
    memcpy(b->id, digest, C3D_ID_BYTES);
    const c3d_status status = read_checked(archive, manifest.root, flavour, b, error);
    c3d_json_free(&manifest);
    return status;
}

c3d_status c3d_bundle_read(const uint8_t *data, size_t size, c3d_flavour flavour,
                           c3d_bundle *bundle, c3d_error *error)
{
    memset(bundle, 0, sizeof *bundle);
    c3d_archive *archive = malloc(sizeof *archive);
    if (archive == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory to read the bundle; free some");
    c3d_status status = c3d_archive_read(data, size, archive, error);
    if (status == C3D_OK)
        status = read_members(archive, flavour, bundle, error);
    free(archive);
    return status;
}

void c3d_bundle_free_graphs(c3d_bundle *bundle)
{
    for (int i = 0; i < C3D_GRAPHS; i++) {
        free(bundle->graphs[i].data);
        bundle->graphs[i].data = NULL;
    }
}

void c3d_bundle_free(c3d_bundle *bundle)
{
    c3d_bundle_free_graphs(bundle);
    for (int i = 0; i < C3D_ARRAYS; i++)
        free(bundle->arrays[i].data);
}
