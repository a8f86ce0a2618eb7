#include "json_text.h"

int c3d_json_fault(c3d_json_reader *reader, const char *fault)
{
    if (reader->fault == NULL)
        reader->fault = fault;
    return 0;
}

/* Bytes of the well-formed UTF-8 sequence that begins here (Unicode 15, table 3-7), 0 for none. */
static size_t sequence(const uint8_t *s, size_t left)
{
    const size_t size = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3
                        : s[0] < 0xf5 ? 4 : 0;
    if (size == 0 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    const int too_low = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    const int too_high = (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f);
    return too_low || too_high ? 0 : size;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u. */
static int code_unit(c3d_json_reader *r, uint32_t *unit)
{
    *unit = 0;
    if (r->end - r->at < 4)
        return c3d_json_fault(r, "an escape is cut off");
    for (int i = 0; i < 4; i++, r->at++) {
        const int digit = hex_digit(*r->at);
        if (digit < 0)
            return c3d_json_fault(r, "an escape has no four digits");
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return 1;
}

static void put_point(c3d_json_reader *r, uint32_t point)
{
    static const uint8_t LEAD[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    const int size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (int i = 0; i < size; i++) {
        const uint32_t bits = point >> 6 * (size - 1 - i);
        const uint32_t byte = size == 1 ? bits : i == 0 ? bits | LEAD[size] : (bits & 0x3f) | 0x80;
        *r->text++ = (char)(uint8_t)byte;
    }
}

/* A pair of surrogates is one point; half a pair is nothing that UTF-8 can hold. */
static int put_unit(c3d_json_reader *r)
{
    uint32_t unit, low;
    if (!code_unit(r, &unit))
        return 0;
    if (unit >= 0xd800 && unit < 0xdc00 && r->end - r->at >= 2 && r->at[0] == '\\' &&
        r->at[1] == 'u') {
        r->at += 2;
        if (!code_unit(r, &low))
            return 0;
        if (low < 0xdc00 || low > 0xdfff)
            return c3d_json_fault(r, "a string has half a surrogate pair");
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    if (unit >= 0xd800 && unit <= 0xdfff)
        return c3d_json_fault(r, "a string has half a surrogate pair");
    put_point(r, unit);
    return 1;
}

static int put_escape(c3d_json_reader *r)
{
    static const char NAMES[] = "\"\\/bfnrt", VALUES[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return c3d_json_fault(r, "a string does not end");
    const uint8_t name = *r->at++;
    if (name == 'u')
        return put_unit(r);
    for (size_t i = 0; NAMES[i] != '\0'; i++) {
        if (name == (uint8_t)NAMES[i]) {
            *r->text++ = VALUES[i];
            return 1;
        }
    }
    return c3d_json_fault(r, "an escape is unknown");
}

int c3d_json_string(c3d_json_reader *r, const char **text, size_t *length)
{
    *text = r->text;
    while (r->at < r->end && *r->at != '"') {
        if (*r->at == '\\') {
            r->at++;
            if (!put_escape(r))
                return 0;
            continue;
        }
        const size_t size = *r->at < 0x20 ? 0 : sequence(r->at, (size_t)(r->end - r->at));
        if (size == 0)
            return c3d_json_fault(r, "a string has a control character, or is no UTF-8");
        for (size_t i = 0; i < size; i++)
            *r->text++ = (char)*r->at++;
    }
    if (r->at == r->end)
        return c3d_json_fault(r, "a string does not end");
    r->at++;
    *length = (size_t)(r->text - *text);
    return 1;
}

static int is_digit(const c3d_json_reader *r)
{
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

/* How many digits stand here; the value is kept below 10^18. */
static size_t digits(c3d_json_reader *r, int64_t *value)
{
    size_t count = 0;
    for (*value = 0; is_digit(r); r->at++, count++)
        if (*value < INT64_C(100000000000000000))
            *value = *value * 10 + (*r->at - '0');
        else
            *value = INT64_C(999999999999999999);
    return count;
}

/* Behind the whole part: ".5" and "e-7"; `power` is the exponent. */
static int fraction(c3d_json_reader *r, int64_t *power)
{
    int64_t ignored;
    *power = 0;
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (digits(r, &ignored) == 0)
            return c3d_json_fault(r, "a number ends with a point");
    }
    if (r->at < r->end && (*r->at | 0x20) == 'e') {
        r->at++;
        const int minus = r->at < r->end && *r->at == '-';
        r->at += r->at < r->end && (*r->at == '-' || *r->at == '+');
        if (digits(r, power) == 0)
            return c3d_json_fault(r, "a number has no exponent");
        *power = minus ? -*power : *power;
    }
    return 1;
}

int c3d_json_number(c3d_json_reader *r, c3d_json *value)
{
    const int minus = *r->at == '-';
    r->at += minus;
    const uint8_t *first = r->at;
    int64_t power;
    const size_t count = digits(r, &value->number);
    if (count == 0 || (count > 1 && *first == '0'))
        return c3d_json_fault(r, "a value is no JSON");
    const uint8_t *whole_end = r->at;
    if (!fraction(r, &power))
        return 0;
    value->kind = r->at == whole_end ? C3D_JSON_INT : C3D_JSON_FLOAT;
    value->number = minus ? -value->number : value->number;
    /* The largest double is 1.8e308. Nothing of ours comes near, so a few that still fit are
     * refused with what does not. Python reads whole numbers of up to 4300 digits. */
    const int64_t before_point = *first == '0' ? 0 : (int64_t)count;
    if (value->kind == C3D_JSON_INT ? count > 4300 : before_point - 1 + power >= 308)
        return c3d_json_fault(r, "a number is too large");
    return 1;
}
