/* Python's zipfile reads the list at the end of the file first, and the package then packs what it
 * found again and compares. The same is done here without packing: the list is read, each entry is
 * looked at, and then every byte must be the one that packing would have put there. */
#include "archive.h"

#include <string.h>

#include "limits.h"

enum { LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22 };

/* An entry of the list: where its 46 bytes and its name are. */
typedef struct {
    const uint8_t *head;
    size_t name_length;
    uint32_t crc, packed, size, place;
    unsigned flags, method;
} entry;

typedef struct {
    const uint8_t *data;
    size_t size, begin, end, count; /* the list: from, to, entries */
} list;

static unsigned read16(const uint8_t *p) { return p[0] | (unsigned)p[1] << 8; }

static uint32_t read32(const uint8_t *p) { return read16(p) | (uint32_t)read16(p + 2) << 16; }

static void write16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static void write32(uint8_t *p, size_t value)
{
    write16(p, value);
    write16(p + 2, value >> 16);
}

static c3d_status damaged(c3d_error *error)
{
    return c3d_fail(error, C3D_ERR_BUNDLE_FORMAT,
                    "the bundle is damaged, repacked or no bundle; fetch it again");
}

/* CRC-32 of zip, four bits at a time: it is run once over a few megabytes. */
static uint32_t zip_crc(const uint8_t *data, size_t size)
{
    static const uint32_t NIBBLES[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
    }
    return ~crc;
}

/* A name that would pass the list's end ends there, as for zipfile; no member can be so named. */
static entry read_entry(const list *l, size_t at)
{
    const uint8_t *p = l->data + at;
    const size_t name = read16(p + 28), left = l->end - at - CENTRAL_BYTES;
    return (entry){p, name < left ? name : left, read32(p + 16), read32(p + 20), read32(p + 24),
                   read32(p + 42), read16(p + 8), read16(p + 10)};
}

static size_t entry_bytes(const entry *e) { return CENTRAL_BYTES + e->name_length; }

/* Where the list is, and that it is one without extra fields or comments. */
static int find_list(const uint8_t *data, size_t size, list *l)
{
    if (size < END_BYTES || memcmp(data + size - END_BYTES, "PK\5\6", 4) != 0)
        return 0;
    const uint8_t *tail = data + size - END_BYTES;
    const size_t bytes = read32(tail + 12), begin = read32(tail + 16);
    *l = (list){data, size, begin, size - END_BYTES, 0};
    if (begin > l->end || l->end - begin != bytes)
        return 0;
    for (size_t at = begin; at < l->end; l->count++) {
        if (l->end - at < CENTRAL_BYTES || memcmp(data + at, "PK\1\2", 4) != 0)
            return 0;
        const entry e = read_entry(l, at);
        if (read32(e.head + 30) != 0)
            return 0;
        at += entry_bytes(&e);
    }
    return 1;
}

static size_t run_of(const uint8_t *name, size_t length, int underscore)
{
    size_t i = 0;
    while (i < length &&
           ((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
            (underscore && name[i] == '_')))
        i++;
    return i;
}

/* [a-z0-9_]+(/[a-z0-9_]+)?\.[a-z0-9]+ */
static int is_name(const uint8_t *name, size_t length)
{
    size_t at = run_of(name, length, 1);
    if (length > C3D_MAX_MEMBER_NAME)
        return 0;
    if (at > 0 && at < length && name[at] == '/') {
        const size_t run = run_of(name + at + 1, length - at - 1, 1);
        at = run > 0 ? at + 1 + run : 0;
    }
    if (at == 0 || at == length || name[at] != '.')
        return 0;
    const size_t suffix = run_of(name + at + 1, length - at - 1, 0);
    return suffix > 0 && at + 1 + suffix == length;
}

static c3d_status check_entry(const entry *e, const c3d_archive *archive, c3d_error *error)
{
    const c3d_status status = C3D_ERR_BUNDLE_MEMBER;
    const uint8_t *name = e->head + CENTRAL_BYTES;
    const int shown = e->name_length < 64 ? (int)e->name_length : 64;
    if (!is_name(name, e->name_length))
        return c3d_fail(error, status, "the bundle has a member of forbidden name %.*s", shown,
                        (const char *)name);
    if (e->method != 0 || e->flags != 0)
        return c3d_fail(error, status, "member %.*s is compressed or encrypted", shown,
                        (const char *)name);
    if (e->size > C3D_MAX_MEMBER_BYTES || e->size != e->packed)
        return c3d_fail(error, status, "member %.*s has a wrong size", shown, (const char *)name);
    for (size_t i = 0; i < archive->count; i++)
        if (archive->members[i].name_length == e->name_length &&
            memcmp(archive->members[i].name, name, e->name_length) == 0)
            return c3d_fail(error, status, "the bundle has two members %.*s", shown,
                            (const char *)name);
    return C3D_OK;
}

/* What packing writes of a member: version 2.0, no flags, stored, 1 January 1980. */
static void local_head(const entry *e, uint8_t out[LOCAL_BYTES])
{
    memset(out, 0, LOCAL_BYTES);
    memcpy(out, "PK\3\4\x14", 5);
    write16(out + 12, 1 << 5 | 1);
    write32(out + 14, e->crc);
    write32(out + 18, e->size);
    write32(out + 22, e->size);
    write16(out + 26, e->name_length);
}

/* Made by Unix, a regular file's permissions 0644. */
static void central_head(const entry *e, size_t place, uint8_t out[CENTRAL_BYTES])
{
    uint8_t local[LOCAL_BYTES];
    local_head(e, local);
    memset(out, 0, CENTRAL_BYTES);
    memcpy(out, "PK\1\2\x14\3", 6);
    memcpy(out + 6, local + 4, LOCAL_BYTES - 4);
    write32(out + 38, (size_t)0644 << 16);
    write32(out + 42, place);
}

/* The member at `place`, if its bytes are there and are those that the list tells of. */
static int take_member(const list *l, const entry *e, size_t place, c3d_member *member)
{
    uint8_t head[LOCAL_BYTES];
    const uint8_t *name = e->head + CENTRAL_BYTES;
    const size_t before = LOCAL_BYTES + e->name_length;
    local_head(e, head);
    if (place > l->begin || l->begin - place < before || l->begin - place - before < e->size)
        return 0;
    const uint8_t *at = l->data + place;
    *member = (c3d_member){name, e->name_length, at + before, e->size};
    return memcmp(at, head, LOCAL_BYTES) == 0 &&
           memcmp(at + LOCAL_BYTES, name, e->name_length) == 0 &&
           zip_crc(member->data, member->size) == e->crc;
}

static int follows(const c3d_member *last, const c3d_member *next)
{
    const size_t shared = last->name_length < next->name_length ? last->name_length
                                                                : next->name_length;
    const int order = memcmp(last->name, next->name, shared);
    return order < 0 || (order == 0 && last->name_length < next->name_length);
}

/* Whether the whole is what packing these members gives; `end` is where the last one ends. */
static int is_canonical(const list *l, const c3d_archive *archive)
{
    uint8_t wanted[CENTRAL_BYTES];
    size_t place = 0, at = l->begin;
    for (size_t i = 0; i < archive->count; i++) {
        const entry e = read_entry(l, at);
        const c3d_member *member = &archive->members[i];
        central_head(&e, place, wanted);
        if (memcmp(e.head, wanted, CENTRAL_BYTES) != 0 ||
            (i > 0 && !follows(member - 1, member)))
            return 0;
        place += LOCAL_BYTES + e.name_length + e.size;
        at += entry_bytes(&e);
    }
    uint8_t tail[END_BYTES] = "PK\5\6";
    write16(tail + 8, archive->count);
    write16(tail + 10, archive->count);
    write32(tail + 12, l->end - l->begin);
    write32(tail + 16, l->begin);
    return place == l->begin && memcmp(l->data + l->end, tail, END_BYTES) == 0;
}

c3d_status c3d_archive_read(const uint8_t *data, size_t size, c3d_archive *archive,
                            c3d_error *error)
{
    list l;
    archive->count = 0;
    if (size > C3D_MAX_BUNDLE_BYTES)
        return c3d_fail(error, C3D_ERR_BUNDLE_FORMAT, "the bundle is larger than %zu bytes",
                        C3D_MAX_BUNDLE_BYTES);
    if (!find_list(data, size, &l))
        return damaged(error);
    if (l.count > C3D_MAX_MEMBERS)
        return c3d_fail(error, C3D_ERR_BUNDLE_MEMBER, "the bundle has more than %u members",
                        C3D_MAX_MEMBERS);
    uint64_t total = 0;
    for (size_t at = l.begin; at < l.end;) {
        const entry e = read_entry(&l, at);
        total += e.size;
        at += entry_bytes(&e);
    }
    if (total > size)
        return c3d_fail(error, C3D_ERR_BUNDLE_FORMAT, "the bundle's members are larger than it");
    for (size_t at = l.begin; at < l.end; archive->count++) {
        const entry e = read_entry(&l, at);
        C3D_TRY(check_entry(&e, archive, error));
        if (!take_member(&l, &e, e.place, &archive->members[archive->count]))
            return damaged(error);
        at += entry_bytes(&e);
    }
    return is_canonical(&l, archive) ? C3D_OK : damaged(error);
}

const c3d_member *c3d_archive_find(const c3d_archive *archive, const char *name)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < archive->count; i++)
        if (archive->members[i].name_length == length &&
            memcmp(archive->members[i].name, name, length) == 0)
            return &archive->members[i];
    return NULL;
}
