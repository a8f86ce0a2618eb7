#include "graphnames.h"

#include <string.h>

/* FNV-1a: names that collide on purpose cost time only, and a graph has 17,000 at most. */
static size_t slot_of(const c3d_names *names, const uint8_t *begin, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ begin[i]) * 16777619u;
    size_t at = (hash ^ hash >> 15) % C3D_NAME_SLOTS;
    while (names->slots[at].begin != NULL && (names->slots[at].length != length ||
                                              memcmp(names->slots[at].begin, begin, length) != 0))
        at = (at + 1) % C3D_NAME_SLOTS;
    return at;
}

static int has(const c3d_names *names, const uint8_t *begin, size_t length)
{
    return names->slots[slot_of(names, begin, length)].begin != NULL;
}

static int add(c3d_names *names, const uint8_t *begin, size_t length)
{
    const size_t at = slot_of(names, begin, length);
    if (names->slots[at].begin != NULL)
        return 0;
    names->slots[at].begin = begin;
    names->slots[at].length = length;
    names->count++;
    return 1;
}

int c3d_names_add(c3d_names *names, c3d_wire *wire, const c3d_field *name)
{
    return c3d_wire_short(wire, name, C3D_MAX_GRAPH_NAME_BYTES) &&
           (add(names, name->begin, (size_t)(name->end - name->begin)) ||
            c3d_wire_fault(wire, "makes %.*s twice", C3D_SHOWN(name)));
}

int c3d_names_add_text(c3d_names *names, const char *name)
{
    return add(names, (const uint8_t *)name, strlen(name));
}

int c3d_names_has_text(const c3d_names *names, const char *name)
{
    return has(names, (const uint8_t *)name, strlen(name));
}

enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_KIND = 4, NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_I = 3, ATTRIBUTE_S = 4, ATTRIBUTE_INTS = 8,
       ATTRIBUTE_TYPE = 20 };

/* What a node has besides its inputs. */
typedef struct {
    c3d_field made[C3D_MAX_NODE_VALUES], attributes[C3D_MOST_ATTRIBUTES], single[NODE_DOMAIN + 1];
    size_t made_count, attribute_count, values;
} node;

static int take_input(c3d_wire *wire, const c3d_names *names, const c3d_field *field)
{
    return c3d_wire_short(wire, field, C3D_MAX_GRAPH_NAME_BYTES) &&
           (has(names, field->begin, (size_t)(field->end - field->begin)) ||
            c3d_wire_fault(wire, "has a node that needs %.*s, which nothing makes",
                           C3D_SHOWN(field)));
}

static int take_field(c3d_wire *wire, const c3d_names *names, node *n, const c3d_field *field)
{
    if (field->number == NODE_ATTRIBUTE) {
        if (n->attribute_count == C3D_MOST_ATTRIBUTES)
            return c3d_wire_fault(wire, "has a node with more attributes than ours");
        n->attributes[n->attribute_count++] = *field;
        return 1;
    }
    if (field->number != NODE_INPUT && field->number != NODE_OUTPUT) {
        if (n->single[field->number].number != 0)
            return c3d_wire_twice(wire);
        n->single[field->number] = *field;
        return c3d_wire_short(wire, field, C3D_MAX_GRAPH_NAME_BYTES);
    }
    if (++n->values > C3D_MAX_NODE_VALUES)
        return c3d_wire_fault(wire, "has a node with more than %u inputs and outputs",
                              C3D_MAX_NODE_VALUES);
    if (field->number == NODE_INPUT)
        return take_input(wire, names, field);
    n->made[n->made_count++] = *field;
    return 1;
}

/* The value fits the attribute's type, and nothing else is given. */
static int fits(const c3d_operator *operator, size_t i, const c3d_field found[], size_t integers,
                size_t listed, uint64_t largest)
{
    const unsigned type = operator->attributes[i].type, own = operator->attributes[i].optional;
    const uint64_t most = own > 0 ? own : C3D_MAX_ATTRIBUTE_VALUE;
    const int has_i = found[ATTRIBUTE_I].number != 0, has_s = found[ATTRIBUTE_S].number != 0;
    const size_t text = (size_t)(found[ATTRIBUTE_S].end - found[ATTRIBUTE_S].begin);
    if (has_i != (type == C3D_ATTRIBUTE_INT) || has_s != (type == C3D_ATTRIBUTE_STRING) ||
        (listed > 0) != (type == C3D_ATTRIBUTE_INTS))
        return 0;
    return integers <= C3D_MAX_ATTRIBUTE_VALUES && largest <= most &&
           (!has_s || text <= C3D_MAX_ATTRIBUTE_VALUES);
}

/* Which of the operator's attributes this is; its bit is set in *seen. */
static int check_attribute(c3d_wire *wire, const c3d_operator *operator, const c3d_field *part,
                           unsigned *seen)
{
    c3d_field found[ATTRIBUTE_TYPE + 1] = {0}, field;
    c3d_cursor cursor = c3d_wire_open(wire, &c3d_attribute_message, part->begin, part->end);
    size_t listed = 0, integers = 0;
    uint64_t largest = 0;
    int more;
    while ((more = c3d_wire_next(&cursor, &field)) == 1) {
        if (field.number != ATTRIBUTE_INTS && found[field.number].number != 0)
            return c3d_wire_twice(wire);
        found[field.number] = field;
        listed += field.number == ATTRIBUTE_INTS;
        if (field.number == ATTRIBUTE_INTS || field.number == ATTRIBUTE_I) {
            integers++;
            largest = field.value > largest ? field.value : largest;
        }
    }
    if (more < 0)
        return 0;
    for (size_t i = 0; i < C3D_MOST_ATTRIBUTES && operator->attributes[i].name != NULL; i++) {
        if (!c3d_field_is(&found[ATTRIBUTE_NAME], operator->attributes[i].name) ||
            found[ATTRIBUTE_TYPE].value != operator->attributes[i].type ||
            !fits(operator, i, found, integers, listed, largest))
            continue;
        if ((*seen & 1u << i) != 0)
            return c3d_wire_fault(wire, "gives an attribute twice");
        *seen |= 1u << i;
        return 1;
    }
    return c3d_wire_fault(wire, "has an attribute, or a value of one, that is not allowed");
}

static const c3d_operator *find_operator(const node *n, unsigned flavour)
{
    const c3d_field *domain = &n->single[NODE_DOMAIN];
    for (size_t i = 0; i < c3d_operator_count; i++) {
        const c3d_operator *o = &c3d_operators[i];
        const int same = domain->number == 0 ? *o->domain == '\0' : c3d_field_is(domain, o->domain);
        if (same && (o->flavours & flavour) != 0 && c3d_field_is(&n->single[NODE_KIND], o->kind))
            return o;
    }
    return NULL;
}

static int check_operator(c3d_wire *wire, const node *n, unsigned flavour)
{
    const c3d_operator *found = find_operator(n, flavour);
    unsigned seen = 0;
    if (found == NULL)
        return c3d_wire_fault(wire, "has an operator that is not allowed, %.*s",
                              C3D_SHOWN(&n->single[NODE_KIND]));
    for (size_t i = 0; i < n->attribute_count; i++)
        if (!check_attribute(wire, found, &n->attributes[i], &seen))
            return 0;
    for (size_t i = 0; i < C3D_MOST_ATTRIBUTES && found->attributes[i].name != NULL; i++)
        if ((seen & 1u << i) == 0 && found->attributes[i].optional == 0)
            return c3d_wire_fault(wire, "has operator %s with other attributes than ours",
                                  found->kind);
    return 1;
}

int c3d_check_node(c3d_wire *wire, c3d_names *names, unsigned flavour, const c3d_field *part)
{
    node n = {0};
    c3d_field field;
    c3d_cursor cursor = c3d_wire_open(wire, &c3d_node_message, part->begin, part->end);
    int more;
    while ((more = c3d_wire_next(&cursor, &field)) == 1)
        if (!take_field(wire, names, &n, &field))
            return 0;
    if (more < 0)
        return 0;
    for (size_t i = 0; i < n.made_count; i++)
        if (!c3d_names_add(names, wire, &n.made[i]))
            return 0;
    return check_operator(wire, &n, flavour);
}
