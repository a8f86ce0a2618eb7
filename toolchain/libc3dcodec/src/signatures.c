/* The member is text of one shape, with nothing in it that may vary but the keys and signatures:
 * it is compared with that shape, and nothing of it is parsed. */
#include "signatures.h"

#include <string.h>

#include "limits.h"

enum { KEY_DIGITS = 16, SIGNATURE_DIGITS = 86 };

static const char HEAD[] = "{\n  \"format\": \"c3d-export signatures\",\n  \"signatures\": [\n";
static const char BEFORE_KEY[] = "    {\n      \"algorithm\": \"ed25519\",\n      \"key\": \"";
static const char BEFORE_SIGNATURE[] = "\",\n      \"signature\": \"";
static const char AFTER[] = "==\"\n    }";
static const char NEXT[] = ",\n";
static const char TAIL[] = "\n  ],\n  \"version\": 1\n}\n";

static const char HEX[] = "0123456789abcdef";
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/* 64 bytes are 86 digits, the last with two bits of its own: the others are zero. */
static const char LAST[] = "AQgw";

typedef struct {
    const uint8_t *at, *end;
} text;

static int skip(text *t, const char *wanted)
{
    const size_t length = strlen(wanted);
    if ((size_t)(t->end - t->at) < length || memcmp(t->at, wanted, length) != 0)
        return 0;
    t->at += length;
    return 1;
}

static int skip_digits(text *t, size_t count, const char *digits)
{
    if ((size_t)(t->end - t->at) < count)
        return 0;
    for (const uint8_t *stop = t->at + count; t->at < stop; t->at++)
        if (*t->at == 0 || strchr(digits, *t->at) == NULL)
            return 0;
    return 1;
}

/* Where its key is, or null. */
static const uint8_t *skip_signature(text *t)
{
    if (!skip(t, BEFORE_KEY))
        return NULL;
    const uint8_t *key = t->at;
    const int whole = skip_digits(t, KEY_DIGITS, HEX) && skip(t, BEFORE_SIGNATURE) &&
                      skip_digits(t, SIGNATURE_DIGITS - 1, BASE64) && skip_digits(t, 1, LAST) &&
                      skip(t, AFTER);
    return whole ? key : NULL;
}

static int is_canonical(text t)
{
    const uint8_t *last = NULL;
    int more = skip(&t, HEAD);
    for (unsigned count = 0; more && count < C3D_MAX_SIGNATURES; count++) {
        const uint8_t *key = skip_signature(&t);
        if (key == NULL || (last != NULL && memcmp(last, key, KEY_DIGITS) >= 0))
            return 0;
        last = key;
        more = skip(&t, NEXT);
    }
    return last != NULL && !more && skip(&t, TAIL) && t.at == t.end;
}

c3d_status c3d_signatures_check(const c3d_member *member, c3d_error *error)
{
    const text whole = {member->data, member->data + member->size};
    if (member->size <= C3D_MAX_SIGNATURES_BYTES && is_canonical(whole))
        return C3D_OK;
    return c3d_fail(error, C3D_ERR_BUNDLE_SIGNATURE,
                    C3D_SIGNATURES " of the bundle is malformed, or of another version; have it"
                                   " signed again, or update the library");
}
