#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "limits.h"

/* Keys of one object are compared with one another; the largest of ours has 256. */
enum { MAX_KEYS = 1024 };

static void skip_space(c3d_json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* Takes one character where it is the next behind spaces. */
static int next_is(c3d_json_reader *r, uint8_t wanted)
{
    skip_space(r);
    if (r->at == r->end || *r->at != wanted)
        return 0;
    r->at++;
    return 1;
}

static int word(c3d_json_reader *r, c3d_json *value)
{
    static const struct {
        const char *text;
        c3d_json_kind kind;
        int number;
    } WORDS[] = {
        {"null", C3D_JSON_NULL, 0}, {"true", C3D_JSON_BOOL, 1}, {"false", C3D_JSON_BOOL, 0}};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        const size_t size = strlen(WORDS[i].text);
        if ((size_t)(r->end - r->at) >= size && memcmp(r->at, WORDS[i].text, size) == 0) {
            value->kind = WORDS[i].kind;
            value->number = WORDS[i].number;
            r->at += size;
            return 1;
        }
    }
    return c3d_json_fault(r, "a value is no JSON");
}

static int read_value(c3d_json_reader *r, c3d_json *value, unsigned depth);

static int is_new_key(const c3d_json *object, const c3d_json *item)
{
    for (const c3d_json *i = object->child; i != item; i = i->next)
        if (i->key_length == item->key_length && memcmp(i->key, item->key, i->key_length) == 0)
            return 0;
    return 1;
}

static int read_key(c3d_json_reader *r, const c3d_json *object, c3d_json *item)
{
    if (!next_is(r, '"'))
        return c3d_json_fault(r, "a key is no string");
    if (!c3d_json_string(r, &item->key, &item->key_length))
        return 0;
    if (object->count > MAX_KEYS)
        return c3d_json_fault(r, "an object has more than 1024 keys");
    if (!is_new_key(object, item))
        return c3d_json_fault(r, "a key stands twice in one object");
    return next_is(r, ':') || c3d_json_fault(r, "a key has no value");
}

/* The items of an array or object, behind the bracket. */
static int read_items(c3d_json_reader *r, c3d_json *value, uint8_t close, unsigned depth)
{
    if (depth == C3D_MAX_JSON_DEPTH)
        return c3d_json_fault(r, "it is nested deeper than 32");
    if (next_is(r, close))
        return 1;
    const c3d_json **link = &value->child;
    do {
        c3d_json *item = r->nodes++;
        memset(item, 0, sizeof *item);
        *link = item;
        link = &item->next;
        value->count++;
        if (value->kind == C3D_JSON_OBJECT && !read_key(r, value, item))
            return 0;
        if (!read_value(r, item, depth + 1))
            return 0;
    } while (next_is(r, ','));
    return next_is(r, close) || c3d_json_fault(r, "a bracket is not closed");
}

static int read_value(c3d_json_reader *r, c3d_json *value, unsigned depth)
{
    skip_space(r);
    if (r->at == r->end)
        return c3d_json_fault(r, "it ends too early");
    const uint8_t c = *r->at;
    if (c == '{' || c == '[') {
        r->at++;
        value->kind = c == '{' ? C3D_JSON_OBJECT : C3D_JSON_ARRAY;
        return read_items(r, value, c == '{' ? '}' : ']', depth);
    }
    if (c == '"') {
        r->at++;
        value->kind = C3D_JSON_STRING;
        return c3d_json_string(r, &value->text, &value->length);
    }
    return c == '-' || (c >= '0' && c <= '9') ? c3d_json_number(r, value) : word(r, value);
}

/* A value stands at the start, behind each opening bracket, and behind each comma. */
static size_t most_values(const uint8_t *data, size_t size)
{
    size_t count = 1;
    for (size_t i = 0; i < size; i++)
        count += data[i] == ',' || data[i] == '[' || data[i] == '{';
    return count;
}

c3d_status c3d_json_parse(const uint8_t *data, size_t size, c3d_document *document,
                          c3d_error *error)
{
    *document = (c3d_document){NULL, NULL};
    if (size > C3D_MAX_JSON_BYTES)
        return c3d_fail(error, C3D_ERR_BUNDLE_MANIFEST,
                        "the manifest has more than %zu bytes; get the bundle again",
                        C3D_MAX_JSON_BYTES);
    document->root = calloc(most_values(data, size), sizeof *document->root);
    document->texts = malloc(size + 1); /* an escape is longer than what it stands for */
    if (document->root == NULL || document->texts == NULL) {
        c3d_json_free(document);
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory for the manifest; free some");
    }
    c3d_json_reader reader = {data, data + size, document->texts, document->root + 1, NULL};
    if (read_value(&reader, document->root, 0)) {
        skip_space(&reader);
        if (reader.at == reader.end)
            return C3D_OK;
        c3d_json_fault(&reader, "something follows its end");
    }
    c3d_json_free(document);
    return c3d_fail(error, C3D_ERR_BUNDLE_MANIFEST, "the manifest cannot be read: %s; get the"
                    " bundle again", reader.fault);
}

void c3d_json_free(c3d_document *document)
{
    free(document->root);
    free(document->texts);
    *document = (c3d_document){NULL, NULL};
}

const c3d_json *c3d_json_get(const c3d_json *object, const char *key)
{
    const size_t length = strlen(key);
    if (object == NULL || object->kind != C3D_JSON_OBJECT)
        return NULL;
    for (const c3d_json *i = object->child; i != NULL; i = i->next)
        if (i->key_length == length && memcmp(i->key, key, length) == 0)
            return i;
    return NULL;
}

int c3d_json_is(const c3d_json *value, const char *text)
{
    return value != NULL && value->kind == C3D_JSON_STRING && value->length == strlen(text) &&
           memcmp(value->text, text, value->length) == 0;
}

int c3d_json_is_int(const c3d_json *value)
{
    return value != NULL && value->kind == C3D_JSON_INT;
}
